"""Everything at once, on eight threads: nothing hangs, and the totals are exact at the end.

A few seconds in the suite; `JITWATCH_STRESS_S=30` asks for longer.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._state import State
from jitwatch._store import Writer, find, load

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]
SECONDS = float(os.environ.get("JITWATCH_STRESS_S", "4"))
HANGS_S = SECONDS + 300
SIZES = 24


class Work:
    """What the threads do, with a count of the calls that came through and of those that were stopped."""

    def __init__(self) -> None:
        self.counted = [watched_jit(lambda x, number=number: x + number, warn_compiles=10**9) for number in range(4)]
        self.frozen = watched_jit(lambda x: x * 2, warn_compiles=10**9)
        self.calls: list[Counter[str]] = []
        self.children: list[int] = []

    def call(self, count: Counter[str], dice: random.Random) -> None:
        """Calls whose counts are known: no other work resets or forbids them."""
        for _ in range(20):
            number = dice.randrange(4)
            self.counted[number](np.ones(dice.randrange(1, SIZES)))
            count[f"calls {number}"] += 1

    def jit(self, count: Counter[str], dice: random.Random) -> None:
        made = watched_jit(lambda x: x - 1, warn_compiles=10**9)
        made(np.ones(3))
        made(np.ones(3))
        assert made.cache_info()[:2] == (1, 1)

    def log(self, count: Counter[str], dice: random.Random) -> None:
        with jitwatch.call_log(lambda line: None):
            self.call(count, dice)

    def record(self, count: Counter[str], dice: random.Random) -> None:
        with jitwatch.recording() as scope, jitwatch.context(step=dice.random()):
            self.call(count, dice)
        assert all(function.misses >= 0 and function.hits >= 0 for function in scope.snapshot().functions)

    def report(self, count: Counter[str], dice: random.Random) -> None:
        jitwatch.report(width=80)
        for function in self.counted:
            function.cache_info()

    def freeze(self, count: Counter[str], dice: random.Random) -> None:
        jitwatch.freeze(self.frozen)
        try:
            self.frozen(np.ones(dice.randrange(1, 10_000)))
        except jitwatch.RecompilationError:
            count["stopped"] += 1
        finally:
            jitwatch.unfreeze()

    def collect(self, count: Counter[str], dice: random.Random) -> None:
        gc.collect()
        time.sleep(0.01)

    def fork(self, count: Counter[str], dice: random.Random) -> None:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(120)
            try:
                self.counted[0].cache_info()
                jitwatch.snapshot()
                jitwatch.reset()
                with jitwatch.recording(), jitwatch.watching(), jitwatch.no_compiles():
                    pass
            except BaseException:
                os._exit(1)
            os._exit(0)
        self.children.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        time.sleep(0.05)


@contextmanager
def changing_threads_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def run(works: list[Callable[[Counter[str], random.Random], None]], work: Work) -> list[BaseException]:
    """Each work on a thread of its own, again and again until the time is up."""
    errors: list[BaseException] = []
    end_s = time.monotonic() + SECONDS

    def repeat(one: Callable[[Counter[str], random.Random], None], seed: int) -> None:
        count: Counter[str] = Counter()
        work.calls.append(count)
        dice = random.Random(seed)
        try:
            while time.monotonic() < end_s and not errors:
                one(count, dice)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat, args=(one, seed), daemon=True) for seed, one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_eight_threads_that_do_everything_end_with_exact_totals(state: State, tmp_path: Path) -> None:
    faulthandler.dump_traceback_later(HANGS_S, exit=True)
    try:
        check_everything(tmp_path)
    finally:
        faulthandler.cancel_dump_traceback_later()


def check_everything(tmp_path: Path) -> None:
    writer = Writer(tmp_path / ".jitwatch", interval_s=0.05)
    work = Work()
    jitwatch.report()  # what this imports is there before the first fork
    with changing_threads_often():
        errors = run(
            [work.call, work.log, work.record, work.report, work.freeze, work.collect, work.jit, work.fork], work
        )
    if errors:
        raise errors[0]
    total: Counter[str] = sum(work.calls, Counter())

    for number, function in enumerate(work.counted):
        info = function.cache_info()
        assert info.hits + info.misses == total[f"calls {number}"]
        assert info.compiles <= SIZES * (1 + info.dispatch_only)
        assert info.failures == info.nested == 0
    assert set(work.children) == {0}
    assert total["stopped"] == work.frozen.cache_info().failures
    assert jitwatch.snapshot().faults == 0
    writer.close()
    (path,) = find([tmp_path / ".jitwatch"])
    written = {function.qualname: function for function in load(path).snapshot.functions if function.misses}
    assert sum(function.misses for function in written.values()) > 0


def test_resets_of_many_threads_lose_no_count(state: State) -> None:
    f = watched_jit(lambda x: x + 1, warn_compiles=10**9)
    f(np.ones(1))
    stop, calls = threading.Event(), [0] * 4

    def call(number: int) -> None:
        while not stop.is_set():
            f(np.ones(1 + calls[number] % 3))
            calls[number] += 1

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    end_s = time.monotonic() + SECONDS / 4
    while time.monotonic() < end_s:
        jitwatch.reset()
        f.cache_info()
    stop.set()
    for thread in threads:
        thread.join()

    live = [function for function in recorder_functions() if function.name == "<lambda>"]
    assert sum(function.hits + function.misses for function in live) == sum(calls) + 1
    assert jax.devices()


def recorder_functions() -> tuple[Any, ...]:
    from jitwatch._record.recorder import recorder

    return recorder().live_snapshot().functions
