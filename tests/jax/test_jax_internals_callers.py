"""What jitwatch assumes of the names of JAX's running functions: a test for each function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.optimize import minimize

from jitwatch._capture.jax_internals import callers, traced_function


def frames() -> list[FrameType]:
    """Those that run, innermost first, up to the test's own."""
    found, frame = [], sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "names_within":
        found.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def names_within(run: Callable[[], Any], name_of: Callable[[FrameType], str]) -> list[str]:
    """What JAX's frames are called while JAX compiles for `run`, outermost first."""
    seen: list[list[str]] = []

    def listen(event: str, _: float, **details: Any) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append([name for name in map(name_of, reversed(frames())) if name])

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        run()
    finally:
        jax.monitoring.clear_event_listeners()
    return seen[-1]


@pytest.mark.parametrize(("run", "name"), [
    (lambda: jax.lax.fori_loop(0, 3, lambda i, x: x, 1.0), "fori_loop"),
    (lambda: jax.lax.scan(lambda c, x: (c, x), 1.0, np.ones(3)), "scan"),
    (lambda: jax.lax.while_loop(lambda x: x < 3, lambda x: x + 1, 1.0), "while_loop"),
    (lambda: jax.lax.cond(np.bool_(True), lambda x: x, lambda x: x + 1, 1.0), "cond"),
    (lambda: minimize(lambda x: (x**2).sum(), jnp.ones(2), method="BFGS"), "minimize"),
])  # fmt: skip
def test_called_name_is_what_users_write(run: Callable[[], Any], name: str) -> None:
    assert names_within(run, callers.called_name)[0] == name


def test_called_name_is_empty_for_an_operator() -> None:
    x = jnp.ones(7)

    assert names_within(lambda: x + x, callers.called_name) == []


@pytest.mark.parametrize(("run", "name"), [
    (lambda f: jax.vmap(f)(np.ones((2, 3), np.float32)), "vmap"),
    (lambda f: jax.grad(f)(np.ones(3, np.float32)), "grad"),
    (lambda f: jax.value_and_grad(f)(np.ones(3, np.float32)), "value_and_grad"),
    (lambda f: jax.jit(f)(np.ones(3, np.float32)), ""),
])  # fmt: skip
def test_transform_name_is_that_of_what_runs_outside_jit(run: Callable[[Any], Any], name: str) -> None:
    found = names_within(lambda: run(lambda x: jnp.sin(x).sum()), callers.transform_name)

    assert (found or [""])[0] == name


def test_is_initializer_tells_those_of_jax_nn() -> None:
    def run() -> None:
        jax.nn.initializers.ones(None, (3, 5))
        jax.nn.initializers.lecun_normal()(jax.random.key(0), (3, 5))

    assert "yes" in names_within(run, lambda frame: "yes" if callers.is_initializer(frame) else "")


def test_is_of_jax_is_not_the_users() -> None:
    assert not callers.is_of_jax(sys._getframe())
    assert names_within(lambda: jnp.sin(np.ones(5)), lambda frame: "yes" if callers.is_of_jax(frame) else "")


def test_traced_function_is_the_users() -> None:
    def step(x):
        return x + 1

    assert traced_function(jax.make_jaxpr(step)(1.0)).startswith("step at ")
    assert traced_function(jax.make_jaxpr(jnp.sin)(1.0)) == ""
    assert traced_function(3) == ""
