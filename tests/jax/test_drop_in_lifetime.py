"""Watching keeps nothing alive: functions, arguments and results go when they would go with plain `jax.jit`."""

from __future__ import annotations

import gc
import weakref

import jax
import jax.numpy as jnp
import pytest
from side_by_side import same

from jitwatch import watched_jit
from jitwatch._api import pickling
from jitwatch._capture.hook import body
from jitwatch._capture.hook.registry import registry
from jitwatch._capture.keys.trees import statics
from jitwatch._state import part


@pytest.fixture(autouse=True)
def without_cycle_collection():
    """Objects go by reference counting alone, so that nothing may hang on a cycle."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Config:
    """Hashable by identity; made to be a static argument."""


@jax.tree_util.register_pytree_node_class
class Node:
    """A pytree node that carries an object of the user's in its static part."""

    def __init__(self, child, data):
        self.child, self.data = child, data

    def tree_flatten(self):
        return (self.child,), self.data

    @classmethod
    def tree_unflatten(cls, data, children):
        return cls(*children, data)


def alive(references):
    return [name for name, reference in references.items() if reference() is not None]


def use(f, *args, **kwargs):
    """All that one does with a jitted function."""
    for _ in range(3):
        f(*args, **kwargs)
    f.lower(*args, **kwargs).compile()
    f.trace(*args, **kwargs)
    f.eval_shape(*args, **kwargs)


def test_dropped_function_is_freed_at_once() -> None:
    def observe(jit):
        def function(x):
            return x + 1

        f = jit(function)
        use(f, 1.0)
        jax.vmap(f)(jnp.ones(2)), jax.grad(f)(1.0), jax.make_jaxpr(f)(1.0)
        references = {"jitted": weakref.ref(f), "function": weakref.ref(function)}
        del f, function
        at_once = alive(references)
        jax.clear_caches()
        return at_once, alive(references)

    same(observe)


def test_watched_functions_methods_keep_nothing_alive_after_it() -> None:
    f = watched_jit(lambda x: x + 1)
    use(f, 1.0)
    f.cache_report(), f.cache_keys(), f.cache_key(1.0), f.cache_stats()
    references = {"jitted": weakref.ref(f), "function": weakref.ref(f.__wrapped__)}

    del f

    assert alive(references) == []


def test_arguments_and_results_are_freed_at_once() -> None:
    def observe(jit):
        f = jit(lambda x: {"y": x + 1})
        argument = jnp.ones(3)
        result = f(argument)["y"]
        use(f, argument)
        references = {"argument": weakref.ref(argument), "result": weakref.ref(result)}
        del argument, result
        return alive(references)

    assert same(observe) == []


def test_static_argument_is_freed_with_jaxs_caches() -> None:
    def observe(jit):
        f = jit(lambda x, n: x, static_argnames="n")
        config = Config()
        use(f, 1.0, n=config)
        reference = {"config": weakref.ref(config)}
        del config
        held = alive(reference)
        jax.clear_caches()
        return held, alive(reference)

    same(observe)


def test_static_argument_goes_with_the_function() -> None:
    def observe(jit):
        f = jit(lambda x, n: x, static_argnames="n")
        config = Config()
        f(1.0, n=config), f(1.0, n=config)
        reference = {"config": weakref.ref(config)}
        del config, f
        return alive(reference)

    same(observe)


def test_objects_in_a_pytree_are_freed_with_jaxs_caches() -> None:
    def observe(jit):
        f = jit(lambda node: node.child)
        data = Config()
        f(Node(1.0, data)), f(Node(1.0, data))
        reference = {"data": weakref.ref(data)}
        del data
        held = alive(reference)
        f.clear_cache()
        jax.clear_caches()
        return held, alive(reference)

    same(observe)


def test_closed_over_array_goes_with_the_function() -> None:
    def observe(jit):
        def make():
            constant = jnp.arange(5.0)
            return jit(lambda x: x + constant), {"constant": weakref.ref(constant)}

        f, reference = make()
        f(jnp.ones(5)), f(jnp.ones(5))
        del f
        held = alive(reference)
        jax.clear_caches()
        return held, alive(reference)

    same(observe)


@pytest.mark.parametrize("call", [
    lambda f, x: f(x), lambda f, x: f.lower(x), lambda f, x: jax.grad(f)(x), lambda f, x: f(x, object()),
], ids=["call", "lower", "grad", "too many"])  # fmt: skip
def test_failed_call_keeps_nothing_alive(call) -> None:
    def observe(jit):
        def function(x):
            raise ValueError("broken")

        f, argument = jit(function), jnp.ones(())
        references = {"jitted": weakref.ref(f), "function": weakref.ref(function), "argument": weakref.ref(argument)}
        for _ in range(2):
            try:
                call(f, argument)
            except (ValueError, TypeError):
                pass
        del f, function, argument
        at_once = alive(references)
        gc.collect()
        jax.clear_caches()
        return at_once, alive(references)

    same(observe)


def test_refused_argument_is_not_kept_alive() -> None:
    def observe(jit):
        class Strange:
            def __hash__(self):
                raise ValueError("no hash")

        f, strange = jit(lambda x, n: x, static_argnums=1), Strange()
        reference = {"strange": weakref.ref(strange)}
        for _ in range(2):
            try:
                f(1.0, strange)
            except ValueError:
                pass
        del strange
        return alive(reference)

    same(observe)


def test_bound_method_keeps_its_object_as_long_as_with_plain_jit() -> None:
    def observe(jit):
        class Net:
            def step(self, x):
                return x + 1

        net = Net()
        f = jit(net.step)
        f(1.0), f(1.0)
        reference = {"net": weakref.ref(net)}
        del net
        held = alive(reference)
        del f
        return held, alive(reference)

    same(observe)


def test_defining_a_function_again_and_again_leaves_nothing() -> None:
    def sizes():
        parts = (part(body._Bodies).known, registry().hooked, part(pickling._Here).functions, statics())
        return [len(each) for each in parts]

    before = sizes()
    for i in range(50):

        @watched_jit
        def f(x, i=i):
            return x + i

        f(1.0)
        del f

    assert sizes() == before


def test_static_self_is_freed_with_jaxs_caches() -> None:
    def observe(jit):
        class Net:
            step = jit(lambda self, x: x, static_argnums=0)

        net = Net()
        net.step(1.0), net.step(1.0)
        reference = {"net": weakref.ref(net)}
        del net
        jax.clear_caches()
        return alive(reference)

    same(observe)
