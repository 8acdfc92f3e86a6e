"""What a reuse costs beside the compilation that it saves, in one process, one after the other, by the median.

Not part of the test suite, since machines are noisy: `pytest -m benchmark -s tests/jax/test_reuse_cost.py`.
docs/reuse.md has the table.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from xla_runs import xla_runs

import jitwatch

pytestmark = pytest.mark.benchmark
ROUNDS = 15
BOUND = 0.05
X = np.ones((8, 64), np.float32)


class Times(NamedTuple):
    """Of one jitted function made anew."""

    trace_and_lower_s: float
    compile_s: float


def network(layers: int, number: int) -> Any:
    """One step of training. Those of one number are the same program, in function objects of their own."""

    def loss(weights: Any, x: Any) -> Any:
        for weight in weights:
            x = jnp.tanh(x @ weight + jnp.sin(x)[:, ::-1]) * (1.0 + number)
        return (jax.nn.softmax(x) ** 2).sum()

    def step(weights: Any, x: Any) -> Any:
        gradients = jax.grad(loss)(weights, x)
        return [weight - 0.1 * gradient for weight, gradient in zip(weights, gradients, strict=True)]

    return jax.jit(step), [np.ones((64, 64), np.float32)] * layers


def with_constant(megabytes: int, number: int) -> Any:
    constant = np.random.default_rng(number).random(megabytes * 250_000, np.float32)
    return jax.jit(lambda weights, x: jnp.sort(jnp.sin(weights[0].sum() + constant))), [X]


def timed(made: Any) -> Times:
    function, weights = made
    begun_s = time.perf_counter()
    lowered = function.lower(weights, X)
    lowered_s = time.perf_counter()
    lowered.compile()
    return Times(lowered_s - begun_s, time.perf_counter() - lowered_s)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("step of 2 layers", lambda number: network(2, number)),
        ("step of 10 layers", lambda number: network(10, number)),
        ("step of 60 layers", lambda number: network(60, number)),
        ("1 MB of constants", lambda number: with_constant(1, number)),
    ],
)
def test_a_reuse_costs_little_of_the_compilation_that_it_saves(name: str, make: Callable[[int], Any]) -> None:
    first, again = [], []
    with jitwatch.watching(), jitwatch.reusing(), xla_runs() as runs:
        timed(make(ROUNDS)), timed(make(ROUNDS))
        for number in range(ROUNDS):
            first.append(timed(make(number)))
            again.append(timed(make(number)))
        assert len({run.identity for run in runs}) == len(runs)

    compile_s = statistics.median(each.compile_s for each in first)
    reuse_s = statistics.median(each.compile_s for each in again)
    share = statistics.median(other.compile_s / one.compile_s for one, other in zip(first, again, strict=True))
    whole = statistics.median(sum(other) / sum(one) for one, other in zip(first, again, strict=True))
    print(
        f"\n| {name} | {1e3 * compile_s:.0f} ms | {1e3 * reuse_s:.2f} ms | {100 * share:.2f} % | {100 * whole:.0f} % |"
    )
    assert compile_s < 0.1 or share <= BOUND
