"""Hours in minutes: millions of hits and misses on eight threads, with memory, counts and speed looked at throughout.

Not part of the test suite, since it takes minutes: `pytest -m benchmark -s tests/jax/test_soak.py`.
"""

from __future__ import annotations

import gc
import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit

pytestmark = pytest.mark.benchmark
THREADS = 8
HITS, MISSES = 10_000_000, 100_000
ROUNDS = 10
MAX_KEYS = 200
GROWTH_BYTES = 10e6
"""From the round in which all bounds are reached to the last one; what the allocator does is in it."""


def resident_bytes() -> int:
    """Memory of the process that is in RAM, as Linux tells."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def on_threads(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hit_ratio(watched: Any, plain: Any, argument: Any) -> float:
    """Time of a watched hit against a plain one, interleaved, the median."""
    ratios = []
    for _ in range(41):
        times = []
        for call in (watched, plain):
            start = time.perf_counter()
            for _ in range(5_000):
                call(argument)
            times.append(time.perf_counter() - start)
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads memory as Linux tells it")
def test_memory_counts_and_speed_hold_over_many_calls() -> None:
    hits = watched_jit(lambda x: x + 1)
    plain = jax.jit(lambda x: x + 1)
    silent = watched_jit(lambda x, n: x, static_argnames="n", max_keys=MAX_KEYS, warn_compiles=10**9)
    effect = watched_jit(lambda x: (jax.debug.callback(lambda _: None, x), x)[1])
    x = jnp.ones(3)
    hits(x), plain(x), effect(x)
    compiling = MISSES // 100  # keys beyond the bound; the other misses only dispatch
    numbers = iter(range(10**9))
    lock = threading.Lock()

    def work(_: int) -> None:
        for _ in range(HITS // ROUNDS // THREADS):
            hits(x)
        for _ in range((MISSES - compiling) // ROUNDS // THREADS):
            effect(x)
        for _ in range(compiling // ROUNDS // THREADS):
            with lock:
                number = next(numbers)
            silent(np.float32(1), n=number)

    first_ratio = hit_ratio(hits, plain, x)
    measured = hits.cache_info().hits
    memory = []
    for number in range(ROUNDS):
        on_threads(work)
        silent.clear_cache()  # the programs, which are JAX's
        memory.append(resident_bytes())
        print(f"\nround {number + 1}: {memory[-1] / 1e6:.0f} MB", end="")
    last_ratio = hit_ratio(hits, plain, x)
    expected_hits = HITS // ROUNDS // THREADS * THREADS * ROUNDS
    expected_slow = (MISSES - compiling) // ROUNDS // THREADS * THREADS * ROUNDS
    expected_keys = compiling // ROUNDS // THREADS * THREADS * ROUNDS

    print(f"\nhits {first_ratio:.3f} x plain jax.jit at the start, {last_ratio:.3f} x at the end")
    assert hits.cache_info().hits == 2 * measured + expected_hits
    assert effect.cache_info().misses == expected_slow + 1
    assert silent.cache_info().compiles == expected_keys
    assert silent.cache_info().keys == MAX_KEYS
    assert memory[-1] - memory[3] < GROWTH_BYTES
    assert last_ratio <= first_ratio + 0.05
    assert jitwatch.snapshot().faults == 0
