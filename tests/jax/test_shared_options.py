"""Watched functions of one function share one record: their options are agreed on or refused, never lost in silence."""

from __future__ import annotations

import gc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import JitwatchError, RecompilationError, watch, watched_jit


def make() -> Any:
    def step(x: Any, n: int = 2) -> Any:
        return x * n

    return step


def is_limited(*functions: Any) -> bool:
    """Whether the second program of a function is stopped, by whichever of these it is called."""
    functions[0](jnp.ones(1))
    stopped = []
    for f in functions:
        try:
            f(jnp.ones(2))
            stopped.append(False)
        except RecompilationError:
            stopped.append(True)
    assert len(set(stopped)) == 1
    return stopped[0]


LIMIT: dict[str, Any] = {"max_compiles": 1, "on_excess": "raise"}


def test_limit_holds_whatever_is_watched_after_it() -> None:
    step = make()
    first = watched_jit(step, **LIMIT)
    others = [watched_jit(step), watched_jit(step, max_keys=7), watch(jax.jit(step)), watched_jit(step, **LIMIT)]

    assert is_limited(first, *others)
    assert is_limited(others[2]) and is_limited(*others)


def test_limit_that_comes_later_holds_for_all() -> None:
    step = make()
    first = watched_jit(step)
    second = watched_jit(step, **LIMIT)

    assert is_limited(first, second)


@pytest.mark.parametrize("form", ["plain", "decorator", "watch of it", "watched again"])
def test_limit_on_a_watched_function_holds(form: str) -> None:
    first = watched_jit(make())
    limited = {
        "plain": lambda: watched_jit(first, **LIMIT), "decorator": lambda: watched_jit(**LIMIT)(first),
        "watch of it": lambda: watch(first, **LIMIT), "watched again": lambda: watched_jit(watched_jit(first), **LIMIT),
    }[form]()  # fmt: skip

    assert is_limited(limited)


@pytest.mark.parametrize(("first", "second", "told"), [
    ({"max_compiles": 1}, {"max_compiles": 5}, "max_compiles=1, and now with max_compiles=5"),
    ({"max_keys": 1}, {"max_keys": 2}, "max_keys=1, and now with max_keys=2"),
    ({"warn_compiles": 1}, {"warn_compiles": 2}, "warn_compiles=1, and now with warn_compiles=2"),
    (LIMIT, LIMIT | {"on_excess": print}, "on_excess='raise', and now with on_excess=print"),
    ({"expect": {"x": (3,)}}, {"expect": {"x": (4,)}}, r"expect=[{'x': (3,)}], and now with expect=[{'x': (4,)}]"),
])  # fmt: skip
def test_options_that_contradict_are_refused(first: Any, second: Any, told: str) -> None:
    step = make()
    kept = watched_jit(step, **first)

    with pytest.raises(JitwatchError) as error:
        watched_jit(step, **second)
    assert f"step is watched already with {told}. Watched functions of one function share" in str(error.value)
    with pytest.raises(JitwatchError):
        watch(jax.jit(step), **second)
    watched_jit(step, **first)

    del kept
    gc.collect()
    watched_jit(step, **second)


def test_options_of_a_function_that_is_gone_stand_in_nobodys_way() -> None:
    step = make()
    for limit in (1, 2, 3):
        f = watched_jit(step, max_compiles=limit, on_excess="raise")
        f.itself = f  # only the cycle collector frees it
        f(np.ones(limit))
        del f


def test_other_jit_options_make_another_function_with_options_of_its_own() -> None:
    step = make()
    limited, free = watched_jit(step, **LIMIT), watched_jit(step, donate_argnums=0, max_compiles=9)

    free(jnp.ones(1)), free(jnp.ones(2)), free(jnp.ones(3))

    assert is_limited(limited)


def test_expected_calls_of_static_objects_hold_while_the_function_exists() -> None:
    class Config:
        """Equal only to itself."""

    def step(x: Any, config: Any) -> Any:
        return x

    config = Config()
    f = watched_jit(step, static_argnums=1, expect=jitwatch.spec(jnp.ones(3), config), on_excess="raise")
    gc.collect()

    f(jnp.ones(3), config)
    with pytest.raises(RecompilationError):
        f(jnp.ones(3), Config())
    with pytest.raises(RecompilationError):
        f(jnp.ones(4), config)


def test_limit_holds_for_what_is_compiled_ahead_after_the_function_is_gone() -> None:
    step = make()
    first, second = [watched_jit(step, **LIMIT).lower(jnp.ones(size)) for size in (1, 2)]

    first.compile()
    with pytest.raises(RecompilationError):
        second.compile()
