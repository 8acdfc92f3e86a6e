"""`jitwatch run --live`: the last rows of the terminal show what recompiles, and the program's output passes above."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitwatch
from jitwatch._report.live_line import panel_rows
from jitwatch._state import State

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rows of a terminal are kept on POSIX only")
OURS = re.compile(r"\x1b7.*?\x1b8|(?:\x1bD)+|\x1b\[\d+A", re.DOTALL)
MOST_S = 60.0


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Callable[[str], str]]]:
    """A terminal of 24 rows: the stream that writes to it, and what returns all that came until a text is there."""
    import fcntl
    import pty
    import struct
    import termios

    monkeypatch.setenv("TERM", "xterm")
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 300, 0, 0))
    seen = ""

    def read_until(text: str) -> str:
        nonlocal seen
        until_s = time.monotonic() + MOST_S
        while text not in seen:
            left_s = until_s - time.monotonic()
            assert left_s > 0 and select.select([here], [], [], left_s)[0], f"{text!r} did not come: {seen!r}"
            seen += os.read(here, 1 << 16).decode()
        return seen

    with open(there, "w") as stream:
        yield stream, read_until
    os.close(here)


def test_recompilations_stand_below_what_the_program_prints(
    terminal: tuple[Any, Callable[[str], str]], state: State
) -> None:
    from jitwatch._run.live_panel import Panel, can_show

    stream, read_until = terminal
    panel = Panel(stream)
    panel.begin()
    step = jitwatch.watched_jit(lambda x: x + 1, warn_compiles=1000)

    print("before", file=stream, end="", flush=True)
    step(np.ones(1))
    read_until("1 program, 0 recompiles")
    step(np.ones(2))
    read_until("f32[1] → f32[2]")
    print(", after", file=stream, flush=True)
    panel.end()
    print("the end", file=stream, flush=True)
    shown = read_until("the end")

    assert can_show(stream)
    assert "\x1b7\x1b[1;18r\x1b8" in shown and "\x1b[19;1H\x1b[2K" in shown  # the last six rows of 24
    assert "compiled again at" in shown and "2 programs, 1 recompile" in shown
    assert OURS.sub("", shown).replace("\r", "").startswith("before, after\nthe end")
    assert shown.rindex("\x1b[r") > shown.rindex("compiled again")


def test_only_a_terminal_shows_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, terminal: tuple[Any, Any]) -> None:
    from jitwatch._run.live_panel import can_show

    with open(tmp_path / "log", "w") as file:
        assert not can_show(file)
    assert not can_show(None)
    monkeypatch.setenv("TERM", "dumb")
    assert not can_show(terminal[0])


@pytest.mark.parametrize("columns", [30, 80])
def test_rows_are_as_many_as_wanted_and_none_is_too_wide(columns: int) -> None:
    sums = {"wall_s": 60.0, "spent_s": 12.0, "programs": 5, "recompiles": 3, "color": False}
    rows = panel_rows([f"step{n} compiled again at train.py:7, 1 s" + " x" * 40 for n in range(9)], 4, columns, **sums)

    assert len(rows) == 4 and all(len(row) <= columns for row in rows)
    assert rows[0].startswith("jitwatch, 1 min 0 s: 12.0 s"[:29]) and [row[:5] for row in rows[1:]] == [
        "step6",
        "step7",
        "step8",
    ]
    assert panel_rows([], 3, columns, **sums)[1:] == ["", ""]
