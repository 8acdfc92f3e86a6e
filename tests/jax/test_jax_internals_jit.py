"""What jitwatch assumes of the calls and warnings of `jax.jit`, and of the treedefs of C++."""

from __future__ import annotations

import gc
import warnings
import weakref
from typing import Any

import jax
import pytest

from jitwatch._capture import jax_internals


class Config:
    """Hashable by identity."""


def parts() -> tuple[Any, weakref.ref[Config]]:
    """The treedef of a call's traced argument, and its static argument."""
    config = Config()
    signature, _ = jax_internals.split_arguments((config, {"a": 1.0}), {}, (0,), ())
    return signature.dynamic_arg_treedefs[0], weakref.ref(config)


def test_lone_treedef_is_equal_and_keeps_no_static_argument() -> None:
    treedef, config = parts()
    gc.collect()
    assert config() is not None, "if this fails, lone_treedef() is needed no more"

    lone = jax_internals.lone_treedef(treedef)
    assert lone == treedef and hash(lone) == hash(treedef) and {lone: 1}[treedef] == 1
    del treedef
    gc.collect()

    assert config() is None


def test_lone_treedef_of_keys_and_leaves() -> None:
    for value in (1.0, None, (), jax.random.key(0), {"a": [1, (2, None)]}):
        signature, _ = jax_internals.split_arguments((value,), {}, (), ())
        treedef = signature.dynamic_arg_treedefs[0]
        assert jax_internals.lone_treedef(treedef) == treedef


def f(x: Any) -> Any:
    return x


@pytest.mark.parametrize("options", [
    {}, {"static_argnums": 0}, {"donate_argnums": (0,)}, {"keep_unused": True}, {"inline": True},
    {"in_shardings": None}, {"compiler_options": {}},
])  # fmt: skip
def test_is_plain_use_of_jit_where_jax_has_nothing_to_warn_of(options: dict[str, Any]) -> None:
    assert jax_internals.is_plain_use_of_jit((f,), options)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        jax.jit(f, **options)


@pytest.mark.parametrize(("fun", "options"), [((f,), {"backend": "cpu"}), ((f,), {"device": None}), ((), {"fun": f}),
                                              ((f, None), {})])  # fmt: skip
def test_is_plain_use_of_jit_is_false_where_it_may(fun: Any, options: dict[str, Any]) -> None:
    assert not jax_internals.is_plain_use_of_jit(fun, options)


def test_jit_another_shares_the_caches_and_keeps_the_function_only(backend_compiles: list[str]) -> None:
    jitted = jax.jit(lambda x: x + 1)
    jitted(1.0)
    made, gone = len(backend_compiles), weakref.ref(jitted)

    another = jax_internals.jit_another(jitted)
    del jitted
    gc.collect()

    assert gone() is None
    another()(1.0)
    assert len(backend_compiles) == made
