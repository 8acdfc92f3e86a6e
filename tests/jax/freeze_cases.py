"""Calls to forbid: each is warm, and one that is not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jitwatch import watched_jit


class Opaque:
    value = 2.0


class Case:
    """A warm function, a call that is warm, and one that would compile."""

    def __init__(self, warm: Callable[[], Any], cold: Callable[[], Any]) -> None:
        self.warm, self.cold = warm, cold


def on_mesh(*names: str | None) -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.devices()[:4]), "a"), PartitionSpec(*names))


def argument_case(warm: Any, cold: Any) -> Case:
    f = watched_jit(lambda x: jax.tree_util.tree_map(lambda leaf: leaf * 2, x))
    return Case(functools.partial(f, warm), functools.partial(f, cold))


def static_case(warm: Any, cold: Any) -> Case:
    f = watched_jit(lambda x, n: x * 2, static_argnames="n")
    x = jnp.ones(3)
    return Case(lambda: f(x, n=warm), lambda: f(x, n=cold))


def keyword_case() -> Case:
    f = watched_jit(lambda x, y: x + y)
    x = jnp.ones(3)
    return Case(lambda: f(x, x), lambda: f(x, y=x))


def identity_case() -> Case:
    def make() -> Any:
        return watched_jit(lambda x: x * 2)

    first, x = make(), jnp.ones(3)
    return Case(lambda: first(x), lambda: make()(x))


def context_case() -> Case:
    f, x = watched_jit(lambda x: x @ x), jnp.ones((3, 3))

    def cold() -> Any:
        with jax.default_matmul_precision("highest"):
            return f(x)

    return Case(lambda: f(x), cold)


def cleared_case() -> Case:
    f, x = watched_jit(lambda x: x * 2), jnp.ones(3)

    def cold() -> Any:
        f.clear_cache()
        return f(x)

    return Case(lambda: f(x), cold)


def transform_case() -> Case:
    f, x = watched_jit(lambda x: x * 2), jnp.ones(3)
    return Case(lambda: f(x), lambda: jax.vmap(f)(x))


def key_case() -> Case:
    f = watched_jit(lambda key: jax.random.key_data(key) if key.dtype != jnp.uint32 else key)
    typed, raw = jax.random.key(0), jax.random.PRNGKey(0)
    return Case(lambda: f(typed), lambda: f(raw))


CASES: dict[str, Callable[[], Case]] = {
    "shape": lambda: argument_case(jnp.ones(3), jnp.ones(4)),
    "dtype": lambda: argument_case(jnp.ones(3), jnp.ones(3, "int32")),
    "weak_type": lambda: argument_case(jnp.float32(1), 1.0),
    "tree_structure": lambda: argument_case([jnp.ones(3)], (jnp.ones(3),)),
    "static_value": lambda: static_case(1, 2),
    "static_identity": lambda: static_case(Opaque(), Opaque()),
    "arg_kind": keyword_case,
    "function_identity": identity_case,
    "config_context": context_case,
    "key_impl": key_case,
    "cache_cleared": cleared_case,
    "transform": transform_case,
    "committed": lambda: argument_case(jnp.ones(3), jax.device_put(jnp.ones(3), jax.devices()[0])),
    "sharding": lambda: argument_case(
        jax.device_put(jnp.ones(8), on_mesh()), jax.device_put(jnp.ones(8), on_mesh("a"))
    ),
    "first": lambda: Case(lambda: None, functools.partial(watched_jit(lambda x: x * 2), jnp.ones(3))),
}
