"""SYMPTOM: The dashboard gets slower while training goes on. Every ten steps a callback makes a jnp array of all
losses so far and takes its running sum for the plot.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C28",
    "name": "loss_curve_smoothed_for_the_plot",
    "kind": "positive",
    "library": "jax",
    "function": "cumsum",
    "cause": "eager_shape",
    "where": ["losses so far (length)"],
    "expected_traces": 30,
    "expected_compiles": 30,
    "needed_compiles": 0,
    "match": {"line": "total = jnp.cumsum("},
    "repair": [
        ["total = jnp.cumsum(curve)", "total = np.cumsum(curve)"],
        ["curve = jnp.asarray(self.losses)", "curve = np.asarray(self.losses)"],
    ],
    "fix": "Smooth the curve with NumPy: the losses are a host list with a new length at each plot.",
}

STEPS, EVERY, FEATURES = 300, 10, 6
rng = np.random.RandomState(28)
slope = rng.randn(FEATURES).astype(np.float32)


class Dashboard:
    def __init__(self):
        self.losses, self.drawn = [], []

    def on_step(self, step, loss):
        self.losses.append(np.float32(loss))
        if step % EVERY == EVERY - 1:
            self.redraw()

    def redraw(self):
        curve = jnp.asarray(self.losses)
        total = jnp.cumsum(curve)
        self.drawn = np.asarray(total) / np.arange(1, len(self.losses) + 1)


@jax.jit
def online(weights, x, y):
    error = x @ weights - y
    return weights - 0.05 * error * x, error**2


board, weights = Dashboard(), np.zeros(FEATURES, np.float32)
for step in range(STEPS):
    x = rng.randn(FEATURES).astype(np.float32)
    weights, loss = online(weights, x, np.float32(x @ slope))
    board.on_step(step, loss)
print(f"{board.drawn[0]:.3f} -> {board.drawn[-1]:.3f}")
