"""What is under way on each thread: a stack of frames, pushed around misses, uses ahead of time and traced bodies."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from jitwatch import _state
from jitwatch._model import Alert, CacheKey
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.tallies import Tally


class TracedBody:
    """What JAX traces in a function's place, so that its runs can be told from those of a function not watched."""

    program: str

    def any_record(self) -> FunctionRecord | None:
        """One of the records whose jit traces this body, for a trace that no call of theirs explains."""
        raise NotImplementedError


class Frame:
    """One watched thing that is under way on a thread."""

    def __init__(self, kind: str, function: FunctionRecord | None, body: TracedBody | None = None) -> None:
        self.kind = kind
        """`call`, `nested`, `aot`, `body` (the traced Python body runs) or `inspect` (a look inside)."""
        self.function = function
        self.body = body
        self.own, self.helpers = Tally(), Tally()
        self.program = ""
        """The id of what was compiled or loaded for the function itself."""
        self.outermost = True
        """Whether no traced body encloses this frame on its thread."""
        self.key_error: BaseException | None = None
        self.call: Any = None
        """The key of a call, as `key_maker.Call`; None where it cannot be told."""
        self.key: Any = None
        """The record of the key, at the end of a call."""
        self.alerts: list[Alert] = []
        """What the call gave rise to, to be said when all is counted."""
        self.stopped = False
        """Whether jitwatch itself ended the call with an exception."""
        self.stack: list[Frame] = []
        """The frames of its thread, once it is among them."""

    def is_under_way(self) -> bool:
        """Whether it was pushed, and neither popped nor left behind."""
        return self in self.stack

    def cache_key(self) -> CacheKey | None:
        """The key of a call; None where it cannot be told."""
        return None if self.call is None else self.call.key

    def running_stage(self) -> str | None:
        """What JAX is at for a call; None where it may be executing the program, or is not known to be in a stage."""
        own = self.own
        if own.programs():
            return None
        if any(other.kind == "body" and other.body is self.body for other in tuple(self.stack)):
            return "tracing"
        if own.lowerings:
            return "compiling"
        return "lowering" if own.traces and self.kind == "call" else None


class Compiling(NamedTuple):
    """A program that is about to be compiled: its name, and the watched function and key that it is for."""

    name: str
    function: FunctionRecord | None
    key: CacheKey | None


class ThreadState(threading.local):
    """What is known of one thread."""

    def __init__(self) -> None:
        self.stack: list[Frame] = []
        self.persistent_hit = False
        self.traced: dict[str, float] = {}
        self.transformed: dict[str, weakref.ref[FunctionRecord]] = {}
        self.lowered: dict[str, Tally] = {}
        self.declaring = False
        self.compiling: Compiling | None = None
        self.stopped_at_xla = False
        self.saved_s: float | None = None
        """Of a program that need not be compiled, the seconds that XLA took when it was."""


def thread_state() -> ThreadState:
    """The state of this thread."""
    return _state.part(ThreadState)


def push(frame: Frame) -> None:
    """Begin a frame on this thread.

    Whoever pushes notes the length of the stack before, and ends with `del stack[length:]` in a `finally`, in line: a
    Ctrl-C can come when a function is called or has returned, and not within that statement.
    """
    stack = thread_state().stack
    frame.outermost = not any(other.kind == "body" for other in stack)
    frame.stack = stack
    stack.append(frame)


def pop(frame: Frame) -> None:
    """End a frame, and whatever an exception left above it."""
    stack = frame.stack
    if frame in stack:
        del stack[stack.index(frame) :]


@contextmanager
def declaring() -> Iterator[None]:
    """Calls of this thread in the block are declared ones, so their programs are no waste."""
    thread = thread_state()
    before = thread.declaring
    try:
        thread.declaring = True
        yield
    finally:
        thread.declaring = before
