"""Says each recompilation while the program runs, never in a flood."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from jitwatch import _hub, _state
from jitwatch._model import Miss
from jitwatch._policy.reasons import is_again, programs, reason
from jitwatch._record.recorder import recorder
from jitwatch._report.live_line import live_line

MAX_LINES, WINDOW_S = 20, 10.0
"""Lines within so many seconds; the next one says how many were left out."""


class RecompileLines:
    """A subscriber to misses; eager operations and first compilations are not said."""

    def __init__(
        self,
        write: Callable[[str], None],
        is_wanted: Callable[[Any], bool] = lambda function: True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Write a line for each, of wanted functions only."""
        self._write, self._is_wanted, self._clock = write, is_wanted, clock
        self._times: deque[float] = deque(maxlen=MAX_LINES)
        self._left_out = 0
        self.count = 0
        """Recompilations so far, said or not."""
        self._lock = _state.Lock()

    def begin(self) -> None:
        """Say what happens from now on."""
        _hub.subscribe(self._on_event)

    def _on_event(self, event: Any) -> None:
        if not isinstance(event, Miss) or not programs(event.stages) or event.kind in ("aot", "backward"):
            return
        record = recorder().find(event.function)
        if record is None or (recorder().is_other(record.id) and not record.defined_at):
            return
        known = event.key is not None and 0 < event.key <= len(record.numbered)
        key = record.numbered[event.key - 1].key if known and event.key else None
        if not is_again(record, key, event.stages) or not self._is_wanted(record):
            return
        self.count += 1
        if self._may_speak():
            changes = reason(record, key, done=event.stages).changes
            text = live_line(record.name, record.defined_at, event.call_site, event.stages, changes, again=True)
            self._write(f"{text}{self._others()}")

    def _may_speak(self) -> bool:
        now = self._clock()
        with self._lock:
            if len(self._times) == MAX_LINES and now - self._times[0] < WINDOW_S:
                self._left_out += 1
                return False
            self._times.append(now)
            return True

    def _others(self) -> str:
        with self._lock:
            count, self._left_out = self._left_out, 0
        return f" ({count:,} others before it not said)" if count else ""
