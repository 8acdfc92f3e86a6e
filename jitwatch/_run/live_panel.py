"""The last rows of a terminal, kept for what compiles while a program runs above them.

The program's streams stay its own: the terminal is told to scroll its other rows only (DECSTBM), so that whatever is
written there, by C code and child processes too, passes above. A thread draws, after the first miss.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from jitwatch import _faults, _hub
from jitwatch._model import Miss
from jitwatch._record.sums import lost_s, program_count
from jitwatch._report.live_line import panel_rows
from jitwatch._run.recompile_lines import RecompileLines

_ROWS = 6
_LEAST_ROWS = 2
_SHARE = 3
"""At most one row in so many is taken."""
_PAUSE_S, _REDRAW_S = 0.25, 1.0
"""How soon a miss is shown, and how often the rest is drawn anew, whatever the program did to the rows."""
_SAVE, _RESTORE, _DOWN = "\x1b7", "\x1b8", "\x1bD"


def can_show(stream: Any) -> bool:
    """Whether a stream is a terminal of which rows can be kept."""
    try:
        return os.name == "posix" and bool(stream.isatty()) and os.environ.get("TERM", "dumb") != "dumb"
    except Exception:  # none, closed, or of the program's own making
        return False


class Panel:
    """The newest recompilations and the sums so far, and the thread that draws them."""

    def __init__(self, stream: Any, is_wanted: Callable[[Any], bool] = lambda function: True) -> None:
        """Show it on a stream, a terminal; recompilations of wanted functions only."""
        self._descriptor, self._encoding = stream.fileno(), stream.encoding or "utf-8"
        self._lines: deque[str] = deque(maxlen=_ROWS)
        self._recompiles = RecompileLines(self._lines.append, is_wanted)
        self._programs, self._spent_s = 0, 0.0
        self._began_s = monotonic()
        self._drawn_programs, self._drawn_s = -1, 0.0
        self._size = os.terminal_size((0, 0))
        self._taken = 0
        """Rows that are kept from the program."""
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def begin(self) -> None:
        """Draw from the first miss on."""
        self._recompiles.begin()
        _hub.subscribe(self._on_event)

    def end(self) -> None:
        """Give the rows back to the program."""
        self._stop.set()
        if self._thread is not None and os.getpid() == self._pid:
            self._thread.join(1.0)
            self._release()

    def _on_event(self, event: Any) -> None:
        if not isinstance(event, Miss) or os.getpid() != self._pid:
            return
        self._programs += program_count(event.stages)
        self._spent_s += lost_s(event.stages)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jitwatch live", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.wait(_PAUSE_S):
                now_s = monotonic()
                if self._programs != self._drawn_programs or now_s - self._drawn_s >= _REDRAW_S:
                    self._drawn_programs, self._drawn_s = self._programs, now_s
                    if self._in_foreground():
                        self._draw()
        except OSError:  # standard error is no terminal any longer
            pass
        except Exception as error:
            _faults.record("the live panel", error)

    def _in_foreground(self) -> bool:
        """Whether the terminal is this program's: one in the background must not write into what a shell does."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # not the terminal that controls this process
            return True

    def _draw(self) -> None:
        size = os.get_terminal_size(self._descriptor)
        if size != self._size:
            self._release()
            self._take(size)
        if not self._taken:
            return
        rows = panel_rows(
            tuple(self._lines.copy()), self._taken, size.columns,
            wall_s=monotonic() - self._began_s, spent_s=self._spent_s, programs=self._programs,
            recompiles=self._recompiles.count, color=not os.environ.get("NO_COLOR"),
        )  # fmt: skip
        first = size.lines - self._taken + 1
        drawn = "".join(f"\x1b[{first + at};1H\x1b[2K{row}" for at, row in enumerate(rows))
        self._write(f"{_SAVE}{drawn}{_RESTORE}")

    def _take(self, size: os.terminal_size) -> None:
        self._size = size
        rows = min(_ROWS, size.lines // _SHARE)
        if rows >= _LEAST_ROWS:
            self._taken = rows
            above = f"{_SAVE}\x1b[1;{size.lines - rows}r{_RESTORE}"
            self._write(f"{_DOWN * rows}{above}\x1b[{rows}A")  # the cursor's line first moves up, if it is one of them

    def _release(self) -> None:
        if self._taken:
            self._write(f"{_SAVE}\x1b[r\x1b[{self._size.lines - self._taken + 1};1H\x1b[J{_RESTORE}")
            self._taken = 0

    def _write(self, text: str) -> None:
        os.write(self._descriptor, text.encode(self._encoding, "replace"))
