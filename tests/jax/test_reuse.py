"""`reuse`: what this process has compiled is not compiled again, and nothing that differs is taken for the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from xla_runs import Run, X, made_anew, named

import jitwatch
from jitwatch import JitwatchError, RecompilationError, watched_jit
from jitwatch._capture import jax_internals
from jitwatch._capture.events import reuse as kept


def test_off_by_default(runs: list[Run]) -> None:
    for _ in range(2):
        made_anew()(X)

    assert named(runs, "step") == 2


def test_a_function_made_anew_is_compiled_once_and_gives_the_same(runs: list[Run]) -> None:
    plain = np.asarray(made_anew()(X))
    runs.clear()
    with jitwatch.reusing():
        functions = [made_anew() for _ in range(5)]
        results = [np.asarray(f(X)) for f in functions]

    assert named(runs, "step") == 1
    assert all(np.array_equal(plain, result) for result in results)
    assert [f.cache_info().compiles for f in functions] == [1, 0, 0, 0, 0]
    assert [f.cache_info().reused for f in functions] == [0, 1, 1, 1, 1]
    stages = functions[1].cache_stats().stages
    assert (stages.traces, stages.lowerings, stages.loads) == (1, 1, 0)
    assert stages.saved_s > 0 and stages.compile_s == 0


def test_caches_that_were_cleared_are_filled_without_xla(runs: list[Run]) -> None:
    f = made_anew()
    with jitwatch.reusing():
        for _ in range(3):
            f(X)
            jnp.arange(11.0)[:3].sum()
            jax.clear_caches()
        once = list(runs)

    assert len({run.identity for run in once}) == len(once)
    assert f.cache_info().reused == 2


def test_what_was_kept_is_let_go_at_the_end() -> None:
    with jitwatch.reusing():
        made_anew()(X)
        assert len(kept.reuse())

    assert not len(kept.reuse()) and kept.reuse().size_bytes == 0


def test_reuse_for_the_process_ends_when_it_is_said(runs: list[Run]) -> None:
    jitwatch.reuse()
    try:
        with jitwatch.reusing():
            made_anew()(X)
        made_anew()(X)
        assert named(runs, "step") == 1
    finally:
        jitwatch.reuse(False)
    made_anew()(X)

    assert named(runs, "step") == 2


def test_a_decorated_function_reuses(runs: list[Run]) -> None:
    @jitwatch.reusing()
    def epoch() -> None:
        for _ in range(3):
            made_anew()(X)

    epoch()

    assert named(runs, "step") == 1


# What differs is compiled.


def on(device: int) -> Any:
    return jax.device_put(X, jax.devices()[device])


def over(*devices: int) -> Any:
    mesh = Mesh(np.array([jax.devices()[each] for each in devices]), "a")
    return jax.device_put(np.ones(8, np.float32), NamedSharding(mesh, PartitionSpec("a")))


def donated() -> Any:
    return jnp.array(X)


DIFFERENT: dict[str, Callable[[], list[Any]]] = {
    "devices": lambda: [made_anew()(on(0)), made_anew()(on(1))],
    "order of devices": lambda: [made_anew()(over(0, 1)), made_anew()(over(1, 0))],
    "shardings": lambda: [made_anew()(over(0)), made_anew()(over(0, 1))],
    "sizes": lambda: [made_anew()(X), made_anew()(X[1:])],
    "types": lambda: [made_anew()(X), made_anew()(X.astype(np.float16))],
    "donation": lambda: [made_anew()(donated()), made_anew(donate_argnums=0)(donated())],
    "compile options": lambda: [
        made_anew()(X), made_anew(compiler_options={"xla_embed_ir_in_executable": True})(X),
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", DIFFERENT)
def test_programs_that_differ_are_compiled(what: str, runs: list[Run]) -> None:
    with jitwatch.reusing():
        compiled = DIFFERENT[what]()
        assert named(runs, "step") == 2
        reused = DIFFERENT[what]()

    assert named(runs, "step") == 2
    assert all(map(np.array_equal, compiled, reused))


def test_results_stay_on_the_devices_that_they_were_asked_for() -> None:
    with jitwatch.reusing():
        for _ in range(2):
            for place in (on(0), on(1), over(0, 1), over(1, 0), over(2, 3)):
                result = made_anew()(place)
                assert result.sharding.is_equivalent_to(place.sharding, 1)
                assert np.allclose(result, np.sin(np.asarray(place)) * 3)


def test_donated_arguments_are_given_up_by_a_reused_program_too() -> None:
    with jitwatch.reusing():
        for _ in range(2):
            x = donated()
            y = made_anew(donate_argnums=0)(x)
            assert x.is_deleted() and np.allclose(y, np.sin(X) * 3)


def test_python_functions_behind_callbacks_are_never_shared(runs: list[Run]) -> None:
    def asking(host: Callable[[Any], Any]) -> Any:
        def step(x):
            return jax.pure_callback(host, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

        return watched_jit(step)

    with jitwatch.reusing():
        doubled, halved = asking(lambda x: x * 2)(X), asking(lambda x: x / 2)(X)
        again = asking(lambda x: x * 5)(X)

    assert np.allclose(doubled, X * 2) and np.allclose(halved, X / 2) and np.allclose(again, X * 5)
    assert named(runs, "step") == 3


def test_prints_of_programs_with_equal_text_are_told_apart(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def saying(word: str) -> Any:
        def step(x):
            jax.debug.callback(lambda: seen.append(word))
            return x

        return watched_jit(step)

    with jitwatch.reusing():
        for word in ("one", "two", "one"):
            saying(word)(X)
            jax.effects_barrier()

    assert seen == ["one", "two", "one"]


def test_what_looks_while_xla_compiles_is_asked_each_time() -> None:
    asked: list[str] = []

    def looking(word: str) -> Any:
        def step(x):
            jax.debug.inspect_array_sharding(x, callback=lambda sharding: asked.append(word))
            return x + 1

        return watched_jit(step)

    with jitwatch.reusing():
        for word in ("one", "two"):
            looking(word)(over(0, 1))

    assert asked == ["one", "two"]


# Threads, errors, bounds.


def test_one_process_of_several_reuses_only_if_asked_by_name(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_internals, "is_one_of_several_processes", lambda _: True)
    with jitwatch.reusing():
        for _ in range(2):
            made_anew()(X)
    assert named(runs, "step") == 2
    with jitwatch.reusing(several_processes=True):
        for _ in range(2):
            made_anew()(X)

    assert named(runs, "step") == 3


def test_the_settings_ask_for_it(monkeypatch: pytest.MonkeyPatch, state: Any) -> None:
    monkeypatch.setenv("JITWATCH_REUSE", "1")
    monkeypatch.setenv("JITWATCH_REUSE_PROGRAMS", "7")
    watched_jit(lambda x: x)

    assert kept.reuse().limits() == kept.Limits(7, 1 << 30)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("JITWATCH_REUSE", "maybe"), ("JITWATCH_REUSE_BYTES", "0"), ("JITWATCH_REUSE_PROGRAMS", "x")],
)
def test_a_setting_that_is_not_valid_is_said(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(JitwatchError, match=f"{variable} has the value '{value}'.*valid is"):
        jitwatch.reuse()


# With what else there is.


def test_a_reuse_is_no_compile_to_freeze(runs: list[Run]) -> None:
    with jitwatch.reusing():
        made_anew()(X)
        with jitwatch.no_compiles():
            assert np.allclose(made_anew()(X), np.sin(X) * 3)
            other = watched_jit(lambda x: x - 4)
            with pytest.raises(RecompilationError):
                other(X)
        with jitwatch.no_compiles(allow_loads=False), pytest.raises(RecompilationError):
            made_anew()(X)

    assert named(runs, "step") == 1
    assert other.cache_info().compiles == 0


def test_limits_count_compilations_only() -> None:
    with jitwatch.reusing():
        f = made_anew(max_compiles=1, on_excess="raise")
        for _ in range(3):
            f(X)
            jax.clear_caches()

    assert f.cache_info().reused == 2


def test_a_reused_program_stays_a_finding() -> None:
    jitwatch.reset()
    with jitwatch.reusing():
        for _ in range(6):
            made_anew()(X)

    text = jitwatch.report(width=200)
    assert "JW301" in text
    assert "step was traced and lowered 5 times more than needed, though reuse spared the compiles" in text
    assert "5 programs reused" in text


def test_the_persistent_cache_gets_and_gives_what_it_would(tmp_path: Path) -> None:
    program = f"""
