"""In what two programs differ, in words; a folder of programs, and the commands that look into it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

import jitwatch
from jitwatch import watched_jit
from jitwatch._capture import jax_internals
from jitwatch._cli.main import main
from jitwatch._explain.located_text import LocatedText
from jitwatch._explain.program_difference import Changed, Described, Difference, difference
from jitwatch._explain.programs import steps_of
from jitwatch._model import Program
from jitwatch._record.recorder import recorder
from jitwatch._report.program_text import difference_lines
from jitwatch._store.program_files import ProgramFolder

PACKAGE = Path(__file__).parents[2]
X, W = np.ones((4, 3), np.float32), np.ones((3, 5), np.float32)


def step_of(k: float, act: Callable[[Any], Any] = jnp.tanh) -> Callable[..., Any]:
    def step(x, w):
        y = act(x @ w)
        return (y * k).sum()

    return step


ACT = step_of(1.0).__code__.co_firstlineno + 1


def described(fun: Callable[..., Any], *args: Any, name: str = "a", **changes: Any) -> Described:
    module = jax.jit(fun).lower(*args).compiler_ir()
    text = LocatedText(jax_internals.located_text_of(module))
    assert steps_of(text.plain) == steps_of(jax_internals.text_of(module))
    return Described(Program(name, **changes), text)


def between(one: Any, other: Any) -> Difference:
    return difference(described(*one), described(*other, name="b"))


def here(line: int) -> str:
    return f"{__file__}:{line}"


def test_the_same_program_is_the_same() -> None:
    assert between((step_of(0.1), X, W), (step_of(0.1), X, W)) == Difference("identical")


def test_a_constant_is_named_with_the_line_that_uses_it() -> None:
    found = between((step_of(0.1), X, W), (step_of(0.25), X, W))

    assert found == Difference("constants", constants=(Changed(here(ACT + 1), "0.1", "0.25"),))


def test_a_large_constant_is_told_by_its_type() -> None:
    one, other = (np.arange(100, dtype=np.float32) + n for n in (0, 1))
    found = between((lambda x: x + one, one), (lambda x: x + other, one))

    assert found.equality == "constants"
    assert difference_lines(found)[1].endswith(": f32[100] -> other content")


def test_where_a_slice_begins_is_a_constant() -> None:
    found = between((lambda x: x[1:3], X), (lambda x: x[2:4], X))

    assert [(one.before, one.after) for one in found.constants] == [("slice from 1, 0", "slice from 2, 0")]


def test_sizes_and_dtypes_are_those_of_arguments() -> None:
    sizes = between((step_of(0.1), X, W), (step_of(0.1), X[:2], W))
    dtypes = between((lambda x: x * 2, np.ones(3, np.float32)), (lambda x: x * 2, np.ones(3, np.int32)))

    assert sizes == Difference("sizes", arguments=(Changed("x", "f32[4,3]", "f32[2,3]"),))
    assert dtypes == Difference("dtype", arguments=(Changed("x", "f32[3]", "i32[3]"),))


def test_of_different_programs_the_first_other_operation_is_named() -> None:
    found = between((step_of(0.1), X, W), (step_of(0.1, jnp.sin), X, W))

    assert found.equality == "different" and found.first is not None
    assert [(one.text, one.place) for one in found.first] == [
        ("stablehlo.tanh f32[4,5]", here(ACT)), ("stablehlo.sine f32[4,5]", here(ACT)),
    ]  # fmt: skip
    assert difference_lines(found)[0] == "different:"


def test_a_program_that_ends_sooner_differs_where_it_ends() -> None:
    found = between((lambda x: x * 2, X), (lambda x: jnp.sin(x * 2), X))

    assert found.first is not None and found.first[1].text == "stablehlo.sine f32[4,3]"


def test_what_the_text_does_not_tell_is_not_claimed() -> None:
    one, other = (described(step_of(0.1), X, W, name=name, comparable=False) for name in "ab")

    assert difference(one, other) == Difference("")
    assert "does not show" in difference_lines(Difference(""))[0]


def test_lines_of_inner_functions_are_the_authors() -> None:
    def body(c, a):
        return c + jnp.cos(a), a

    line = body.__code__.co_firstlineno + 1
    text = described(lambda x: jax.lax.scan(body, 0.0, x)[0], X[0]).text

    assert [place for text_line, place in text.lines() if "stablehlo.cosine" in text_line] == [here(line)]


def test_diff_keys_says_how_far_the_programs_are_the_same() -> None:
    step = watched_jit(step_of(0.1))
    step(X, W)
    step(X[:2], W)

    assert "programs: the same but for sizes:\n  x: f32[4,3] -> f32[2,3]\n" in step.diff_keys(1, 2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which what is compiled from now on is kept."""
    path = tmp_path / "programs"
    monkeypatch.setattr(recorder().programs, "keep", ProgramFolder(str(path)).keep)
    with jitwatch.watching():
        yield path


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["programs", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def kept(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)]


