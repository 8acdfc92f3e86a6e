"""Counts are exact under threads, in total and for each key.

20,000 calls on each of 8 threads; `TEST_THREAD_CALLS=100000` sets another number.
"""

from __future__ import annotations

import collections
import inspect
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest

from jitwatch import call_log, watched_jit

THREADS = 8
CALLS = int(os.environ.get("TEST_THREAD_CALLS", "20000"))


@pytest.fixture(autouse=True)
def threads_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Misses(threading.local):
    """What this thread is calling, and how often JAX's own `cache_miss` ran for it."""

    def __init__(self) -> None:
        self.calling: Any = None
        self.seen: collections.Counter[Any] = collections.Counter()

    def profile(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name == "cache_miss" and code.co_filename.endswith("pjit.py"):
            # JAX's own functions are jitted too
            self.seen[self.calling] += inspect.unwrap(frame.f_locals["fun"]).__module__ == __name__


def run_on_threads(work: Callable[[int], Any]) -> list[Any]:
    """Start all threads at once; their results, or the first error."""
    barrier = threading.Barrier(THREADS)
    results: list[Any] = [None] * THREADS
    errors: list[BaseException] = []

    def start(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_totals_and_keys_are_exact_on_a_mix_of_hits_and_misses() -> None:
    traced = []

    @watched_jit(static_argnames="n")
    def f(x, n=1):
        traced.append(1)
        return x

    @watched_jit
    def slow(x):
        jax.debug.callback(lambda: None)  # never on the fast path: each call is a miss
        return x

    common = [(f, (jax.device_put(np.ones(size, np.float32)),), {"n": n}) for size in (1, 2) for n in (1, 2)]
    common += [(f, (np.ones(3, np.float32),), {}), (f, (1.0,), {"n": 3}), (f, ({"a": 1, "b": (2.0, None)},), {})]
    rare = [(f, (np.ones(4 + size, np.float32),), {}) for size in range(20)] + [(slow, (1.0,), {})]
    ways = common + rare
    misses = Misses()

    def work(number: int) -> tuple[Any, Any]:
        rng = random.Random(number)
        calls: collections.Counter[int] = collections.Counter()
        sys.setprofile(misses.profile)
        try:
            for _ in range(CALLS):
                way = rng.randrange(len(ways)) if rng.random() < 0.01 else rng.randrange(len(common))
                function, args, kwargs = ways[way]
                misses.calling = way
                calls[way] += 1
                function(*args, **kwargs)
        finally:
            sys.setprofile(None)
        return calls, misses.seen

    results = run_on_threads(work)
    calls, missed = (sum((result[i] for result in results), collections.Counter()) for i in (0, 1))

    assert sum(calls.values()) == THREADS * CALLS
    for function in (f, slow):
        own = [way for way in range(len(ways)) if ways[way][0] is function]
        stats = {key.key: key for key in function.cache_stats().keys}
        expected = {function.cache_key(*ways[way][1], **ways[way][2]): way for way in own}
        assert {key: (stats[key].hits, stats[key].misses) for key in stats} == {
            key: (calls[way] - missed[way], missed[way]) for key, way in expected.items() if calls[way]
        }
        info = function.cache_info()
        assert info.hits + info.misses == sum(calls[way] for way in own)
        assert info.misses == sum(missed[way] for way in own)
    assert f.cache_info().traces == len(traced) == f.cache_info().compiles


def test_concurrent_first_calls_of_a_key_compile_once() -> None:
    for _ in range(10):
        bodies = []

        @watched_jit
        def f(x, bodies=bodies):
            bodies.append(1)
            return x + 1

        misses = Misses()

        def work(_: int, f: Any = f, misses: Any = misses) -> int:
            sys.setprofile(misses.profile)
            try:
                f(1.0)
            finally:
                sys.setprofile(None)
            return misses.seen.total()

        missed = sum(run_on_threads(work))
        info = f.cache_info()
        assert (info.hits, info.misses) == (THREADS - missed, missed)
        assert (info.traces, info.compiles, info.keys, len(bodies)) == (1, 1, 1, 1)
        assert info.dispatch_only == missed - 1


def test_settings_of_one_thread_are_not_in_the_keys_of_another() -> None:
    @watched_jit
    def f(x):
        return x * 2

    precisions = ["default", "high", "highest", "bfloat16"]

    def work(number: int) -> None:
        with jax.default_matmul_precision(precisions[number % 4]):
            for _ in range(50):
                f(1.0)

    run_on_threads(work)

    stats = f.cache_stats()
    assert len(stats.keys) == 4
    assert {key.hits + key.misses for key in stats.keys} == {100}
    assert len({key.key.context for key in stats.keys}) == 4


def test_calls_within_a_call_log_are_counted_exactly() -> None:
    @watched_jit
    def f(x):
        return x + 1

    lines: list[str] = []
    f(1.0)
    with call_log(lines.append):
        run_on_threads(lambda _: [f(1.0) for _ in range(50)])

    info = f.cache_info()
    assert info.hits + info.misses == 1 + THREADS * 50
    assert info.compiles == 1
    assert len(lines) == THREADS * 50


def test_counts_read_while_other_threads_call_only_grow() -> None:
    @watched_jit
    def f(x):
        return x + 1

    seen: list[int] = []

    def work(number: int) -> None:
        for i in range(500):
            f(float(i)) if number else seen.append(sum(f.cache_info()[:2]))

    run_on_threads(work)

    assert seen == sorted(seen)
    assert sum(f.cache_info()[:2]) == (THREADS - 1) * 500