import jax, jax.numpy as jnp, numpy as np, jitwatch, json
jax.config.update("jax_compilation_cache_dir", {str(tmp_path / "cache")!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jitwatch.reuse()
made = []
for _ in range(3):
    def step(x):
        return jnp.cos(x) * 2
    made.append(jitwatch.watched_jit(step))
    made[-1](np.ones(5, np.float32))
infos = [f.cache_info() for f in made]
print(json.dumps([[each.compiles, each.loads, each.reused] for each in infos]))
"""
    results = [
        json.loads(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
        for _ in range(2)
    ]

    assert results == [[[1, 0, 0], [0, 1, 0], [0, 1, 0]], [[0, 1, 0]] * 3]


def test_a_program_that_was_loaded_stays_a_finding(tmp_path: Path) -> None:
    program = f"""
import jax, numpy as np, jitwatch
jax.config.update("jax_compilation_cache_dir", {str(tmp_path / "cache")!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
for _ in range(6):
    jitwatch.watched_jit(lambda x: x * 2)(np.ones(5, np.float32))
print(jitwatch.report(width=200))
"""
    first, second = (
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )

    assert "compiled 5 times more than needed" not in first and "saves 5 loads" in first
    assert (
        "was traced and lowered 5 times more than needed, though JAX's persistent cache spared the compiles" in second
    )
    assert "saves 5 loads" in second and "compiles, " not in second.split("JW301")[0]


def test_run_with_reuse(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import jax, numpy as np\n"
        "for _ in range(4):\n"
        "    def step(x):\n"
        "        return x * 2 + 1\n"
        "    jax.jit(step)(np.ones(3, np.float32))\n"
    )
    command = [sys.executable, "-m", "jitwatch", "run", "--reuse", "--json", "report.json", "train.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    functions = json.loads((tmp_path / "report.json").read_text())["functions"]
    stages = [each["stages"] for each in functions if each["name"] == "step"]
    assert [sum(each[what] for each in stages) for what in ("compiles", "reused")] == [1, 3]
    assert "3 programs reused" in done.stderr