def test_each_distinct_program_is_kept_once(folder: Path) -> None:
    for _ in range(2):
        jax.jit(step_of(0.1))(X, W)
    (first,) = kept(folder)
    before = os.stat(first).st_mtime_ns
    jax.jit(step_of(0.2))(X, W)

    assert len(kept(folder)) == 2 and os.stat(first).st_mtime_ns == before
    assert b"loc(" in gzip.decompress(Path(first).read_bytes())


def test_commands_list_show_and_compare(folder: Path) -> None:
    for k in (0.1, 0.2):
        jax.jit(step_of(k))(X, W)
    one, other = kept(folder)
    beginnings = [path[: -len("2345678.mlir.gz")] for path in (one, other)]

    listed = invoke("list", str(folder)).splitlines()
    assert [line.split()[1] for line in listed] == ["step", "step"]
    assert listed[1].endswith(f"beside {Path(one).name[:12]}: the same but for constants")
    assert f"test_program_difference.py:{ACT}" in invoke("show", beginnings[0])
    said = invoke("diff", *beginnings)
    assert said.startswith("the same but for constants:\n") and said.endswith(": 0.1 -> 0.2\n")
    assert invoke("diff", one, one) == "the same program\n"


@pytest.mark.parametrize(("content", "said"), [
    (b"no gzip at all", "cannot be read"),
    (gzip.compress(b"module {}", mtime=0), "is no program that jitwatch kept"),
    (gzip.compress(b"// jitwatch program {}\n", mtime=0), "is no program that jitwatch kept"),
    (gzip.compress(b"// jitwatch program 1", mtime=0)[:-9], "cannot be read"),
], ids=["not compressed", "no head", "no name", "cut off"])  # fmt: skip
def test_a_bad_file_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mlir.gz"
    bad.write_bytes(content)
    result = CliRunner().invoke(main, ["programs", "show", str(bad)])

    assert result.exit_code == 1 and str(bad) in result.output and said in result.output


def test_a_program_that_is_not_there_or_not_told_is_named(folder: Path) -> None:
    for k in (0.1, 0.2):
        jax.jit(step_of(k))(X, W)
    several, none, empty = (
        CliRunner().invoke(main, ["programs", *arguments])
        for arguments in (["show", f"{folder}/"], ["show", f"{folder}/zz"], ["list", str(folder.parent)])
    )

    assert "is the beginning of 2 programs" in several.output
    assert f"`jitwatch programs list {folder}` lists them" in none.output
    assert "There are no programs in" in empty.output
    assert {result.exit_code for result in (several, none, empty)} == {1}


@pytest.mark.faults
def test_what_cannot_be_kept_does_not_stop_the_program(folder: Path) -> None:
    folder.rmdir()
    keep: Any = recorder().programs.keep
    faults = jitwatch.snapshot().faults

    assert jax.jit(step_of(0.3))(X, W) == pytest.approx(5.97, 0.1)
    assert (
        keep.__self__.error == f"A program cannot be written to {folder}: No such file or directory. No more are kept."
    )
    assert jitwatch.snapshot().faults == faults


@pytest.mark.slow
def test_run_keeps_the_programs_of_its_children_too(tmp_path: Path) -> None:
    child = "import jax; jax.jit(lambda x: x * 3)(1.0)"
    parent = (
        f"import subprocess, sys, jax; jax.jit(lambda x: x * 2)(1.0); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    command = [sys.executable, "-m", "jitwatch", "run", "--quiet", "--programs", "kept", "-c", parent]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)

    assert len([line for line in invoke("list", str(tmp_path / "kept")).splitlines() if "lambda" in line]) == 2
