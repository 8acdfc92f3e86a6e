"""Ways to use a jitted function, each of which leaves behind weak references to what must go with it.

Run as a script, under `jitwatch run`, it prints which of them kept something alive, and the megabytes of so many trainers.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import sys
import typing
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jitwatch
from jitwatch.testing import assert_compiles

References = list["weakref.ref[Any]"]
alive_functions: list[Any] = []
"""Functions that go on to exist, while what was given to them must not."""


class Token:
    """Something of the user's."""


class Trainer:
    """The common shape: a jitted bound method, and data beside it."""

    def __init__(self, jit: Any, size: int = 64) -> None:
        self.params = jnp.ones((size, size))
        self.step = jit(self._step)

    def _step(self, x: Any) -> Any:
        return x + 1

    def note(self, alert: Any) -> None:
        """For `on_excess=`."""


def closing_over(jit: Any, **options: Any) -> tuple[Any, Token]:
    """A jitted function that refers to a token, which refers to the function."""
    token = Token()
    f = jit(lambda x: (token, x)[1], **options)
    token.f = f  # type: ignore[attr-defined]
    return f, token


def method(jit: Any) -> References:
    trainer = Trainer(jit)
    trainer.step(1.0), trainer.step(1.0)
    return [weakref.ref(trainer), weakref.ref(trainer.params)]


def partial_of_a_method(jit: Any) -> References:
    trainer = Trainer(lambda function: jit(functools.partial(Trainer._step, function.__self__)))
    trainer.step(1.0)
    return [weakref.ref(trainer)]


def calls_itself(jit: Any) -> References:
    token = Token()

    @functools.partial(jit, static_argnums=1)
    def f(x: Any, n: int = 0) -> Any:
        return (token, x)[1] if n == 0 else f(x, n - 1)

    f(1.0, 2)
    return [weakref.ref(token)]


def callable_object(jit: Any) -> References:
    class Called:
        f: Any

        def __call__(self, x: Any) -> Any:
            return x + 1

    called = Called()
    called.f = jit(called)
    called.f(1.0)
    return [weakref.ref(called)]


def transforms(jit: Any) -> References:
    f, token = closing_over(jit)
    outer = jit(lambda x: f(x) + 1)
    token.outer = outer  # type: ignore[attr-defined]
    outer(1.0), jax.grad(outer)(1.0), jax.vmap(f)(jnp.ones(3)), jit(jax.grad(f))(1.0)
    return [weakref.ref(token)]


def jit_of_jit(jit: Any) -> References:
    f, token = closing_over(jit)
    token.again = jit(f)  # type: ignore[attr-defined]
    token.again(1.0)  # type: ignore[attr-defined]
    return [weakref.ref(token)]


def watch_of_jit(jit: Any) -> References:
    f, token = closing_over(jax.jit)
    token.f = jitwatch.watch(f)  # type: ignore[attr-defined]
    token.f(1.0)  # type: ignore[attr-defined]
    return [weakref.ref(token)]


def failing(jit: Any) -> References:
    token = Token()

    def f(x: Any) -> Any:
        raise KeyError(token)

    token.f = jit(f)  # type: ignore[attr-defined]
    for _ in range(2):
        try:
            token.f(1.0)  # type: ignore[attr-defined]
        except KeyError:
            pass
    return [weakref.ref(token)]


def named_tuple_of_a_function(jit: Any) -> References:
    class State(typing.NamedTuple):
        x: Any

    jit(lambda state: state.x + 1)(State(1.0))
    return [weakref.ref(State)]


def static_object(jit: Any) -> References:
    @dataclasses.dataclass(frozen=True)
    class Config:
        number: int
        token: Token

    config = Config(3, Token())
    jit(lambda x, c: x["a"], static_argnums=1)({"a": 1.0, f"b{id(config)}": 2.0}, config)
    return [weakref.ref(config), weakref.ref(config.token)]


def function_in_a_pytree(jit: Any) -> References:
    token = Token()
    jit(lambda p: p(1.0))(jax.tree_util.Partial(lambda x: (token, x)[1]))
    return [weakref.ref(token)]


def ahead(jit: Any) -> References:
    token, array = Token(), jnp.ones(33)

    def fun(x: Any) -> Any:
        return (token, x)[1]

    fun.__name__ = f"fun{id(token)}"
    token.f = jit(fun)  # type: ignore[attr-defined]
    f: Any = token.f  # type: ignore[attr-defined]
    f.lower(array).compile()(array), f.lower(array), f.trace(array), f.eval_shape(array)
    return [weakref.ref(token), weakref.ref(array)]


