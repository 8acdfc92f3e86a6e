"""What jitwatch assumes of JAX's private parts, one test for each function of `jax_internals`, named after it."""

from __future__ import annotations

import copy
import functools
import operator
import re
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jitwatch._api.watched import jit_option_names
from jitwatch._capture import jax_internals
from jitwatch._capture.jax_internals import contexts


def hooked(fun, calls, **options):
    """`jax.jit(fun)` whose misses are appended to `calls` as (output, fast-path data)."""
    plain = jax.jit(fun, **options)
    inner = jax_internals.jit_again(plain, fun)

    def make_hook(original):
        def cache_miss(*args, **kwargs):
            result = original(*args, **kwargs)
            calls.append(result[:2])
            return result

        return cache_miss

    return jax_internals.with_hook(plain, inner, make_hook)


def test_exact_hook_available_here() -> None:
    assert jax_internals.exact_hook_available()


def test_with_hook_sees_each_miss_and_no_hit() -> None:
    calls = []
    f = hooked(lambda x: x + 1, calls)

    f(jnp.ones(3)), f(jnp.ones(3)), f(jnp.ones(4))

    assert len(calls) == 2
    assert type(f) is type(jax.jit(lambda: None)) is jax_internals.PjitFunction


def test_jit_again_keeps_the_options() -> None:
    plain = jax.jit(lambda x, n: x * n, static_argnums=1)

    again = jax_internals.jit_again(plain, lambda x, n: x + n)

    assert again(jnp.ones(()), 3) == 4
    assert jax_internals.static_positions(again) == jax_internals.static_positions(plain)


def test_jitted_function_and_name() -> None:
    def f(x, n):
        return x

    assert jax_internals.jitted_function(jax.jit(f)) is f
    assert jax_internals.jitted_name(jax.jit(functools.partial(f, n=1))) == "f"


def test_static_positions_come_resolved_from_the_signature() -> None:
    jitted = jax.jit(lambda x, n: x, static_argnames="n")

    assert jax_internals.static_positions(jitted) == ((1,), ("n",))


def test_dispatch_identity_tells_options_apart() -> None:
    def f(x):
        return x

    assert jax_internals.dispatch_identity(jax.jit(f)) == jax_internals.dispatch_identity(jax.jit(f))
    assert jax_internals.dispatch_identity(jax.jit(f)) != jax_internals.dispatch_identity(jax.jit(f, donate_argnums=0))


def test_clear_dispatch_cache_neither_traces_nor_compiles() -> None:
    traces, calls = [], []
    f = hooked(lambda x: traces.append(1) or x + 1, calls)
    f(jnp.ones(3))

    jax_internals.clear_dispatch_cache(f)
    f(jnp.ones(3))

    assert len(traces) == 1
    assert len(calls) == 2
    assert calls[0][1].xla_executable is calls[1][1].xla_executable


def test_dispatch_cache_size_grows_with_keys() -> None:
    f = jax.jit(lambda x: x + 1)
    f(jnp.ones(3)), f(jnp.ones(4)), f(jnp.ones(4))

    assert jax_internals.dispatch_cache_size(f) == 2


@pytest.mark.parametrize("output", [lambda x: x, lambda x: (x, {"a": x, "b": None}), lambda x: jax.random.key(0)])
def test_count_hits_counts_each_hit_and_leaves_the_output(output) -> None:
    counter = functools.lru_cache(maxsize=0)(operator.itemgetter(0))
    plain = jax.jit(output)
    inner = jax_internals.jit_again(plain, output)

    def make_hook(original):
        def cache_miss(*args):
            outs, fastpath, *rest = original(*args)
            return (outs, jax_internals.count_hits(fastpath, counter), *rest)

        return cache_miss

    f = jax_internals.with_hook(plain, inner, make_hook)
    results = [f(jnp.ones(3)) for _ in range(5)]

    assert counter.cache_info().misses == 4
    assert jax.tree.structure(results[4]) == jax.tree.structure(plain(jnp.ones(3)))


def test_split_arguments_is_what_c_makes_of_a_call() -> None:
    signature, leaves = jax_internals.split_arguments((1.0, "static", {"b": 2, "a": 3}), {"k": 4}, (1,), ())

    assert list(signature.static_args) == ["static"]
    assert list(signature.dynamic_arg_names) == ["k"]
    assert len(signature.dynamic_arg_treedefs) == 3
    assert leaves == [1.0, 3, 2, 4]


