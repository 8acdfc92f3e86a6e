"""Everything that a watched process keeps, in one object: each room has its part there, made when it is first used.

Parts are found by their class, so that this module knows none of them. `use` puts another state in place, for tests.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, TypeVar

T = TypeVar("T")


_RLock: Any = type(threading.RLock())


class Lock(_RLock):  # type: ignore[misc]
    """A reentrant lock that is free in a process that was forked, whoever held it in the parent.

    Of the threads that hold locks, a fork takes along the forking one alone. `with` takes it and frees it in C, in one
    step: a Ctrl-C cannot come between the lock and the block, as it could within methods written in Python.
    """

    awaited_by_fork = False
    """Whether a fork waits until no other thread is at what the lock guards, so that it is whole in the child."""

    def __init__(self) -> None:
        _locks[id(self)] = weakref.ref(self, functools.partial(_locks.pop, id(self)))

    def begin_in_child(self) -> None:
        """After a fork."""
        if not self._is_owned():  # as the standard library does with its own locks
            self._at_fork_reinit()


class AwaitedLock(Lock):
    """Guards what belongs together, such as counts: a fork waits until it is free, so that this is whole in the child.

    Held for short steps only, in which nothing of the user's runs.
    """

    awaited_by_fork = True


_locks: dict[int, weakref.ref[Lock]] = {}
"""By address. `dict.pop(address, gone)` is the callback of each: in C, as Python loses a Ctrl-C that comes in one."""


def _all_locks() -> list[Lock]:
    return [lock for reference in _locks.copy().values() if (lock := reference()) is not None]


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
    found: T | None = _current._parts.get(kind)  # here too, as this runs some twenty times in each miss
    return _current.part(kind) if found is None else found


@contextmanager
def use(state: State) -> Iterator[State]:
    """Put another state in force, on all threads, while the block runs."""
    global _current
    before, _current = _current, state
    try:
        yield state
    finally:
        _current = before


class _Held(threading.local):
    """The locks that a thread took for a fork."""

    def __init__(self) -> None:
        self.locks: list[Lock] = []


_held = _Held()
IMPORTED_LATE = ("jitwatch", "rich", "tomlkit")
"""Packages of which jitwatch imports modules when it first uses them."""
MAX_WAIT_S = 5.0
"""For one lock before a fork: longer than any of jitwatch's steps; a thread that hangs must not hang the program."""


def _before_fork() -> None:
    """Take the locks that a fork waits for, at a moment at which no other thread imports what jitwatch needs.

    Many modules are imported when they are first used. One that another thread is importing can never be imported in
    the child: Python's lock on it stays taken there.
    """
    until_s = monotonic() + MAX_WAIT_S
    _take()
    while _is_importing() and not _is_within_an_import() and monotonic() < until_s:
        _release()  # what is imported may need them
        sleep(0.001)
        _take()


def _take() -> None:
    for lock in _all_locks():
        if lock.awaited_by_fork:
            _held.locks.append(lock)
            if not lock.acquire(timeout=MAX_WAIT_S):
                _held.locks.pop()


def _release() -> None:
    while _held.locks:
        lock = _held.locks.pop()
        if lock._is_owned():  # not so if a Ctrl-C came before it was taken
            lock.release()


def _is_importing() -> bool:
    """Whether another thread holds Python's lock on such a module; False where Python does not let it be told."""
    here = threading.get_ident()
    locks: dict[str, Any] = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {})
    held = (reference() for name, reference in locks.copy().items() if name.startswith(IMPORTED_LATE))
    return any(getattr(lock, "owner", None) not in (None, here) for lock in held)


def _is_within_an_import() -> bool:
    """Whether this thread itself imports something, so that waiting for the end of that would be in vain."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _after_fork() -> None:
    _release()
    for lock in _all_locks():
        lock.begin_in_child()
    _current.begin_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_release, after_in_child=_after_fork)