def copies(jit: Any) -> References:
    f, token = closing_over(jit)
    f(1.0), copy.copy(f)(1.0), copy.deepcopy(f)(1.0)
    token.copies = copy.copy(f), copy.deepcopy(f)  # type: ignore[attr-defined]
    return [weakref.ref(token)]


def blocks(jit: Any) -> References:
    f, token = closing_over(jit)
    with assert_compiles(f, exactly=1), jitwatch.recording(), jitwatch.context(token=token):
        f(1.0)
    with jitwatch.call_log(lambda line: None), jitwatch.no_compiles():
        f(1.0)
    jitwatch.report()
    return [weakref.ref(token)]


def stopped(jit: Any) -> References:
    (f, token), array = closing_over(jit), jnp.ones(7)
    try:
        with jitwatch.no_compiles():
            f(array)
    except jitwatch.RecompilationError:
        pass
    return [weakref.ref(token), weakref.ref(array)]


def churning(jit: Any) -> References:
    f, token = closing_over(jit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for size in range(3, 24, 3):
            f(np.ones(size))
    return [weakref.ref(token)]


def asked_of_a_watched_function(_: Any) -> References:
    f, token = closing_over(jitwatch.watched_jit, max_compiles=3)
    f(1.0)
    with jitwatch.no_compiles(f):
        f(1.0)
    f.cache_keys()[0].jaxpr(), f.check(), f.heal(), f.cache_report(), f.cache_key(1.0)
    return [weakref.ref(token)]


def method_for_excess(_: Any) -> References:
    trainer = Trainer(lambda f: jitwatch.watched_jit(f, max_compiles=9, on_excess=f.__self__.note))
    trainer.step(1.0)
    return [weakref.ref(trainer)]


def expected_arrays(_: Any) -> References:
    array, tree = jnp.ones((64, 64)), {"w": np.ones((10, 10))}
    expect = [jitwatch.spec(array, y=tree), {"x": array}]
    f = jitwatch.watched_jit(lambda x, y=None: x + 1, expect=expect, on_excess="raise")
    f(array, y=tree)
    alive_functions.append(f)
    return [weakref.ref(array), weakref.ref(tree["w"])]


def _warmed(**how: Any) -> Callable[[Any], References]:
    def warmed(_: Any) -> References:
        array = jnp.ones((64, 64))
        f = jitwatch.watched_jit(lambda x: x + 1)
        f.warm_up(jitwatch.spec(array), **how)
        f.warm_up(jitwatch.spec(...), like=(array,), **how)
        alive_functions.append(f)
        return [weakref.ref(array)]

    return warmed


CASES: dict[str, Callable[[Any], References]] = {
    each.__name__: each
    for each in (
        method, partial_of_a_method, calls_itself, callable_object, transforms, jit_of_jit, watch_of_jit, failing,
        named_tuple_of_a_function, static_object, function_in_a_pytree, ahead, copies, blocks, stopped, churning,
        asked_of_a_watched_function, method_for_excess, expected_arrays,
    )
}  # fmt: skip
CASES |= {"warmed": _warmed(), "warmed_by_threads": _warmed(threads=2), "warmed_ahead_only": _warmed(run=False)}
WITH_JAXS_CACHES = ("named_tuple_of_a_function", "static_object", "function_in_a_pytree")
"""What plain JAX frees with its caches, and no sooner."""


def kept(name: str, jit: Any) -> int:
    """How many objects outlive their last use in a case, with the cycle collector on."""
    references = CASES[name](jit) + CASES[name](jit)
    if name in WITH_JAXS_CACHES:
        jax.clear_caches()
    gc.collect()
    return sum(reference() is not None for reference in references)


def megabytes_left(jit: Any, trainers: int) -> float:
    """What is left of so many trainers with 1 MB of parameters each, made and dropped one after the other."""
    gc.collect()
    before = sum(array.nbytes for array in jax.live_arrays())
    for _ in range(trainers):
        Trainer(jit, 512).step(1.0)
    gc.collect()
    return (sum(array.nbytes for array in jax.live_arrays()) - before) / 2**20


if __name__ == "__main__":
    print("kept:", [name for name in CASES if kept(name, jax.jit)], megabytes_left(jax.jit, int(sys.argv[1])))