@pytest.mark.parametrize(("value", "expected"), [
    (True, ((), np.dtype(bool), True)),
    (1, ((), np.dtype("int32"), True)),
    (1.5, ((), np.dtype("float32"), True)),
    (np.float64(1), ((), np.dtype("float32"), False)),
    (np.ones((2, 3), np.int64), ((2, 3), np.dtype("int32"), False)),
])  # fmt: skip
def test_value_signature_is_canonical(value, expected) -> None:
    assert jax_internals.value_signature(value) == expected


def test_array_parts_are_what_the_dispatch_cache_compares() -> None:
    array = jnp.ones((2, 3))
    shape, dtype, weak, committed, sharding, layout = jax_internals.array_parts(array)

    assert (shape, dtype, weak, committed, sharding) == ((2, 3), np.float32, False, False, array.sharding)
    assert hash(layout) == hash(jax_internals.array_parts(jnp.zeros((2, 3)))[-1])
    assert jax_internals.array_parts(jax.device_put(array, jax.devices()[0]))[3]
    assert jax_internals.array_parts(jnp.asarray(1.0))[2]


def test_prng_name_and_key_data() -> None:
    key = jax.random.key(0)
    signature, leaves = jax_internals.split_arguments((key,), {}, (), ())
    _, implementation = signature.dynamic_arg_treedefs[0].node_data()

    data = jax_internals.key_data_like(str(key.dtype), key.shape)

    assert data.shape == leaves[0].shape
    assert f"key<{jax_internals.prng_name(implementation)}>" == str(key.dtype)


def test_trace_state_clean_only_outside_traces_and_transforms() -> None:
    seen = []
    jax.jit(lambda x: seen.append(jax_internals.trace_state_clean()) or x)(1.0)
    jax.vmap(lambda x: seen.append(jax_internals.trace_state_clean()) or x)(jnp.ones(2))

    assert seen == [False, False]
    assert jax_internals.trace_state_clean()


def test_context_names_match_the_context() -> None:
    names, before = contexts.context_names(), contexts.trace_context()
    with jax.default_matmul_precision("float32"):
        after = contexts.trace_context()

    assert len(names) == len(before) == len(after)
    changed = [name for name, old, new in zip(names, before, after, strict=True) if old != new]
    assert changed == ["jax_default_matmul_precision"]
    assert contexts.trace_context() == before


def test_source_of_is_the_line_of_the_definition() -> None:
    def f(x):
        return x

    assert jax_internals.source_of(f).endswith(f"test_jax_internals.py:{f.__code__.co_firstlineno}")
    assert jax_internals.source_of(functools.partial(f, 1)) == jax_internals.source_of(f)
    assert jax_internals.source_of(len) == ""


def test_ahead_functions_are_those_of_every_jitted_function() -> None:
    original = jax_internals.ahead_functions()
    seen = []

    def noted(function, /, *args, **kwargs):
        seen.append(function)
        return original["lower"](function, *args, **kwargs)

    earlier = jax.jit(lambda x: x)
    jax_internals.set_ahead_functions({**original, "lower": noted})
    try:
        later = jax.jit(lambda x: x + 1)
        earlier.lower(1.0), later.lower(1.0)
    finally:
        jax_internals.set_ahead_functions(original)
    earlier.lower(1.0), later.lower(1.0)

    assert [function is expected for function, expected in zip(seen, (earlier, later), strict=True)] == [True, True]
    assert jax_internals.ahead_functions() == original


