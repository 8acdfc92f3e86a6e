"""Everything that a watched process keeps, in one object: each room has its part there, made when it is first used.

Parts are found by their class, so that this module knows none of them. `use` puts another state in place, for tests.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Lock:
    """A reentrant lock that is free in a process that was forked, whoever held it in the parent.

    Of the threads that hold locks, a fork takes along the forking one alone.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # it was taken before the fork that made a new one
            pass

    def begin_in_child(self) -> None:
        """After a fork."""
        self._lock = threading.RLock()


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


class State:
    """The parts of one watch, by class.

    A part may have `reset()`, for when counts begin anew, and `begin_in_child()`, for after a fork.
    """

    def __init__(self) -> None:
        self._parts: dict[type, Any] = {}

    def part(self, kind: type[T]) -> T:
        """The part of this class."""
        found: T | None = self._parts.get(kind)
        return self._parts.setdefault(kind, kind()) if found is None else found

    def put(self, part: Any) -> None:
        """Take this part for its class."""
        self._parts[type(part)] = part

    def reset(self) -> None:
        """Begin anew what counts, and what was said."""
        self._call("reset")

    def begin_in_child(self) -> None:
        """After a fork: leave to the parent what is the parent's."""
        self._call("begin_in_child")

    def _call(self, method: str) -> None:
        for part in tuple(self._parts.values()):
            getattr(part, method, _nothing)()


def _nothing() -> None:
    pass


_current = State()


def current() -> State:
    """The state in force."""
    return _current


def part(kind: type[T]) -> T:
    """The part of this class of the state in force."""
    return _current.part(kind)


@contextmanager
def use(state: State) -> Iterator[State]:
    """Put another state in force, on all threads, while the block runs."""
    global _current
    before, _current = _current, state
    try:
        yield state
    finally:
        _current = before


def _after_fork() -> None:
    for lock in tuple(_locks):
        lock.begin_in_child()
    _current.begin_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
