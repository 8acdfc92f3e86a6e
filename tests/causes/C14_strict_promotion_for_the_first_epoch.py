"""SYMPTOM: The second epoch begins as slowly as the first. A sanity option checks dtype promotion strictly, but
only while the first epoch runs; afterwards the same step is compiled again without it.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C14",
    "name": "strict_promotion_for_the_first_epoch",
    "kind": "positive",
    "library": "jax",
    "function": "regress",
    "cause": "config_context",
    "where": ["config jax_numpy_dtype_promotion"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [["if self.checks and epoch == 0", "if self.checks"]],
    "fix": (
        "Keep jax_numpy_dtype_promotion the same in all epochs (strict throughout, or only in "
        "tests): it is part of the key."
    ),
}

EPOCHS, STEPS, BATCH, FEATURES = 6, 40, 16, 5
rng = np.random.RandomState(14)
slope = rng.randn(FEATURES).astype(np.float32)


@jax.jit
def regress(weights, x, y):
    error = x @ weights - y
    huber = jnp.where(jnp.abs(error) < 1, error, jnp.sign(error))
    return weights - 0.05 * x.T @ huber / len(y)


class Experiment:
    def __init__(self, checks):
        self.checks = checks
        self.weights = np.zeros(FEATURES, np.float32)

    def sanity(self, epoch):
        if self.checks and epoch == 0:
            return jax.numpy_dtype_promotion("strict")
        return contextlib.nullcontext()

    def run(self, epochs):
        for epoch in range(epochs):
            with self.sanity(epoch):
                for _ in range(STEPS):
                    x = rng.randn(BATCH, FEATURES).astype(np.float32)
                    noise = rng.standard_t(2, BATCH).astype(np.float32)
                    self.weights = regress(self.weights, x, x @ slope + np.float32(0.1) * noise)
            yield np.abs(np.asarray(self.weights) - slope).max()


for epoch, off in enumerate(Experiment(checks=True).run(EPOCHS)):
    print(f"epoch {epoch}: off by {off:.3f}")