def test_devices_if_set_up_asks_nothing_before_and_knows_after() -> None:
    code = (
        "from jitwatch._capture.jax_internals import backends_if_set_up, devices_if_set_up as ask\n"
        "from jax._src import xla_bridge\n"
        "first = ask(), backends_if_set_up(); assert not xla_bridge.backends_are_initialized()\n"
        "import jax.numpy as jnp; jnp.ones(3); print(*first, ask(), [one.platform for one in backends_if_set_up()])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "(None, '') () (0, 'cpu') ['cpu']\n"


def test_with_hook_has_the_functions_name_and_a_dispatch_cache_of_its_own() -> None:
    def f(x):
        return x + 1

    watched = hooked(f, [])
    jax.jit(f)(1.0), watched(1.0), watched(2.0)

    assert watched.__getstate__()["fun"] is f and watched.__getstate__()["function_name"] == "f"
    assert jax_internals.dispatch_cache_size(watched) == 1


def test_api_boundary_filters_tracebacks() -> None:
    def broken():
        raise ValueError("broken")

    jax_internals.exclude_from_tracebacks(operator.__file__)
    with pytest.raises(ValueError) as raised:
        jax_internals.api_boundary(broken)()

    assert any("JAX has removed its internal frames" in note for note in raised.value.__notes__)


def test_is_jitted_is_false_for_copies_and_other_functions() -> None:
    f = jax.jit(lambda x: x)

    assert jax_internals.is_jitted(f)
    assert not jax_internals.is_jitted(copy.copy(f)) and not jax_internals.is_jitted(len)


def test_jit_option_names_are_those_of_the_installed_jit() -> None:
    assert {"static_argnums", "donate_argnames", "out_shardings", "inline"} <= jit_option_names()
    assert "fun" not in jit_option_names()


def test_jit_options_make_a_function_like_it() -> None:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    options = {
        "static_argnames": ("n",), "donate_argnums": (0,), "keep_unused": True, "out_shardings": sharding,
        "compiler_options": {"xla_embed_ir_in_executable": True},
    }  # fmt: skip

    def f(x, n):
        return x * n

    assert jax_internals.jit_options(jax.jit(f), jit_option_names()) == {}
    read = jax_internals.jit_options(jax.jit(f, **options), jit_option_names())
    assert read == {**options, "static_argnums": (1,), "donate_argnames": ("x",)}
    assert jax_internals.jit_options(jax.jit(f, **read), jit_option_names()) == read


class Nameless:
    def __call__(self, x):
        return x


@pytest.mark.parametrize("fun", [lambda x: x, functools.partial(lambda x: x), Nameless(), Nameless().__call__])
def test_program_name_is_that_of_jaxs_program(fun) -> None:
    jitted = jax.jit(fun)

    name = jax_internals.program_name(fun, jax_internals.jitted_name(jitted))

    assert f"module @jit_{re.sub('[^a-zA-Z0-9_.-]', '_', name)}".rstrip("_") in jitted.lower(1.0).as_text()


def test_array_parts_of_a_deleted_array_have_no_layout() -> None:
    x = jnp.ones(3)
    x.delete()

    assert jax_internals.array_parts(x)[-1] is None


def test_xla_is_called_by_the_function_around_it_which_can_stop_it(backend_compiles: list[str]) -> None:
    assert jax_internals.can_call_around_xla()
    calls: list[str] = []
    armed = [True]

    def around(_: Any, compile: Any) -> Any:
        if armed:
            calls.append("before")
            raise ValueError("no compilation")
        return compile()

    jax_internals.call_around_xla(around)
    f = jax.jit(lambda x: x * 3)
    with pytest.raises(ValueError, match="no compilation"):
        f(np.ones(7))
    armed.clear()

    assert calls == ["before"]
    assert f(np.ones(7))[0] == 3


@pytest.mark.parametrize(("options", "expected"), [
    ({}, set()), ({"donate_argnums": 1}, {1, "y"}), ({"donate_argnames": ("x", "z")}, {0, 2, "x", "z"}),
])  # fmt: skip
def test_donated_arguments_are_resolved_from_each_other(options, expected) -> None:
    jitted = jax.jit(lambda x, y, z=0: x, **options)

    assert jax_internals.donated_arguments(jitted) == expected


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_zero_keys_are_uncommitted_keys_of_the_dtype(implementation) -> None:
    like = jax.random.key(0, impl=implementation)

    made = jax_internals.zero_keys((2, 3), like.dtype)

    assert (made.dtype, made.shape, made.committed) == (like.dtype, (2, 3), like.committed)
    assert not np.asarray(jax.random.key_data(made)).any()


def test_weakly_typed_array_is_dispatched_like_one_from_a_number() -> None:
    calls = []
    f = hooked(lambda x: x + 1, calls)

    made = jax_internals.weakly_typed(jax.device_put(np.zeros(3, np.float32)))
    f(jnp.full((3,), 1.0)), f(made)

    assert made.weak_type and not made.committed
    assert len(calls) == 1
