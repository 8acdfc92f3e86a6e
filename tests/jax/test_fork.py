"""A process that is forked at any moment works, whatever the other threads of its parent were at."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from fake_misses import add_function, add_hits, add_miss, sized_key
from jax._src import xla_bridge

import jitwatch
from jitwatch import _state
from jitwatch._capture import jax_internals
from jitwatch._capture.events.frames import Frame, TracedBody, pop, push
from jitwatch._capture.hook.registry import log_switch
from jitwatch._policy.bans import bans
from jitwatch._policy.progress import announcer
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder
from jitwatch._state import State
from jitwatch._store import Writer, find, load

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]
TIMEOUT_S = 60
CHILDREN = 15


@contextmanager
def busy(*works: Callable[[], Any]) -> Iterator[None]:
    """Threads that do one thing each, again and again, and change over as often as Python lets them."""
    stop, before = threading.Event(), sys.getswitchinterval()

    def repeat(work: Callable[[], Any]) -> None:
        while not stop.is_set():
            work()

    threads = [threading.Thread(target=repeat, args=(work,), daemon=True) for work in works]
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        yield
    finally:
        sys.setswitchinterval(before)
        stop.set()
        for thread in threads:
            thread.join()


def in_child(work: Callable[[], None]) -> None:
    """Run in a forked process, which has a minute for it."""
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(TIMEOUT_S, exit=True)
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def is_whole(function: FunctionRecord) -> bool:
    """Whether all that is counted of a miss is, or nothing of it."""
    stats, info = function.stats(), function.info()
    return (
        stats.misses == sum(key.misses for key in stats.keys) == info.misses == info.compiles
        and stats.hits == sum(key.hits for key in stats.keys) == info.hits
    )


def test_child_of_a_process_in_which_a_lock_of_jaxs_was_held_is_reported() -> None:
    def child() -> None:
        jitwatch.snapshot()
        jitwatch.report()

    with xla_bridge._backend_lock:
        in_child(child)


def test_child_compares_programs_without_the_threads_of_its_parent() -> None:
    @jitwatch.watched_jit
    def f(x):  # many functions in one module, which MLIR shares out among threads
        for power in range(40):
            x = jax.jit(lambda y, n=power: y * n + 1)(x)
        return x

    for size in (3, 4, 5):
        f(np.ones(size))

    def child() -> None:
        several = [program for program in jitwatch.snapshot().programs if program.steps]
        assert len(several) >= 3, several

    in_child(child)


def test_child_of_a_process_whose_threads_are_inside_jitwatch_works(state: State, tmp_path: Path) -> None:
    function = add_function()
    writer = Writer(tmp_path / ".jitwatch", interval_s=0.001)
    announcer().after_s = 0.0005

    def misses() -> None:
        add_hits(add_miss(function, sized_key(1 + time.monotonic_ns() % 20)), 1)

    def logs() -> None:
        with jitwatch.call_log(lambda line: None), jitwatch.no_compiles(), jitwatch.watching():
            pass

    def reports() -> None:
        with jitwatch.recording() as scope:
            jitwatch.report(scope.snapshot())

    def announces() -> None:
        frame = Frame("call", function, TracedBody())
        push(frame)
        announcer().began(frame)
        pop(frame)
        announcer().ended(frame)

    plain = jax.jit

    def child() -> None:
        assert is_whole(function)
        assert not log_switch().open and not bans().known and jax.jit is plain
        before = function.info()
        with jitwatch.recording() as scope:
            misses()
            announces()
            logs()
        assert function.info().misses == before.misses + 1
        assert scope.snapshot().functions[0].misses == 1
        jitwatch.report()
        writer.close()
        written = load(writer.path)
        assert [each.misses for each in written.snapshot.functions] == [1]
        assert all(lock.acquire(timeout=5) for lock in _state._all_locks())

    works = (misses, misses, logs, reports, announces)
    for work in works:  # most of what they import; pytest's own import of modules is not made for threads
        work()
    with busy(*works):
        for _ in range(CHILDREN):
            time.sleep(0.005)
            in_child(child)
    writer.close()

    whole = load(find([tmp_path / ".jitwatch"])[0])
    assert whole.problems == ()
    assert whole.snapshot.functions[0].misses == function.stats().misses


def test_a_fork_waits_until_a_count_is_whole(state: State) -> None:
    function = add_function()

    def misses() -> None:
        add_miss(function, sized_key(1))

    with busy(misses, misses, misses):
        for _ in range(CHILDREN):
            in_child(lambda: _assert(is_whole(function)))


def _assert(condition: bool) -> None:
    assert condition


def test_blocks_of_the_forking_thread_go_on_in_the_child(state: State) -> None:
    with jitwatch.call_log(lambda line: None), jitwatch.no_compiles(), ExitStack() as ends:
        ends.enter_context(jitwatch.watching())

        def child() -> None:
            assert log_switch().open and bans().known and jax.jit is not jax_internals.plain_jit

        in_child(child)


def test_freeze_goes_on_in_the_child(state: State) -> None:
    jitwatch.freeze()

    in_child(lambda: _assert(bool(bans().known)))


def test_a_lock_that_the_forking_thread_holds_is_its_own_in_the_child(state: State) -> None:
    lock = _state.Lock()

    def child() -> None:
        taken: list[bool] = []
        thread = threading.Thread(target=lambda: taken.append(lock.acquire(blocking=False)))
        thread.start()
        thread.join()
        assert taken == [False]

    with lock:
        in_child(child)


def test_a_thread_that_never_lets_go_does_not_hang_a_fork(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_state, "MAX_WAIT_S", 0.1)
    ledger, held, done = recorder(), threading.Event(), threading.Event()

    def hold() -> None:
        with ledger.lock:
            held.set()
            done.wait(TIMEOUT_S)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(TIMEOUT_S)
    try:
        in_child(lambda: _assert(ledger.lock.acquire(timeout=5)))
    finally:
        done.set()
        thread.join()
    with ledger.lock:
        pass
