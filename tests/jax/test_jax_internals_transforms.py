"""What jitwatch assumes of JAX's tracers, and of the functions that its transforms give back: a test for each function."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jitwatch._capture.jax_internals import tracers, transforms


def loss(w, x):
    return (w * x).sum()


def test_tracer_value_unwraps_transforms_and_ends_at_a_jaxpr() -> None:
    kinds = []

    def f(x):
        kinds.append(type(tracers.tracer_value(x)))
        return x * 2.0

    jax.grad(f)(jnp.ones(())), jax.vmap(f)(jnp.ones(2)), jax.jit(f)(1.0)

    assert [issubclass(kind, jax.Array) for kind in kinds[:2]] == [True, True]
    assert kinds[2] is type(None)


def test_array_inside_is_what_all_transforms_stand_for() -> None:
    seen: list[Any] = []
    x = jax.device_put(jnp.ones((2, 3)), jax.devices()[1])

    jax.vmap(jax.grad(lambda x: seen.append(tracers.array_inside(x)) or x.sum()))(x)
    jax.jit(lambda x: seen.append(tracers.array_inside(x)) or x)(x)

    assert seen[0].sharding == x.sharding
    assert seen[1] is None


@pytest.mark.parametrize(("around", "expected"), [
    (jax.jit, ("trace",)),
    (jax.grad, ("grad",)),
    (lambda f: lambda x: jax.jvp(f, (x,), (x,)), ("jvp",)),
    (jax.vmap, ("vmap[3]",)),
    (lambda f: jax.vmap(f, axis_name="i"), ("vmap[3, axis_name='i']",)),
    (lambda f: jax.vmap(f, spmd_axis_name="i"), ("vmap[3, spmd_axis_name=('i',)]",)),
    (lambda f: lambda x: jax.vmap(f, 1)(jnp.ones((2, 3))), ("vmap[3, over 1]",)),
    (lambda f: jax.grad(lambda x: jax.vmap(f)(x).sum()), ("vmap[3]", "grad")),
    (lambda f: jax.vmap(jax.grad(f)), ("grad", "vmap[3]")),
    (lambda f: lambda x: f(x), ()),
])  # fmt: skip
def test_transforms_of_says_what_is_under_way(around: Any, expected: tuple[str, ...]) -> None:
    seen = []

    around(lambda x: seen.append(tracers.transforms_of([x, 1.0])) or x.sum())(jnp.ones(3))

    assert [tuple(one.replace(" -", "") for one in each) for each in seen] == [expected]


def test_transforms_of_many_leaves_is_short() -> None:
    seen = []

    def note(*leaves):
        seen.append(tracers.transforms_of(leaves))
        return leaves[0]

    for last in (0, 1):
        jax.vmap(note, in_axes=(*[1] * 30, last))(*[jnp.ones((2, 2))] * 31)

    assert seen[0] != seen[1]
    assert len(seen[0][0]) < 80


RULED = jax.custom_vjp(loss)
RULED.defvjp(lambda w, x: (loss(w, x), w), lambda w, g: (g * w, g))
PUSHED = jax.custom_jvp(loss)


@pytest.mark.parametrize(("fun", "name", "options"), [
    (jax.grad(loss), "grad", {}),
    (jax.grad(loss, argnums=1), "grad", {"argnums": 1}),
    (jax.value_and_grad(loss, has_aux=True), "value_and_grad", {"has_aux": True}),
    (jax.vmap(loss), "vmap", {}),
    (jax.vmap(loss, (None, 0)), "vmap", {"in_axes": (None, 0)}),
    (jax.jacfwd(loss), "jacfwd", {}),
    (jax.jacrev(loss), "jacrev", {}),
    (jax.checkpoint(loss), "checkpoint", {}),
    (jax.jit(loss), "jit", {}),
    (RULED, "custom_vjp", {}),
    (PUSHED, "custom_jvp", {}),
])  # fmt: skip
def test_transform_around_finds_what_it_was_given(fun: Any, name: str, options: dict[str, Any]) -> None:
    found = transforms.transform_around(fun)

    assert found is not None
    assert (found.name, found.options, found.functions[0]) == (name, options, loss)


def test_transform_around_finds_rules() -> None:
    found = transforms.transform_around(RULED)

    assert found is not None
    assert len(found.functions) == 3


@pytest.mark.parametrize("fun", [loss, functools.partial(loss, 1.0), len, object(), jax.tree_util.Partial(loss, 1.0)])
def test_transform_around_nothing_is_none(fun: Any) -> None:
    assert transforms.transform_around(fun) is None
    assert transforms.residuals_of(fun) is None


def test_residuals_of_vjp_and_linearize_are_arrays() -> None:
    for made in (jax.vjp(jnp.sin, jnp.ones(3))[1], jax.linearize(jnp.sin, jnp.ones(3))[1]):
        assert [leaf.shape for leaf in transforms.residuals_of(made) or ()] == [(3,)]


def test_is_written_in_jax_and_is_of_jax() -> None:
    assert transforms.is_written_in_jax(jax.nn.initializers.zeros)
    assert not transforms.is_written_in_jax(loss)
    assert transforms.is_of_jax(jax.jit(loss))
    assert not transforms.is_of_jax(loss)
