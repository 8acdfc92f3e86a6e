"""What a hit costs compared with plain `jax.jit`, in one process, interleaved, by the median.

Not part of the test suite, since machines are noisy: `pytest -m benchmark -s tests/jax/test_overhead.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jitwatch
from jitwatch import watched_jit

pytestmark = pytest.mark.benchmark
ROUNDS = 60


def first(leaves: list[Any]) -> Any:
    """Uses one leaf, so that the call is all dispatch."""
    return leaves[0] + 1


def interleaved_ratio(candidates: dict[str, Callable[..., Any]], argument: Any, calls: int) -> dict[str, float]:
    """Median over rounds of each candidate's time for `calls` calls, relative to the first candidate's."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for round_number in range(ROUNDS):
        order = list(candidates.items())
        for name, call in order if round_number % 2 else reversed(order):
            start = time.perf_counter()
            for _ in range(calls):
                call(argument)
            times[name].append(time.perf_counter() - start)
    base = next(iter(times))
    return {
        name: statistics.median(a / b for a, b in zip(values, times[base], strict=True))
        for name, values in times.items()
    }


@pytest.mark.parametrize(("leaves", "keys", "bound"), [
    (1, 1, 1.08), (100, 1, 1.02), (1000, 1, 1.02), (1, 8, 1.16), (100, 8, 1.02), (1000, 8, 1.02),
])  # fmt: skip
def test_hit_costs_little_more_than_plain_jit(leaves: int, keys: int, bound: float) -> None:
    plain, watched = jax.jit(lambda x: first(x)), watched_jit(lambda x: first(x))
    arguments = [[jnp.ones(size)] * leaves for size in range(3, 3 + keys)]
    for argument in arguments:
        plain(argument), watched(argument)

    ratios = interleaved_ratio({"plain": plain, "watched": watched}, arguments[0], max(20_000 // leaves, 40))

    print(f"\n{leaves} leaves, {keys} keys: {ratios['watched']:.3f} x plain jax.jit (bound {bound})")
    assert ratios["watched"] <= bound


@pytest.mark.parametrize("leaves", [1, 100, 1000])
def test_hit_of_a_function_made_under_install_costs_what_it_costs_without(leaves: int) -> None:
    plain = jax.jit(lambda x: first(x))
    with jitwatch.watching():
        installed = jax.jit(lambda x: first(x))
    with jitwatch.watching(count_hits=True):  # as `jitwatch run` does
        counting = jax.jit(lambda x: first(x))
    argument = [jnp.ones(3)] * leaves
    candidates = {"plain": plain, "installed": installed, "counting": counting}
    for candidate in candidates.values():
        candidate(argument)

    ratios = interleaved_ratio(candidates, argument, max(20_000 // leaves, 40))

    figures = f"installed {ratios['installed']:.3f}, jitwatch run {ratios['counting']:.3f}"
    print(f"\n{leaves} leaves: {figures} x plain jax.jit (bound 1.02 for installed)")
    assert ratios["installed"] <= 1.02


def test_import_is_fast_and_without_jax() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import jitwatch;"
        "print(time.perf_counter() - start); assert 'jax' not in sys.modules"
    )
    seconds = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    print(f"\nimport jitwatch: {1000 * statistics.median(seconds):.1f} ms")
    assert statistics.median(seconds) < 0.030


def test_recorded_miss_costs_little_of_the_compile() -> None:
    from jitwatch._explain.explain import History, explain

    watched = watched_jit(lambda x: first(x))
    arguments = [[jnp.ones(size), *[jnp.ones(3)] * 999] for size in (3, 4)]
    for argument in arguments:
        watched(argument)
    stages = watched.cache_stats().stages
    compile_s = (stages.trace_s + stages.lower_s + stages.compile_s) / stages.compiles
    history = History()
    history.add(1, watched.cache_key(arguments[0]))
    costs = []
    for _ in range(50):
        start = time.perf_counter()
        keys = [watched.cache_key(argument) for argument in arguments]
        middle = time.perf_counter()
        explain(keys[1], history)
        costs.append((middle - start) / 2 + time.perf_counter() - middle)

    share = statistics.median(costs) / compile_s
    print(f"\nkey and explanation at 1000 leaves: {100 * share:.2f} % of trace, lower and compile")
    assert share < 0.03


@pytest.mark.parametrize("keys", [1, 8])
def test_allowed_calls_are_as_fast_after_a_stopped_one(keys: int) -> None:
    plain, watched = jax.jit(lambda x: first(x)), watched_jit(lambda x: first(x))
    arguments = [[jnp.ones(size)] for size in range(3, 3 + keys)]
    cold = [jnp.ones(100)]
    for argument in arguments:
        plain(argument), watched(argument)

    def thousand(call: Callable[..., Any]) -> float:
        start = time.perf_counter()
        for _ in range(1000 // keys):
            for argument in arguments:
                call(argument)
        return time.perf_counter() - start

    def stop() -> None:
        with jitwatch.no_compiles(), pytest.raises(jitwatch.RecompilationError):
            watched(cold)

    before = statistics.median(thousand(watched) / thousand(plain) for _ in range(ROUNDS))
    stopped, thawed = [], []
    for _ in range(ROUNDS):
        stop()
        stopped.append(thousand(watched) / thousand(plain))
    watched(cold), [watched(argument) for argument in (cold, *arguments)]
    thawed = [thousand(watched) / thousand(plain) for _ in range(ROUNDS)]

    figures = (
        f"{statistics.median(stopped) / before:.3f}, after it may compile {statistics.median(thawed) / before:.3f}"
    )
    print(f"\n{keys} keys: 1,000 calls after a stopped one take {figures} x their time before (bound 1.1)")
    assert max(statistics.median(stopped), statistics.median(thawed)) <= 1.1 * before
