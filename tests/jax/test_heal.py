"""A key that is stuck on JAX's slow path is found, said, and healed on request without compiling again."""

from __future__ import annotations

import copy
from typing import Any

import jax.numpy as jnp
import pytest

import jitwatch
from jitwatch import watched_jit


def stuck() -> Any:
    """A function with one key that fell off the fast path, called slowly three times since, and one that did not."""
    f = watched_jit(lambda x: x * 2)
    with pytest.raises(OverflowError):
        f(2**40)  # has the key of every Python int
    for _ in range(4):  # the first one compiles
        f(3)
    for _ in range(3):
        f(jnp.ones(3))
    return f


def test_stuck_key_is_found_and_healed_without_compiling() -> None:
    f = stuck()
    assert [finding.code for finding in f.check()] == ["JW601"]
    before = f.cache_info()

    assert f.heal() == 1
    for _ in range(4):
        f(3), f(jnp.ones(3))

    after = f.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (8, 0)
    assert (after.traces, after.compiles) == (before.traces, before.compiles)
    assert f.check() == []
    assert f.heal() == 0


def test_advice_names_the_method_that_heals() -> None:
    (advice,) = (finding.advice for finding in stuck().check() if finding.code == "JW601")

    assert " heal()" in advice


def test_stuck_key_is_said_after_a_hundred_slow_calls() -> None:
    f = stuck()

    with pytest.warns(jitwatch.CacheChurnWarning, match="slowly for ever") as caught:
        for _ in range(250):
            f(3)

    assert len(caught) == 1 and caught[0].message.alert.code == "JW601"


def test_method_goes_with_the_function_into_a_copy() -> None:
    f = stuck()

    assert copy.deepcopy(f).heal() == 1
