"""WHY INNOCENT: Two-timescale learning: a factory makes an updater for the slow weights and one for the fast
weights, each with its rate as a constant. There are two rates in the whole program, and they do not change.
"""

import jax
import numpy as np

CASE = {
    "id": "I07",
    "name": "slow_and_fast_weights",
    "kind": "negative",
    "library": "jax",
    "function": "nudge",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

STEPS, DIM = 400, 8
rng = np.random.RandomState(107)


def updater(rate):
    @jax.jit
    def nudge(weights, x, error):
        return weights + rate * error * x

    return nudge


nudge_slow, nudge_fast = updater(0.002), updater(0.1)
slow, fast = np.zeros(DIM, np.float32), np.zeros(DIM, np.float32)
truth = rng.randn(DIM).astype(np.float32)
for _step in range(STEPS):
    x = rng.randn(DIM).astype(np.float32)
    x /= np.linalg.norm(x)
    error = np.float32(x @ (truth - np.asarray(slow) - np.asarray(fast)))
    slow, fast = nudge_slow(slow, x, error), nudge_fast(0.99 * np.asarray(fast), x, error)
print(np.round(np.asarray(slow), 3), np.round(np.asarray(fast), 3))
