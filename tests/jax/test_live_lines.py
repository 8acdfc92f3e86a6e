"""What is said of each program while a program runs: `jitwatch run --warn`, and `jitwatch tail` on its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import jitwatch
from jitwatch import _store
from jitwatch._cli import tailing
from jitwatch._cli.main import main
from jitwatch._run import recompile_lines
from jitwatch._state import State

PROGRAM = """
import jax, numpy as np

@jax.jit
def step(x):
    return x * 2

for n in (1, 2, 2, 3):
    step(np.ones(n))
"""


@pytest.fixture(params=["--warn", "--live"])
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """What `jitwatch run` said of a program in the current folder; without a terminal, `--live` is `--warn`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITWATCH_FILE", raising=False)
    (tmp_path / "program.py").write_text(PROGRAM)
    return subprocess.run(
        [sys.executable, "-m", "jitwatch", "run", "--quiet", request.param, "program.py"],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    ).stderr  # fmt: skip


def test_each_recompilation_is_said_when_it_happens_and_by_tail(ran: str) -> None:
    followed = CliRunner().invoke(main, ["tail"])
    again = "step (program.py:4) compiled again at program.py:9, "

    assert [line.partition(" ms: ")[2] for line in ran.splitlines()] == [
        "x: f32[1] → f32[2] (axis 0: 1 → 2)", "x: f32[2] → f32[3] (axis 0: 2 → 3)",
    ]  # fmt: skip
    assert all(line.startswith(f"jitwatch: {again}") for line in ran.splitlines())
    first, *others, last = followed.stdout.splitlines()
    assert first.startswith("step (program.py:4) compiled at program.py:9, ") and ": x" not in first
    assert [f"jitwatch: {line}" for line in others] == ran.splitlines()
    assert (last, followed.exit_code) == ("The program has ended.", 0)


@pytest.mark.parametrize("ran", ["--warn"], indirect=True)
def test_tail_goes_on_while_the_program_runs(ran: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, beginning = _file_and_beginning(tmp_path / ".jitwatch", pid=os.getpid())
    (tmp_path / "growing").write_bytes(beginning)
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        (tmp_path / "growing").write_bytes(whole)

    monkeypatch.setattr(tailing.time, "sleep", pause)
    result = CliRunner().invoke(main, ["tail", "growing"])

    assert len(paused) == 1 and paused[0] >= 1
    assert len(result.stdout.splitlines()) == len(set(result.stdout.splitlines())) == 4
    assert _store.load("growing").snapshot.misses


@pytest.mark.parametrize("ran", ["--warn"], indirect=True)
def test_report_and_tail_say_whether_the_program_runs(ran: str, tmp_path: Path) -> None:
    growing, over = tmp_path / "growing", tmp_path / "over"
    growing.write_bytes(_file_and_beginning(tmp_path / ".jitwatch", pid=os.getpid())[1])
    over.write_bytes(_file_and_beginning(tmp_path / ".jitwatch")[1])

    reports = [CliRunner().invoke(main, ["report", path.name]) for path in (growing, over)]
    followed = CliRunner().invoke(main, ["tail", "over"])

    assert "growing: the process still runs: hits after" in reports[0].stderr and "step" in reports[0].stdout
    assert "over: the process was killed or could not write its end: hits after" in reports[1].stderr
    assert followed.stdout.endswith("The program has ended; it was killed, or could not write to the end.\n")


def _file_and_beginning(path: Path, pid: int = 0) -> tuple[bytes, bytes]:
    """A data file, and what it was after its first misses; of this process in place of its own, if one is given."""
    process = _store.load(path).processes[0]
    own, given = (f'"pid":{number},'.encode() for number in (process.pid, pid or process.pid))
    lines = path.read_bytes().replace(own, given, 1).splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"line":"miss"' in line and b'"number":1,' in line)
    return b"".join(lines), b"".join(lines[: at + 1])


def test_a_flood_is_cut_and_counted(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recompile_lines, "MAX_LINES", 3)
    clock = iter([0.0] * 6 + [99.0])
    said: list[Any] = []
    recompile_lines.RecompileLines(said.append, clock=clock.__next__).begin()
    flooding = jitwatch.watched_jit(lambda x: x + 1, warn_compiles=1000)

    for n in range(8):
        flooding(np.ones(n))

    assert len(said) == 4
    assert said[-1].endswith("(3 others before it not said)")
