"""WHY INNOCENT: A schedule passes a new Python float to each step as a traced argument. Its value is no part of the
key: one program for six hundred rates.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I41",
    "name": "rate_as_a_python_float",
    "kind": "negative",
    "library": "jax",
    "function": "scheduled_step",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

STEPS, BATCH, FEATURES = 600, 12, 6
rng = np.random.RandomState(141)
truth = rng.randn(FEATURES).astype(np.float32)


def schedule(step):
    warm = min(1.0, (step + 1) / 50)
    return 0.2 * warm * 0.5 * (1 + math.cos(math.pi * step / STEPS))


@jax.jit
def scheduled_step(w, x, y, rate, index):
    gradient = jax.grad(lambda w: jnp.mean((x @ w - y) ** 2))(w)
    return w - rate * gradient / jnp.sqrt(1.0 + 0.01 * index)


w = np.zeros(FEATURES, np.float32)
for step in range(STEPS):
    x = rng.randn(BATCH, FEATURES).astype(np.float32)
    w = scheduled_step(w, x, x @ truth, schedule(step), step)
print(f"{np.abs(np.asarray(w) - truth).max():.4f}")
