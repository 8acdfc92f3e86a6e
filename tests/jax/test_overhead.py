"""What hits, misses and slow calls cost compared with plain `jax.jit`, in one process, interleaved, by the median.

Not part of the test suite, since machines are noisy: `pytest -m benchmark -s tests/jax/test_overhead.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import pytest
from jax.experimental import io_callback

import jitwatch
from jitwatch import watched_jit
from jitwatch._capture.hook.registry import watch_of
from jitwatch._policy.policy import policy_of
from jitwatch._record.recorder import recorder
from jitwatch._state import State

pytestmark = pytest.mark.benchmark
ROUNDS = 60
SLOW_BOUND = 1.3


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


def effectful(x: Any) -> Any:
    """JAX gives a call with effects no entry in its dispatch cache: each goes through its Python."""
    jax.debug.callback(lambda value: None, x)
    return x + 1


def ordered(x: Any) -> Any:
    io_callback(lambda value: None, None, x, ordered=True)
    return x + 1


@pytest.mark.parametrize("function", [effectful, ordered])
def test_slow_path_costs_little_more_than_plain_jit(function: Callable[..., Any]) -> None:
    plain, watched = jax.jit(lambda x: function(x)), watched_jit(lambda x: function(x))
    argument = jnp.ones(3)
    plain(argument), watched(argument)

    ratios = interleaved_ratio({"plain": plain, "watched": watched}, argument, 100)
    jax.effects_barrier()

    print(f"\n{function.__name__}: {ratios['watched']:.2f} x plain jax.jit on the slow path (bound {SLOW_BOUND})")
    assert ratios["watched"] <= SLOW_BOUND


def test_a_miss_costs_little_of_a_compile() -> None:
    times: dict[str, list[float]] = {"plain": [], "watched": []}
    for size in range(1, 40):
        for name, jit in (("plain", jax.jit), ("watched", watched_jit)):
            f = jit(lambda x: jnp.sin(x) @ jnp.cos(x) + 1)
            x = jnp.ones(size)
            start = time.perf_counter()
            f(x)
            times[name].append(time.perf_counter() - start)

    ratio = statistics.median(times["watched"]) / statistics.median(times["plain"])
    print(f"\na miss that compiles: {ratio:.3f} x plain jax.jit (bound 1.25)")
    assert ratio <= 1.25


LIVE = 4096
"""Keys that JAX's dispatch cache holds by default."""


def many_keys(count: int) -> Any:
    """A function with so many keys, made without compiling for each."""
    f = watched_jit(lambda x, n: x, static_argnames="n", max_keys=count + 1, warn_compiles=10**9)
    f(1.0, n=-1)
    watch = watch_of(f)
    assert watch is not None
    (first_key,) = watch.record.keys
    (static,) = first_key.statics
    for number in range(count):
        value = msgspec.structs.replace(static.value, text=str(number), token=10**6 + number)
        changed = msgspec.structs.replace(static, value=value)
        key = watch.record.record_of(msgspec.structs.replace(first_key, statics=(changed,)))
        if number < LIVE:
            watch.record.hold(key, lambda: f)
    return f


def fastest_ms(work: Callable[[], Any]) -> float:
    return min(timeit.repeat(work, number=1, repeat=50)) * 1e3


def empty_recording() -> None:
    with jitwatch.recording():
        pass


def test_cache_info_and_an_empty_recording_of_ten_thousand_keys(state: State) -> None:
    f = many_keys(10_000)

    info_ms, recording_ms = fastest_ms(f.cache_info), fastest_ms(empty_recording)

    print(f"\n10,000 keys: cache_info {info_ms:.2f} ms, an empty recording {recording_ms:.2f} ms (bounds 1 and 2)")
    assert info_ms <= 1 and recording_ms <= 2


def test_an_empty_recording_with_ten_thousand_functions(state: State) -> None:
    for number in range(10_000):
        record = recorder().add_function(
            name="step", qualname="step", defined_at="train.py:1", options=(), policy=policy_of(), approximate=False,
            hits_counted=True, bound=str(number),
        )  # fmt: skip
        record.in_use = lambda: None

    recording_ms = fastest_ms(empty_recording)

    print(f"\n10,000 functions: an empty recording {recording_ms:.2f} ms (bound 1)")
    assert recording_ms <= 1
