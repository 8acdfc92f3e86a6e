"""Declarations for real functions: which keys they cover, and which do not fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jitwatch import JitwatchError, spec, watched_jit
from jitwatch._api.declared_calls import declared_for
from jitwatch._capture.hook.registry import watch_of

S = jax.ShapeDtypeStruct


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Box:
    x: Any
    scale: int = dataclasses.field(metadata={"static": True}, default=2)


@pytest.mark.parametrize(("expect", "call", "covered"), [
    (spec(S((8, 3), "float32")), spec(jnp.ones((8, 3))), True),
    (spec(S((8, 3), "float32")), spec(np.ones((8, 3), np.float32)), True),
    (spec(S((8, 3), "float64")), spec(jnp.ones((8, 3))), True),
    (spec(S((8, 3), "float32")), spec(jnp.ones((8, 4))), False),
    (spec(S((8, 3), "float32")), spec(jnp.ones((8, 3)), 2), False),
    (spec(S((), "float32"), 2), spec(jnp.ones(()), 2), True), (spec(S((), "float32"), 2), spec(jnp.ones(()), n=2), False),
    (spec(S((), "float32"), 2), spec(jnp.ones(()), 3), False), (spec(S((), "float32"), 2), spec(jnp.ones(()), 2.0), False),
    (spec(S((), "float32"), max), spec(jnp.ones(()), max), True), (spec(S((), "float32"), max), spec(jnp.ones(()), min), False),
    (spec(1), spec(7), True), (spec(1), spec(jnp.int32(7)), True), (spec(1), spec(1.0), False),
    (spec(..., 2), spec({"a": jnp.ones(3)}, 2), True), (spec(..., ...), spec(1, 3), True),
    (spec({"a": S((2,), "int32")}), spec({"a": np.ones(2, np.int32)}), True),
    (spec({"a": S((2,), "int32")}), spec({"b": np.ones(2, np.int32)}), False),
    (spec(Box(S((2,), "int32"))), spec(Box(np.ones(2, np.int32))), True),
    (spec(Box(S((2,), "int32"), 3)), spec(Box(np.ones(2, np.int32))), False),
    (spec(S((), jax.random.key(0).dtype)), spec(jax.random.key(1)), True),
    ({"x['a']": (None, 2)}, spec({"a": np.ones((5, 2))}), True), ({"x": (), "n": 2}, spec(1.0, 2), True),
    ({"n": 2}, spec(1.0, 3), False), ([{"n": 2}, {"n": 3}], spec(1.0, 3), True),
])  # fmt: skip
def test_declaration_covers_the_keys_of_such_calls(expect: Any, call: Any, covered: bool) -> None:
    f = watched_jit(lambda x, n=1: x, static_argnums=1)

    assert declared_for(watch_of(f), expect).covers(f.cache_key(*call.args, **call.kwargs)) is covered


@pytest.mark.parametrize(("expect", "message"), [
    ({"y": (3,)}, "valid are: n, x"), (spec(1, 2, 3), "cannot be called like this: too many positional"),
    (spec({"x": ...}), "`...` stands for a whole argument"), (spec("abc"), "is of type str"),
])  # fmt: skip
def test_declaration_that_does_not_fit_is_an_error(expect: Any, message: str) -> None:
    f = watched_jit(lambda x, n=1: x, static_argnums=1)

    with pytest.raises(JitwatchError) as error:
        declared_for(watch_of(f), expect)

    assert message in str(error.value)
