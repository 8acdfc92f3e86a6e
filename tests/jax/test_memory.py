"""Keys share their equal parts, a bound stops their growth, and nothing of the user's is kept alive."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import jax
import jax.numpy as jnp
import numpy as np

from jitwatch import watched_jit
from jitwatch._capture.keys.key_maker import KeyMaker
from jitwatch._policy.churn import Policy
from jitwatch._record.recorder import Recorder

KEYS, LEAVES = 500, 1_000


def test_keys_of_a_thousand_leaves_take_ten_kilobytes_each_at_most() -> None:
    recorder = Recorder()
    record = recorder.add_function(
        name="f",
        qualname="f",
        defined_at="",
        options=(),
        approximate=False,
        hits_counted=True,
        policy=Policy(max_keys=2 * KEYS),
    )
    maker = KeyMaker(lambda params: params, (), ())
    params = {f"w{i:04}": np.zeros((3, 4), np.float32) for i in range(LEAVES)}
    maker.call((params,), {})

    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for size in range(KEYS):
        params["w0500"] = np.broadcast_to(np.float32(0), (size,))
        record.record_of(maker.call((params,), {}).key)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(record.keys) == KEYS
    assert (after - before) / KEYS < 10_000, f"{(after - before) / KEYS:.0f} bytes each"


def test_bound_on_keys_keeps_totals_exact() -> None:
    @watched_jit(max_keys=3)
    def f(x):
        return x + 1

    for size in range(1, 8):
        f(jnp.ones(size)), f(jnp.ones(size))

    stats = f.cache_stats()
    assert len(stats.keys) == 3
    assert stats.dropped_keys == 4
    assert (stats.hits, stats.misses, stats.stages.compiles) == (7, 7, 7)


def test_arguments_live_no_longer_than_with_plain_jit() -> None:
    class Config:
        pass

    def alive(jit) -> list[bool]:
        f = jit(lambda x, config: x + 1, static_argnums=1)
        array, config = jnp.ones(3), Config()
        references = [weakref.ref(array), weakref.ref(config)]
        f(array, config)
        del array, config
        jax.clear_caches()
        gc.collect()
        return [reference() is not None for reference in references]

    plain, watched = alive(jax.jit), alive(watched_jit)

    assert plain[0] is False  # JAX 0.6.1 keeps the static argument itself
    assert watched == plain


def test_dropped_function_is_freed_without_the_cycle_collector() -> None:
    gc.disable()
    try:
        f = watched_jit(lambda x: x + 1)
        f(jnp.ones(3))
        reference = weakref.ref(f)
        del f
        assert reference() is None
    finally:
        gc.enable()
