"""Says on standard error which call compiles for long, while it does.

A thread of its own looks after the outermost call of each thread, from its miss until its program is compiled. It
writes only where a stage is known to run: a miss that finds its program compiled executes it right away.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from jitwatch import _config, _faults, _state
from jitwatch._words.safe_text import clean, short_place

if TYPE_CHECKING:
    from jitwatch._capture.events.frames import Frame

DEFAULT_S = 10.0
"""Where standard error is a terminal."""
_MAX_KEY = 80


class _UnderWay:
    """A call that JAX has in hand."""

    __slots__ = ("due_s", "frame", "key", "start_s", "written")

    def __init__(self, frame: Frame, key: Any, after_s: float) -> None:
        self.frame, self.key = frame, key
        self.start_s = monotonic()
        self.due_s = self.start_s + after_s
        self.written = False
        """Whether a line was written of it, so that its end gets one too."""


class Announcer:
    """The calls that are under way on all threads, and the thread that looks after them."""

    def __init__(self, after_s: float = 0.0) -> None:
        self.after_s = after_s
        """When a call gets its first line; the next ones follow after twice, four times as long. Never, if 0."""
        self.begin_in_child()

    def begin_in_child(self) -> None:
        """After a fork: the thread, and what it looked after, are the parent's."""
        self._calls: dict[int, _UnderWay] = {}
        self._lock = _state.Lock()
        self._condition = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._wakes_s = math.inf
        """When the thread will look again."""

    def began(self, frame: Frame) -> None:
        """A call missed; it was pushed on its thread's stack."""
        if not self.after_s:
            return
        thread = threading.get_ident()
        outer = self._calls.get(thread)
        if outer is not None and outer.frame in frame.stack:
            return
        with self._lock:
            under_way = _UnderWay(frame, frame.cache_key(), self.after_s)
            self._calls[thread] = under_way
            if self._thread is None:
                self._start()
            elif under_way.due_s < self._wakes_s:  # not for each call: that would cost more than the rest
                self._wakes_s = under_way.due_s
                self._condition.notify()

    def ended(self, frame: Frame, error: BaseException | None = None) -> None:
        """Its program is compiled, or the call came to its end; a second time without effect."""
        if not self._calls:
            return
        with self._lock:
            call = self._calls.get(threading.get_ident())
            if call is None or call.frame is not frame:
                return
            del self._calls[threading.get_ident()]
        if call.written:
            _write(f"jitwatch: {_end_text(frame, error)} {_seconds_text(monotonic() - call.start_s)}")

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="jitwatch progress", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no new thread once the interpreter ends
            self.after_s = 0.0

    def _run(self) -> None:
        while True:
            self._wait()
            self._announce_due()

    def _wait(self) -> None:
        """Sleep until a call may be due."""
        with self._lock:
            self._wakes_s = min((call.due_s for call in self._calls.values()), default=math.inf)
            rest_s = self._wakes_s - monotonic()
            self._condition.wait(None if rest_s == math.inf else min(max(rest_s, 0.0), threading.TIMEOUT_MAX))

    def _announce_due(self) -> None:
        with self._lock:
            now_s = monotonic()
            due = [call for call in self._calls.values() if call.due_s <= now_s]
        for call in due:
            try:
                self._announce(call)
            except Exception as error:
                _faults.record("announcing a long compile", error)

    def _announce(self, call: _UnderWay) -> None:
        if not call.frame.is_under_way():  # an interrupt ended it, or it is ending
            call.due_s = math.inf
            return
        stage = call.frame.running_stage()
        now_s = monotonic()
        elapsed_s = now_s - call.start_s
        call.due_s = now_s + (self.after_s if stage is None else elapsed_s)
        if stage is None:
            return
        line = f"jitwatch: {stage} {_call_text(call)}, {_seconds_text(elapsed_s)} so far …"
        with self._lock:
            if call not in self._calls.values():
                return
            call.written = True
        _write(line)


def _call_text(call: _UnderWay) -> str:
    from jitwatch._words.key_text import key_line

    record = call.frame.function
    assert record is not None
    key = "" if call.key is None else f" ({key_line(call.key, _MAX_KEY)})"
    place = f" at {short_place(record.defined_at)}" if record.defined_at else ""
    return f"{clean(record.name, 80)}{key}{place}"


def _end_text(frame: Frame, error: BaseException | None) -> str:
    assert frame.function is not None
    name = clean(frame.function.name, 80)
    if error is not None:
        return f"{name} raised {clean(type(error).__name__, 80)} after"
    own = frame.own
    did = {"compiled": own.compiles, "loaded": own.loads, "reused": own.reused}
    return f"{next((what for what, count in did.items() if count), 'traced')} {name} in"


def _seconds_text(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _write(line: str) -> None:
    """Write a line to standard error as far as that takes it."""
    try:
        stream: Any = sys.stderr
        standard: Any = sys.__stderr__
        if stream is standard:
            # Past its buffer: a thread that held that one's lock at the interpreter's end would make it abort.
            os.write(stream.fileno(), f"{line}\n".encode(stream.encoding, "backslashreplace"))
        else:
            stream.write(f"{line}\n")
            stream.flush()
    except Exception:  # none, closed, or of the program's own making
        pass


def announcer() -> Announcer:
    """The announcer of the state in force."""
    return _state.part(Announcer)


def decide() -> None:
    """Take up the option `progress_s`.

    Raises:
        JitwatchError: It is not valid.
    """
    after_s = _config.option("progress_s")
    announcer().after_s = (DEFAULT_S if _is_terminal(sys.stderr) else 0.0) if after_s is None else after_s


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:  # none, closed, or of the program's own making
        return False
