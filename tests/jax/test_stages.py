"""Each stage is counted for whoever caused it: the call, a helper, ahead of time, a backward pass, or nobody."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit

ROOT = Path(jitwatch.__file__).parents[1]


def counts(stages: Any) -> tuple[int, int, int]:
    """Traces, lowerings, compiles."""
    return (stages.traces, stages.lowerings, stages.compiles)


def others(block: Any) -> dict[str, tuple[int, int]]:
    """Lowerings and compiles of programs of no watched function in a recording, by name."""
    ran = {other.name: counts(other.stages)[1:] for other in block.snapshot().others}
    return {name: stages for name, stages in ran.items() if stages != (0, 0)}


def line_of(fun: Callable[..., Any], offset: int) -> str:
    code = fun.__code__
    return f"{code.co_filename}:{code.co_firstlineno + offset}"


def test_first_call_runs_each_stage_once_with_its_seconds() -> None:
    @watched_jit
    def f(x):
        return x + 1

    f(jnp.ones(3))

    stages = f.cache_stats().stages
    assert (*counts(stages), stages.loads) == (1, 1, 1, 0)
    assert stages.trace_s > 0 and stages.lower_s > 0 and stages.compile_s > 0 and stages.load_s == 0


@pytest.mark.parametrize(
    "second,depth",
    [
        (lambda: np.ones(3, np.float32), (0, 0, 0)),
        (lambda: jax.device_put(np.ones(3, np.float32), jax.devices()[0]), (0, 1, 1)),
        (lambda: np.ones(4, np.float32), (1, 1, 1)),
    ],
    ids=["dispatch only", "lower", "trace"],
)
def test_misses_are_told_by_depth(second: Callable[[], Any], depth: tuple[int, int, int]) -> None:
    @watched_jit
    def f(x):
        return x * 2

    f(jax.device_put(np.ones(3, np.float32)))
    f(second())

    first, other = f.cache_keys()
    assert counts(first.stages) == (1, 1, 1)
    assert counts(other.stages) == depth
    assert f.cache_info().dispatch_only == (depth == (0, 0, 0))


def test_stages_of_an_inner_function_are_its_own() -> None:
    @watched_jit
    def inner(x):
        return jnp.sin(x)

    @watched_jit
    def outer(x):
        return inner(x) + inner(2 * x)

    outer(jnp.ones(3))
    outer(jnp.ones(3))

    assert counts(inner.cache_stats().stages) == (1, 0, 0)
    assert inner.cache_info()[:2] == (0, 0)
    assert inner.cache_info().nested == 2
    assert counts(outer.cache_stats().stages) == (1, 1, 1)
    inner(jnp.ones(3))
    assert counts(inner.cache_stats().stages) == (1, 1, 1)


def test_eager_operation_inside_a_trace_is_a_helper() -> None:
    @watched_jit
    def f(x):
        with jax.ensure_compile_time_eval():
            jax.lax.add(np.ones(71, np.float32), np.ones(71, np.float32))
        return x + 1

    with jitwatch.recording() as block:
        f(1.0)

    stats = f.cache_stats()
    assert counts(stats.helpers)[1:] == (1, 1)
    assert counts(stats.stages) == (1, 1, 1)
    assert others(block) == {}


def test_program_that_places_arguments_is_a_helper() -> None:
    sharding = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(jax.devices()[:2]), ("x",)), jax.sharding.PartitionSpec("x")
    )
    x = jnp.ones(62)

    @watched_jit(in_shardings=sharding)
    def f(x):
        return x + 1

    with jitwatch.recording() as block:
        f(x)

    assert counts(f.cache_stats().stages) == (1, 1, 1)
    assert others(block) == {}


def test_eager_operations_are_nobodys() -> None:
    @watched_jit
    def f(x):
        return x + 1

    x, y = np.ones(73, np.float32), np.ones(73, np.float32)
    with jitwatch.recording() as block:
        jax.lax.mul(x, y)

    assert others(block) == {"mul": (1, 1)}
    assert counts(f.cache_stats().stages) == (0, 0, 0)


def test_gradient_of_a_jitted_function_counts_the_backward_program() -> None:
    @watched_jit
    def loss_fn(w):
        return jnp.sum(jnp.sin(w) ** 2)

    w = jnp.ones(3)
    jnp.sin(w), jax.grad(lambda w: w.sum())(w)
    with jitwatch.recording() as block:
        jax.grad(loss_fn)(w)

    stats = loss_fn.cache_stats()
    assert stats.nested == 1 and stats.misses == 0
    assert counts(stats.backward)[1:] == (1, 1)
    assert counts(stats.stages)[1:] == (2, 2)
    assert "loss_fn" not in others(block)
    jax.grad(loss_fn)(w)
    assert counts(loss_fn.cache_stats().stages) == counts(stats.stages)


def test_jit_of_a_gradient_is_a_function_of_its_own() -> None:
    @watched_jit
    def loss_fn(w):
        return jnp.sum(jnp.sin(w) ** 2)

    gradient = watched_jit(jax.grad(loss_fn))
    w = jnp.ones(3)
    gradient(w), gradient(w)

    assert gradient.cache_info()[:2] == (1, 1)
    assert counts(gradient.cache_stats().stages) == (1, 1, 1)
    assert counts(loss_fn.cache_stats().stages) == (1, 0, 0)
    assert loss_fn.cache_info().nested == 1


def test_plain_jit_of_a_watched_gradient_is_nobodys() -> None:
    @watched_jit
    def loss_fn(w):
        return jnp.sum(jnp.sin(w) ** 2)

    w = jnp.ones(3)
    with jitwatch.recording() as block:
        jax.jit(jax.grad(loss_fn))(w)

    assert counts(loss_fn.cache_stats().stages) == (1, 0, 0)
    assert others(block)["loss_fn"] == (1, 1)


def test_backward_program_is_told_from_a_plain_one_that_was_only_traced() -> None:
    @watched_jit
    def loss_fn(w):
        return jnp.sum(jnp.sin(w) ** 2)

    w = jnp.ones(3)
    jax.jit(loss_fn).trace(w)
    jax.grad(loss_fn)(w)

    assert counts(loss_fn.cache_stats().backward)[1:] == (1, 1)


def test_vmap_of_a_jitted_function_is_nested_and_compiles_for_it() -> None:
    @watched_jit
    def f(x):
        return x * 2

    x = jnp.ones((4, 3))
    jax.vmap(f)(x), jax.vmap(f)(x)

    stats = f.cache_stats()
    assert (stats.nested, stats.misses, stats.hits) == (2, 0, 0)
    assert counts(stats.stages) == (1, 1, 1)
    assert [key.key.transform for key in stats.keys] == [("vmap[4]",)]


def test_checkpoint_of_a_jitted_function_compiles_for_it() -> None:
    @watched_jit
    def f(x):
        return jnp.sin(x)

    x = jnp.ones(3)
    with jitwatch.recording() as block:
        jax.checkpoint(f)(x)

    assert counts(f.cache_stats().stages) == (1, 1, 1)
    assert "f" not in others(block)


def test_work_ahead_of_time_is_counted_apart_from_calls() -> None:
    @watched_jit
    def f(x):
        return x + 1

    x = jnp.ones(3)
    compiled = f.lower(x).compile()
    compiled(x), compiled(x)

    stats = f.cache_stats()
    assert counts(stats.aot) == counts(stats.stages) == (1, 1, 1)
    assert (stats.hits, stats.misses, stats.keys) == (0, 0, ())
    f(x)
    assert counts(f.cache_stats().stages) == (1, 1, 1)
    assert f.cache_info().dispatch_only == 1
    f.eval_shape(jnp.ones(4))
    assert counts(f.cache_stats().aot) == (2, 1, 1)


def test_disabled_jit_counts_nothing() -> None:
    @watched_jit
    def f(x):
        return x + 1

    with jax.disable_jit():
        f(1.0)

    assert f.cache_info() == (0,) * 11


def test_failure_has_its_line_and_the_argument_that_jax_names() -> None:
    def choose(x, limit):
        if x > limit:
            return x
        return limit

    f = watched_jit(choose, static_argnames="limit")
    with pytest.raises(jax.errors.TracerBoolConversionError):
        f(1.0, limit=0.5)

    (miss,) = [miss for miss in jitwatch.snapshot().misses if miss.function == f.cache_stats().id]
    assert (f.cache_info().failures, f.cache_info().misses, f.cache_info().traces) == (1, 1, 1)
    assert miss.failed == "TracerBoolConversionError"
    assert miss.failed_at == line_of(choose, 1)
    assert miss.failed_argument == "x"
    assert f.cache_stats().last_failure == miss


def test_function_with_effects_stays_on_the_slow_path() -> None:
    @watched_jit
    def f(x):
        jax.debug.callback(lambda: None)
        return x + 1

    for _ in range(3):
        f(1.0)

    (key,) = f.cache_stats().keys
    assert key.slow_path
    assert (key.hits, key.misses, key.dispatch_only) == (0, 3, 2)
    assert counts(key.stages) == (1, 1, 1)


def test_key_that_failed_once_is_seen_to_stay_on_the_slow_path() -> None:
    fail = [True]

    @watched_jit
    def f(x):
        if fail[0]:
            raise ValueError
        return x + 1

    with pytest.raises(ValueError):
        f(1.0)
    fail[0] = False
    for _ in range(3):
        f(1.0)

    info = f.cache_info()
    assert (info.hits, info.misses, info.failures, info.traces, info.dispatch_only) == (0, 4, 1, 2, 2)


def test_call_sites_are_the_users_lines() -> None:
    @watched_jit
    def f(x):
        return x + 1

    def use():
        for size in (1, 2):
            f(np.ones(size))
        functools.reduce(lambda _, x: f(x), [np.ones(3)], None)

    use()

    sites = {site.place: site.misses for site in f.cache_stats().call_sites}
    assert sites == {line_of(use, 2): 2, line_of(use, 3): 1}


PERSISTENT = """
import jax, jitwatch
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
f = jitwatch.watched_jit(lambda x: x * 3)
f(1.0)
print(f.cache_info().compiles, f.cache_info().loads, f.cache_stats().stages.load_s > 0)
"""


def test_loads_from_the_persistent_cache_are_no_compiles(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT), *sys.path])
    env = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "PYTHONPATH": path}
    command = [sys.executable, "-c", PERSISTENT]

    def run() -> str:
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    assert run().split() == ["1", "0", "False"]
    assert run().split() == ["0", "1", "True"]


def test_donation_hits_and_misses_as_any_call() -> None:
    @watched_jit(donate_argnums=0)
    def f(x):
        return x + 1

    x = jnp.ones(3)
    for _ in range(4):
        x = f(x)

    assert f.cache_info()[:2] == (3, 1)


def test_watched_call_from_a_callback_is_a_call_of_its_own() -> None:
    @watched_jit
    def inner(x):
        return x + 1

    @watched_jit
    def outer(x):
        return jax.pure_callback(lambda x: np.asarray(inner(np.asarray(x))), jax.ShapeDtypeStruct((), jnp.float32), x)

    jax.block_until_ready([outer(np.float32(1)), outer(np.float32(2))])

    assert inner.cache_info()[:2] == (1, 1)
    assert inner.cache_info().nested == 0
    assert counts(outer.cache_stats().stages) == (1, 1, 1)
