"""Scopes, the call log, the look inside a key, the bound on keys, and the fallback: none disturbs the counts."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import JitwatchError, watched_jit
from jitwatch._capture import jax_internals


def of(data: Any, function: Any) -> tuple[int, int, int]:
    """Hits, misses and compiles of one function in a snapshot."""
    number = function.cache_stats().id
    stats = next(stats for stats in data.functions if stats.id == number)
    return stats.hits, stats.misses, stats.stages.compiles


@pytest.fixture
def f() -> Any:
    @watched_jit(static_argnames="n")
    def f(x, n=1):
        return x * n

    return f


def test_a_recording_is_a_page(f: Any) -> None:
    with jitwatch.recording() as r:
        f(1.0)

    page = r.to_html()

    assert page.startswith("<!doctype html>")
    assert '<a href="#fn-f-' in page


def test_recordings_count_their_own_block_nested_and_overlapping(f: Any) -> None:
    f(1.0)
    outer = jitwatch.recording()
    with outer as first:
        f(1.0)
        second_scope = jitwatch.recording()
        second = second_scope.__enter__()
        f(np.ones(3))
        with jitwatch.recording() as inner:
            f(np.ones(3))
    f(1.0)
    second_scope.__exit__(None, None, None)
    f(1.0)

    assert of(first.snapshot(), f) == (2, 1, 1)
    assert of(second.snapshot(), f) == (2, 1, 1)
    assert of(inner.snapshot(), f) == (1, 0, 0)
    assert f.cache_info()[:2] == (4, 2)
    assert inner.compiles("f") == 0
    assert "f" in first.report()


def test_recording_ends_when_its_block_raises(f: Any) -> None:
    with pytest.raises(KeyError), jitwatch.recording() as block:
        f(1.0)
        raise KeyError
    f(1.0)

    assert of(block.snapshot(), f) == (0, 1, 1)


def test_reset_starts_from_zero_and_leaves_jaxs_caches(f: Any) -> None:
    f(1.0), f(1.0)
    with jitwatch.recording() as block:
        jitwatch.reset()
        assert f.cache_info()[:2] == (0, 0)
        f(1.0)

    assert f.cache_info()[:6] == (1, 0, 1, 0, 0, 0)
    assert of(jitwatch.snapshot(), f) == (1, 0, 0)
    assert of(block.snapshot(), f) == (1, 0, 0)


def test_call_log_has_one_line_for_each_call(f: Any) -> None:
    lines: list[str] = []
    x = jax.device_put(np.ones(3, np.float32))
    f(x, n=2)
    with jitwatch.call_log(lines.append) as collected:
        f(x, n=2)
        f(x, n=3)
        f(x, n=3)
        f(np.ones(3, np.float32), n=3)
    f(x, n=2)

    assert lines == collected
    assert [line.partition(" -> ")[0] for line in lines] == [
        "call 1: f(x f32[3], n=2)",
        "call 2: f(x f32[3], n=3)",
        "call 3: f(x f32[3], n=3)",
        "call 4: f(x f32[3], n=3)",
    ]
    answers = [line.partition(" -> ")[2] for line in lines]
    assert answers[0] == "CACHED executable 1"
    assert answers[1].startswith("COMPILED executable 2 (trace ")
    assert answers[2] == "CACHED executable 2"
    assert answers[3] == "CACHED executable 2, new entry in the dispatch cache"


def test_call_log_leaves_the_counts_as_they_would_be(f: Any) -> None:
    def calls() -> None:
        for x in (1.0, np.ones(3), 1.0, np.ones(3)):
            f(x), f(x, n=2)

    calls()
    with jitwatch.call_log(lambda _: None):
        calls()
        f(np.ones(4))
        with jitwatch.call_log(lambda _: None):
            calls()
    calls()
    f(np.ones(4))

    assert f.cache_info()[:7] == (4 * 8 - 4 + 1, 5, 5, 5, 5, 5, 0)
    assert {key.number: (key.hits, key.misses) for key in f.cache_keys()} == {
        1: (7, 1), 2: (7, 1), 3: (7, 1), 4: (7, 1), 5: (1, 1),
    }  # fmt: skip


def test_look_inside_a_key_disturbs_no_count() -> None:
    @watched_jit(static_argnames="n")
    def f(params, n, key=None):
        return params["w"] * n if key is None else jax.random.normal(key, (2,))

    params = {"w": jax.device_put(np.ones(3, np.float32))}
    f(params, n=2), f(params, n=2), f(params, n=3), f(params, n=3, key=jax.random.key(0))
    before = f.cache_info()

    for view in f.cache_keys():
        assert "lambda" in view.jaxpr()
        assert "func.func public @main" in view.stablehlo()
        assert "HloModule" in view.hlo()
        assert "bytes accessed" in view.cost_analysis()
        assert view.memory_analysis().argument_size_in_bytes > 0
    text = f.diff_keys(1, 2)

    assert "2" in text and "3" in text and "jaxpr of key 1" in text
    assert f.cache_info() == before
    f(params, n=2), f(params, n=3)
    assert f.cache_info().hits == before.hits + 2
    assert f.cache_info()[1:] == before[1:]


@pytest.mark.parametrize("value", [1, 1.0, True, 1j, np.float32(1), np.bool_(True), jnp.bfloat16(1)], ids=repr)
def test_look_inside_traces_nothing_again(value: Any) -> None:
    traced = []

    @watched_jit
    def f(x):
        traced.append(1)
        return x

    f(value)
    (view,) = f.cache_keys()
    view.jaxpr(), view.stablehlo()

    assert len(traced) == 1


def test_look_inside_needs_an_entry_in_jaxs_cache(f: Any) -> None:
    f(1.0)
    (view,) = f.cache_keys()
    view.hlo()
    jax.clear_caches()

    for look in (view.jaxpr, view.stablehlo, view.hlo, view.cost_analysis, view.memory_analysis):
        with pytest.raises(JitwatchError, match="no entry in JAX's dispatch cache"):
            look()
    f(1.0)
    view.hlo()
    assert f.cache_info()[:2] == (0, 2)


def test_look_inside_a_key_after_a_call_log_calls_and_compiles_nothing(f: Any, backend_compiles: list[str]) -> None:
    f(1.0), f(np.ones(2))
    with jitwatch.call_log(lambda _: None):
        f(1.0), f(np.ones(3))
    before, compiled = f.cache_info(), list(backend_compiles)

    for view in f.cache_keys():
        assert "lambda" in view.jaxpr() and "@main" in view.stablehlo() and "HloModule" in view.hlo()
        assert view.memory_analysis().output_size_in_bytes > 0 and "bytes accessed" in view.cost_analysis()
    assert "jaxpr of key 3" in f.diff_keys(1, 3)
    assert (f.cache_info(), backend_compiles) == (before, compiled)
    f(1.0)
    assert f.cache_info() == before._replace(hits=before.hits + 1)


def test_what_a_call_log_puts_aside_ends_with_the_function() -> None:
    class Model:
        pass

    def is_left(jit: Any) -> bool:
        model: Any = Model()
        model.step = jit(lambda m, x: x + 1, static_argnums=0)
        model.step(model, 1.0)
        with jitwatch.call_log(lambda _: None):
            model.step(model, 1.0), model.step(model, np.ones(2))
        reference = weakref.ref(model)
        del model
        jax.clear_caches()
        gc.collect()
        return reference() is not None

    assert is_left(watched_jit) == is_left(jax.jit)  # JAX 0.6.1 itself keeps static arguments for ever


def test_diff_of_an_unknown_key_names_the_known_ones(f: Any) -> None:
    f(1.0), f(1)

    with pytest.raises(JitwatchError, match=r"no key 3.*1, 2"):
        f.diff_keys(1, 3)


def test_bound_on_keys_leaves_totals_exact() -> None:
    @watched_jit(max_keys=2)
    def f(x):
        return x + 1

    for size in (1, 2, 3, 4, 3, 1, 4):
        f(np.ones(size))

    stats = f.cache_stats()
    assert [(key.hits, key.misses) for key in stats.keys] == [(1, 1), (0, 1)]
    assert (stats.hits, stats.misses, stats.stages.compiles, stats.dropped_keys) == (3, 4, 4, 2)
    assert "2" in f.cache_report()


@pytest.fixture
def no_hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(jax_internals, "exact_hook_available", lambda: False)
    yield


def test_fallback_counts_sensibly_and_says_approximate(no_hook: None) -> None:
    @watched_jit(static_argnames="n")
    def f(x, n=1):
        return x * n

    for _ in range(3):
        f(1.0), f(np.ones(3), n=2)
    jax.vmap(f)(np.ones(3))
    jax.jit(lambda x: f(x))(1.0)

    info = f.cache_info()
    assert (info.hits, info.misses, info.keys, info.nested) == (4, 2, 4, 2)
    assert [(key.hits, key.misses) for key in f.cache_keys()][:2] == [(2, 1), (2, 1)]
    assert f.cache_stats().approximate
    assert "approximate" in f.cache_report()


def test_fallback_counts_failures_and_passes_them_on(no_hook: None) -> None:
    @watched_jit
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        f(1.0)

    assert (f.cache_info().failures, f.cache_info().misses, f.cache_info().traces) == (1, 1, 1)


def test_fallback_keeps_what_a_jitted_function_has(no_hook: None) -> None:
    @watched_jit
    def f(x):
        return x + 1

    f.lower(1.0).compile()
    assert f.eval_shape(1.0).shape == ()
    f(1.0)
    f.clear_cache()
    f(1.0)

    assert f.cache_info().misses == 2
    assert f.__name__ == "f"
