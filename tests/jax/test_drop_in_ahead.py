"""Options of `jax.jit`, work ahead of time, and export are those of plain `jax.jit`."""

from __future__ import annotations

import inspect
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from side_by_side import outcome, same

from jitwatch import watched_jit


def weighted(x, y, n=2):
    return {"sum": x * n + y, "y": y}


def sharding(*axes):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("i",))
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))


OPTIONS = {
    "in_shardings": lambda: {"in_shardings": (sharding("i"), sharding())},
    "out_shardings": lambda: {"out_shardings": sharding("i")},
    "static_argnums": lambda: {"static_argnums": 2},
    "static_argnames": lambda: {"static_argnames": ("n",)},
    "donate_argnums": lambda: {"donate_argnums": (0, 1)},
    "donate_argnames": lambda: {"donate_argnames": "x"},
    "keep_unused": lambda: {"keep_unused": True},
    "device": lambda: {"device": jax.devices()[1]},
    "backend": lambda: {"backend": "cpu"},
    "inline": lambda: {"inline": True},
    "compiler_options": lambda: {"compiler_options": {"xla_embed_ir_in_executable": True}},
    "abstracted_axes": lambda: {"abstracted_axes": None},
}


def quiet(make):
    """`make()` without JAX's deprecation warnings, which other tests look at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return make()


def test_every_option_of_the_installed_jit_is_tried() -> None:
    parameters = inspect.signature(jax.jit).parameters.values()

    assert {each.name for each in parameters if each.kind is each.KEYWORD_ONLY} <= set(OPTIONS)


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() & inspect.signature(jax.jit).parameters.keys()))
def test_option_has_its_effect(name) -> None:
    def observe(jit):
        f = quiet(lambda: jit(weighted, **OPTIONS[name]()))
        x, y = jnp.ones(4), jnp.ones(4)
        result = f(x, y)
        again = outcome(lambda: str(f(jnp.ones(4), jnp.ones(4), 3)))  # shardings refuse a third argument
        placed = str(jax.tree_util.tree_map(lambda leaf: leaf.sharding, result))
        program = f.lower(jnp.ones(4), jnp.ones(4)).as_text()
        nested = outcome(lambda: str(jax.make_jaxpr(f)(jnp.ones(4), jnp.ones(4))))
        return str(result), again, placed, x.is_deleted(), y.is_deleted(), program, nested

    same(observe)


@pytest.mark.parametrize("name", ["device", "backend"])
def test_deprecated_option_warns_at_the_same_line(name) -> None:
    """That of the user; JAX 0.6.1 warns at a line of its own."""

    def observe(jit):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            jit(weighted, **OPTIONS[name]())
        return [(str(each.message), each.category, each.filename) for each in caught]

    same(observe)


@pytest.mark.parametrize("static", [
    "a", 1, 1.0, True, None, (1, "b"), frozenset({1}), len, jnp.float32, np.dtype("int8"),
])  # fmt: skip
def test_static_argument_is_compared_as_with_plain_jit(static) -> None:
    def observe(jit):
        traced = []

        def f(x, n):
            traced.append(n)
            return x

        g = jit(f, static_argnames="n")
        g(1.0, n=static), g(1.0, n=static), g(1.0, static), g(1.0, static)
        return len(traced), g._cache_size()

    same(observe)


@pytest.mark.parametrize("static", [[1], {}, {1}, np.ones(2)])
def test_unhashable_static_argument_fails_as_with_plain_jit(static) -> None:
    same(lambda jit: outcome(lambda: jit(lambda x, n: x, static_argnums=1)(1.0, static)))


@pytest.mark.parametrize("argument", [
    "text", object(), np.array(["a"]), {1, 2}, len, 2**40, jax.ShapeDtypeStruct((), "float32"),
], ids=lambda argument: type(argument).__name__)  # fmt: skip
def test_argument_that_jax_refuses_fails_as_with_plain_jit(argument) -> None:
    def observe(jit):
        f = jit(lambda x: x)
        return [outcome(lambda: float(f(argument))) for _ in range(2)], float(f(3.0))

    same(observe)


def test_wrong_number_of_arguments_fails_as_with_plain_jit() -> None:
    calls = [lambda f: f(1.0), lambda f: f(1, 2, 3, 4), lambda f: f(1.0, 2.0, m=3), lambda f: f(1.0, 2.0, x=3)]

    same(lambda jit: [outcome(lambda call=call: call(jit(weighted))) for call in calls])


def test_lower_trace_and_eval_shape_give_what_plain_jit_gives() -> None:
    def observe(jit):
        f = jit(weighted, static_argnames="n", donate_argnums=0)
        lowered, traced = f.lower(jnp.ones(3), 1.0, n=3), f.trace(jnp.ones(3), 1.0, n=3)
        return (
            lowered.as_text(), str(lowered.out_info), str(lowered.args_info), traced.fun_name, str(traced.jaxpr),
            str(traced.out_info), str(f.eval_shape(jnp.ones(3), 1.0)), traced.lower().as_text(), type(lowered),
            type(traced), str(lowered.compile()(jnp.ones(3), 1.0)),
        )  # fmt: skip

    same(observe)


def test_lower_of_abstract_arguments_works() -> None:
    x, y = jax.ShapeDtypeStruct((3,), "float32"), jax.ShapeDtypeStruct((), "int32")

    same(lambda jit: jit(weighted).lower(x, y).as_text())


def test_lower_of_a_method_is_that_of_the_function() -> None:
    def observe(jit):
        class Net:
            step = jit(lambda self, x: x + 1, static_argnums=0)

        return Net().step.lower(Net(), 1.0).as_text(), outcome(lambda: Net().step.lower(1.0))

    same(observe)


def test_lower_under_disable_jit_is_that_of_plain_jit() -> None:
    def observe(jit):
        with jax.disable_jit():
            return jit(weighted).lower(1.0, 2.0).as_text()

    same(observe)


def test_eval_shape_of_jax_takes_it_as_jitted() -> None:
    def observe(jit):
        traced = []
        f = jit(lambda x: traced.append(x) or x)
        jax.eval_shape(f, 1.0), jax.eval_shape(f, 1.0), f(1.0)
        return len(traced)

    same(observe)


def test_export_gives_an_equal_program() -> None:
    pytest.importorskip("absl")  # `jax.export` of JAX 0.6 needs it and does not require it
    from jax import export

    def observe(jit):
        exported = export.export(jit(lambda x: x * 2 + 1))(jnp.ones(3))
        return exported.fun_name, exported.mlir_module(), exported.call(jnp.ones(3)).tolist()

    same(observe)


def test_clear_cache_empties_its_caches_only() -> None:
    def observe(jit):
        traced = []

        def f(x):
            traced.append(x)
            return x * 2

        first, other = jit(f), jit(lambda x: x)
        first(1.0), other(1.0)
        first.clear_cache()
        sizes = first._cache_size(), other._cache_size()
        first(1.0)
        return sizes, len(traced)

    assert same(observe) == ((0, 1), 2)


def test_clear_caches_of_jax_empties_all() -> None:
    f = watched_jit(lambda x: x * 2)
    f(1.0)

    jax.clear_caches()
    f(1.0)

    assert f._cache_size() == 1 and f.cache_info().traces == 2


@pytest.mark.parametrize("context", [
    lambda: jax.enable_x64() if hasattr(jax, "enable_x64") else jax.experimental.enable_x64(),
    lambda: jax.default_matmul_precision("highest"), lambda: jax.numpy_dtype_promotion("strict"),
    lambda: jax.default_device(jax.devices()[1]), lambda: jax.transfer_guard("log"), lambda: jax.named_scope("scope"),
    lambda: jax.threefry_partitionable(False), lambda: getattr(jax, "set_mesh", lambda mesh: mesh)(sharding().mesh),
])  # fmt: skip
def test_context_has_its_effect(context) -> None:
    def observe(jit):
        traced = []
        f = jit(lambda x: traced.append(x) or x @ x)
        x = np.ones((2, 2))
        f(x)
        with context():
            inside = f(x), f(x)
        f(x)
        return len(traced), f._cache_size(), [(str(each.dtype), str(each.devices())) for each in inside]

    same(observe)
