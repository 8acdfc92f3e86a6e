"""Data files of real processes: killed, forked, out of room, and fifty at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from jitwatch._model import FunctionStats, Recording, Stages
from jitwatch._record.merge import combine
from jitwatch._store import find, load

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT.parent), str(ROOT)]), "JAX_PLATFORMS": "cpu"}


def start(program: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=folder, env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(program: str, folder: Path) -> str:
    """The standard output of a program that ends well."""
    process = start(program, folder)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def function(recording: Recording, name: str) -> FunctionStats:
    (found,) = (each for each in recording.snapshot.functions if each.name == name)
    return found


ENDLESS = """
    import itertools

    import jax, jax.numpy as jnp, numpy as np
    from jitwatch._api.install import install
    from jitwatch._store import Writer

    writer = Writer(".jitwatch")
    install(count_hits=True)

    @jax.jit
    def step(x):
        return jnp.sin(x) + 1

    for size in itertools.count(1):
        step(np.ones(size))
        print(size, flush=True)
"""


def test_all_misses_of_a_killed_process_are_readable(tmp_path: Path) -> None:
    with start(ENDLESS, tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 20:
                break
        process.send_signal(signal.SIGKILL)
        printed = [20, *map(int, process.stdout)][-1]

    result = load(tmp_path / ".jitwatch")

    step = function(result, "step")
    misses = [miss for miss in result.snapshot.misses if miss.function == step.id]
    assert printed <= step.stages.compiles <= printed + 1, "one may have been written and not printed"
    assert len(misses) == step.misses == len(step.keys) == step.stages.compiles
    assert all(miss.stages != Stages() for miss in misses)
    assert any("killed" in problem for problem in result.problems)
    assert result.processes[0].pid == process.pid


FORKED = """
    import multiprocessing, sys

    from jitwatch._api.install import install
    from jitwatch._store import Writer

    writer = Writer(".jitwatch")
    install(count_hits=True)

    def work(sizes, calls):
        import jax, numpy as np

        @jax.jit
        def step(x):
            return x + 1

        for size in sizes:
            for _ in range(calls):
                step(np.ones(size))

    children = [multiprocessing.get_context("fork").Process(target=work, args=([1, 2, 3], 5)) for _ in range(2)]
    assert "jax" not in sys.modules
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    work([3, 4], 2)
    writer.close()
"""


def test_forked_processes_have_files_of_their_own(tmp_path: Path) -> None:
    run(FORKED, tmp_path)

    recordings = [load(path) for path in find([tmp_path])]

    steps = [function(each, "step") for each in recordings]
    assert sorted((step.misses, step.hits, step.stages.compiles) for step in steps) == [
        (2, 2, 2),
        (3, 12, 3),
        (3, 12, 3),
    ]
    assert all(each.problems == () for each in recordings)
    together = combine(recordings)
    step = function(together, "step")
    assert len(together.processes) == 3
    assert (step.misses, step.hits, step.stages.compiles, len(step.keys)) == (8, 26, 8, 4)


FIFTY = """
    import os, sys

    from builders import key, leaf
    from fake_misses import add_function, add_hits, add_miss
    from jitwatch._store import Writer

    ready, go = os.pipe()
    for number in range(50):
        if os.fork() == 0:
            os.close(go)
            os.read(ready, 1)  # until the pipe is closed, so that all begin at once
            writer = Writer(".jitwatch", interval_s=0.001)
            step, own = add_function(), add_function(f"own_{number}")
            for size in range(20):
                add_hits(add_miss(step, key({"x": leaf((size,))})), 3)
                add_miss(own, key({"x": leaf((size,))}))
            if number % 2:
                writer.close()
            os._exit(0)
    os.close(go)
    assert all(os.waitstatus_to_exitcode(os.wait()[1]) == 0 for _ in range(50))
    assert "jax" not in sys.modules
"""


def test_fifty_processes_side_by_side_add_up_exactly(tmp_path: Path) -> None:
    run(FIFTY, tmp_path)

    paths = find([tmp_path])
    together = combine(load(path) for path in paths)

    assert len(paths) == len(together.processes) == 50
    assert len(together.snapshot.functions) == 51
    step = function(together, "step")
    assert (step.misses, step.stages.compiles, step.stages.compile_s) == (1000, 1000, 125.0)
    assert [(each.misses, each.stages.compiles) for each in step.keys] == [(50, 50)] * 20
    assert 25 * 20 * 3 <= step.hits <= 50 * 20 * 3, "those that were not closed may miss their last hits"
    assert len(together.snapshot.misses) == 2000
    assert len(together.problems) == 25


FULL = """
    import resource

    from builders import key, leaf
    from fake_misses import add_function, add_miss
    from jitwatch import _faults
    from jitwatch._store import Writer

    writer = Writer(".jitwatch")
    step = add_function()
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
    for size in range(100):
        add_miss(step, key({"x": leaf((size,))}))
    writer.close()
    print(_faults.count(), writer.error)
"""


def test_a_file_that_cannot_grow_stops_nothing(tmp_path: Path) -> None:
    output = run(FULL, tmp_path)

    assert output.startswith("0 ") and "File too large" in output
    result = load(tmp_path / ".jitwatch")
    assert 2 < function(result, "step").misses < 100
    assert [problem.split(": ")[1] for problem in result.problems] == [
        "the last line is cut off; the rest is used.",
        "the process was killed or could not write its end",
    ]
