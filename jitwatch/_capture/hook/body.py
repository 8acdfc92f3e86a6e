"""The Python body that JAX traces, with a count of its executions around the user's function."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any

from jitwatch import _faults, _state
from jitwatch._capture import jax_internals
from jitwatch._capture.events import stages
from jitwatch._capture.events.frames import Frame, TracedBody, push, thread_state
from jitwatch._capture.functions.brought import captured_by
from jitwatch._model import Captured


class Body(TracedBody):
    """Stands for a function towards JAX: same name, signature, source, equality and hash, and it counts traces.

    It holds the function weakly, as JAX's caches do; whoever holds a Body for calling holds the function too. Two
    watched jits of one function get the same Body, so that they share JAX's caches as two plain ones do.
    """

    def __init__(self, fun: Callable[..., Any], name: str) -> None:
        self._fun = weakref.ref(fun)
        self._records: list[weakref.ref[Any]] = []
        self._captured: tuple[Captured, ...] | None = None
        self.program = jax_internals.program_name(fun, name)
        """The name of the traced program, which JAX before 0.9 does not look for inside a partial."""
        for attribute in ("__name__", "__module__", "__qualname__", "__doc__"):
            if hasattr(fun, attribute):
                setattr(self, attribute, getattr(fun, attribute))
        if self.program == name:
            self.__name__ = name

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return _innermost(self.function())

    @property
    def __signature__(self) -> inspect.Signature:
        try:
            return inspect.signature(self.function())
        except ValueError:
            raise AttributeError("__signature__") from None

    def function(self) -> Callable[..., Any]:
        """The user's function."""
        fun = self._fun()
        if fun is None:
            raise ReferenceError(f"the jitted function {self.program} no longer exists")
        return fun

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        function = self.function()
        if not _faults.contain("the begin of a trace", _is_tracing, default=False):
            return function(*args, **kwargs)
        frame = Frame("body", None, self)
        stack = thread_state().stack
        depth = len(stack)
        start = perf_counter()
        try:
            push(frame)
            stages.before_trace(self)
            _faults.contain("what a function brings along", self._note_captured, function, default=None)
            return function(*args, **kwargs)
        finally:
            del stack[depth:]
            if not frame.stopped:
                seconds = perf_counter() - start
                _faults.contain("the end of a trace", stages.body_ran, self, seconds, default=None)

    def __repr__(self) -> str:
        return repr(self._fun())

    def add_record(self, record: Any) -> None:
        """Remember a function record whose jit traces this body."""
        record.captured = self._captured
        if all(known() is not record for known in self._records):
            self._records.append(weakref.ref(record))

    def any_record(self) -> Any:
        """One of the records whose jit traces this body, for a trace that no call of theirs explains."""
        return next((record for known in self._records if (record := known()) is not None), None)

    def _note_captured(self, function: Callable[..., Any]) -> None:
        """What the function brings along, as it is at its first trace: that is what goes into programs."""
        if self._captured is None:
            self._captured = captured_by(function)
            for known in tuple(self._records):
                record = known()
                if record is not None:
                    record.captured = self._captured


class ComparedBody(Body):
    """Of a function that says itself what it is equal to, such as a bound method.

    All others have one Body each, so that this is compared in C, as the function is: JAX asks in the middle of its
    caches, and takes a Ctrl-C that comes within Python's code there for an error of the comparison.
    """

    def __init__(self, fun: Callable[..., Any], name: str) -> None:
        super().__init__(fun, name)
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Body) and self._fun() is not None and bool(self._fun() == other._fun())

    def __hash__(self) -> int:
        if self._hash is None:  # only when JAX asks, so that what is not hashable fails where it does without jitwatch
            self._hash = hash(self.function())
        return self._hash


def _is_compared_by_identity(fun: Any) -> bool:
    kind: Any = type(fun)
    return kind.__eq__ is object.__eq__ and kind.__hash__ is object.__hash__


def _is_tracing() -> bool:
    """Not so where `debug_nans` looks for the operation that made the NaN."""
    return not jax_internals.trace_state_clean()


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside partials; JAX looks for the source line of a partial there."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


class _Bodies:
    """The Body of each function, by the function's address."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[weakref.ref[Any], Body]] = {}

    def of(self, fun: Callable[..., Any], name: str) -> Body:
        """The Body of a function."""
        place = id(fun)
        known = self.known.get(place)
        if known is not None and known[0]() is fun:
            return known[1]
        kind = Body if _is_compared_by_identity(fun) else ComparedBody
        made = weakref.ref(fun, functools.partial(self.known.pop, place)), kind(fun, name)
        known = self.known.setdefault(place, made)  # another thread may have been first
        if known[0]() is not fun:  # of what was at this address before
            known = self.known[place] = made
        return known[1]


def body_of(fun: Callable[..., Any], name: str) -> Body:
    """The one Body of a function, by identity, for as long as the function exists."""
    return _state.part(_Bodies).of(fun, name)
