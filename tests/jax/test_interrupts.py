"""A Ctrl-C at any moment leaves nothing behind: no frame on a thread, no lock taken, and later calls are counted right."""

from __future__ import annotations

import linecache
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import jax
import numpy as np
import pytest

import jitwatch
from jitwatch import _state, watched_jit
from jitwatch._capture.events.frames import thread_state
from jitwatch._capture.events.reuse import reuse
from jitwatch._capture.hook.registry import log_switch
from jitwatch._errors import is_interrupt
from jitwatch._policy.bans import bans
from jitwatch._record import user_context
from jitwatch._state import State

PACKAGE = os.path.dirname(jitwatch.__file__)
ALLOWED = ("del stack[depth:]", "finally:")
"""At which a trace function may raise, and no signal's handler can: they end what was begun, in one step.

So does the end of a `with lock` block, at which Python comes back to its first line.
"""

LOST_BY_PYTHON = ("gone",)
"""Callbacks of weak references, in which Python reports an exception and goes on."""


class Interrupting:
    """Raises, as the handler of a Ctrl-C does, before the n-th line of jitwatch's own code that runs."""

    def __init__(self, at: int, skip: Callable[[FrameType], bool]) -> None:
        self.at, self.seen, self.place, self._skip = at, 0, "", skip

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not self._skip(frame):
            self.seen += 1
            if self.seen == self.at:
                self.place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self


def cannot_be_interrupted(frame: FrameType) -> bool:
    """Whether a line is one of those steps, or part of how one block after another is ended."""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return (
        line.startswith(ALLOWED)
        or (line.startswith("with ") and "lock" in line)
        or ".pop(" in line
        or line.startswith("_sources.set(before)")
    )


@contextmanager
def interrupting(at: int) -> Iterator[Interrupting]:
    made = Interrupting(at, cannot_be_interrupted)
    before = sys.gettrace()
    sys.settrace(made)
    try:
        yield made
    finally:
        sys.settrace(before)


def miss(f: Any, x: Any) -> None:
    f(x)


def ahead(f: Any, x: Any) -> None:
    f.lower(x)


def with_blocks(f: Any, x: Any) -> None:
    with jitwatch.context(step=1), jitwatch.recording(), jitwatch.call_log(lambda line: None):
        f(x)


def forbidden(f: Any, x: Any) -> None:
    with suppress(jitwatch.RecompilationError), jitwatch.no_compiles():
        f(x)


def watched(f: Any, x: Any) -> None:
    with jitwatch.watching():
        jax.jit(lambda y: y + 1)(x)


def reused(f: Any, x: Any) -> None:
    with jitwatch.reusing():
        jitwatch.watched_jit(lambda y: y + 2)(x)
        jitwatch.watched_jit(lambda y: y + 2)(x)


@pytest.mark.parametrize("work", [miss, ahead, with_blocks, forbidden, watched, reused])
def test_interrupt_before_any_line_leaves_nothing_behind(work: Any, state: State) -> None:
    plain = jax.jit
    f = watched_jit(lambda x: x + 1, warn_compiles=10**9)
    f(np.ones(1))
    with interrupting(0) as counted:
        work(f, np.ones(2))
    points = range(1, counted.seen + 1, max(1, counted.seen // 60))

    for number, at in enumerate(points):
        with suppress(KeyboardInterrupt), interrupting(at) as one:
            work(f, np.ones(3 + number))
        assert thread_state().stack == [], one.place
        assert not log_switch().open and not bans().known and jax.jit is plain, one.place
        assert user_context.current() == (), one.place
        assert others_may_lock(), one.place
        assert not reuse().wanted and not reuse()._under_way, one.place

    assert counts_one_miss_and_one_hit(f)


def others_may_lock() -> bool:
    """Whether every lock of jitwatch's can be taken by another thread."""
    free: list[bool] = []

    def take() -> None:
        for lock in _state._all_locks():
            taken = lock.acquire(timeout=5)
            free.append(taken)
            if taken:
                lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return all(free)


def test_real_signals_within_jitwatch_leave_nothing_behind(state: State) -> None:
    """JAX itself can break when a signal comes in the middle of its own steps, so only those within jitwatch raise."""
    f = watched_jit(lambda x: x + 1, warn_compiles=10**9)
    f(np.ones(1))
    moments, interrupted = random.Random(1), 0

    def handler(_: int, frame: FrameType | None) -> None:
        within = frame is not None and frame.f_code.co_filename.startswith(PACKAGE)
        if frame is not None and within and frame.f_code.co_name not in LOST_BY_PYTHON:
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, 1e-4)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for number in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, 2e-3))
                with jitwatch.recording(), jitwatch.context(number=number):
                    f(np.ones(2 + number % 10))
            except KeyboardInterrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert thread_state().stack == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert interrupted
    assert others_may_lock()
    assert counts_one_miss_and_one_hit(f)


def counts_one_miss_and_one_hit(f: Any) -> bool:
    """Whether two calls with a new key are counted as what they are."""
    before = f.cache_info()
    f(np.ones(1000))
    f(np.ones(1000))
    after = f.cache_info()
    grown = [now - then for now, then in zip(after, before, strict=True)]
    return grown[:3] == [1, 1, 1] and after.compiles - before.compiles == 1


class TimedOut(Exception):
    """What a program's own handler raises."""


def test_what_a_handler_raises_within_jitwatch_reaches_the_program(state: State) -> None:
    def handler(*_: Any) -> None:
        raise TimedOut

    class Slow:
        def __repr__(self) -> str:
            signal.raise_signal(signal.SIGALRM)
            return "slow"

    before = signal.signal(signal.SIGALRM, handler)
    try:
        f = watched_jit(lambda x, o: x, static_argnames="o")
        with pytest.raises(TimedOut):
            f(1.0, o=Slow())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert thread_state().stack == []


def test_a_raise_is_told_from_a_signal() -> None:
    def raises(error: BaseException) -> BaseException:
        try:
            raise error
        except BaseException as caught:
            return caught

    def is_signalled() -> bool:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as caught:
            return is_interrupt(caught)
        return False

    assert not is_interrupt(raises(KeyboardInterrupt()))
    assert not is_interrupt(raises(SystemExit(1)))
    assert is_signalled()
