"""Plain values that a cached program keeps although they are others now."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jitwatch import watched_jit

X = np.ones(3, np.float32)
scale: Any = 1.0
unread = 1.0
runs = 0


def reads_global(x):
    return x * np.float32(np.sum(scale))


def made(value: Any) -> tuple[Callable[..., Any], Callable[[Any], None]]:
    """A function that reads a closure variable, and what sets that."""

    def reads_closure(x):
        return x * np.float32(np.sum(value))

    def change(new: Any) -> None:
        nonlocal value
        value = new

    return reads_closure, change


def stale(function: Any) -> list[tuple[str, ...]]:
    return [finding.where for finding in function.check() if finding.cause == "stale_capture"]


@pytest.mark.parametrize(("old", "new"), [
    (1.0, 2.0), (1, 1.0), (True, False), ((1, 2), (1, 3)), (np.ones(3), np.zeros(3)), (0, 5),
])  # fmt: skip
def test_changed_closure_value_is_found_with_its_line(old: Any, new: Any) -> None:
    fun, change = made(old)
    f = watched_jit(fun)
    f(X)
    assert stale(f) == []

    change(new)

    ((where,),) = stale(f)
    assert where.startswith("value at ")
    assert where.endswith(f"test_captured.py:{fun.__code__.co_firstlineno + 1}")


def test_changed_global_is_found_until_the_program_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    f = watched_jit(reads_global)
    f(X)

    monkeypatch.setitem(globals(), "scale", 3.0)

    (finding,) = f.check()
    assert (finding.code, "1.0 -> 3.0" in finding.message) == ("JW701", True)
    f.clear_cache()
    assert np.allclose(f(X), 3)
    assert stale(f) == []


@pytest.mark.parametrize("wrap", [functools.partial, lambda fun: functools.partial(fun)])
def test_function_within_a_partial_is_looked_at(wrap: Any) -> None:
    fun, change = made(1.0)
    f = watched_jit(wrap(fun))
    f(X)

    change(2.0)

    assert len(stale(f)) == 1


def test_value_set_back_is_quiet() -> None:
    fun, change = made(1.0)
    f = watched_jit(fun)
    f(X)
    change(2.0)
    change(1.0)

    assert stale(f) == []


def test_what_the_body_writes_or_does_not_read_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def counts_itself(x):
        global runs
        runs += 1
        return x + 1

    f = watched_jit(counts_itself)
    f(X), f(X[:2])

    monkeypatch.setitem(globals(), "unread", 7.0)

    assert stale(f) == []


def test_arrays_of_jax_and_large_ones_are_not_kept() -> None:
    fun, change = made(np.ones(1000))
    f = watched_jit(fun)
    f(X)

    change(np.zeros(1000))

    assert stale(f) == []
