"""SYMPTOM: The first step of every epoch is slow. `epoch` writes jax.jit(self.contrast_step) anew; the bound method of
the last epoch is gone by then, and JAX's caches with it.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C47",
    "name": "bound_method_jitted_in_every_epoch",
    "kind": "positive",
    "library": "jax",
    "function": "contrast_step",
    "cause": "function_identity",
    "where": ["contrast_step (the function itself)"],
    "expected_traces": 9,
    "expected_compiles": 9,
    "needed_compiles": 1,
    "repair": [
        ["        step = jax.jit(self.contrast_step)\n", ""],
        ["w = step(w, *views)", "w = self.step(w, *views)"],
        ["        self.rate = rate\n", "        self.rate = rate\n        self.step = jax.jit(self.contrast_step)\n"],
    ],
    "fix": "Jit the method once, in __init__, and keep the result.",
}

EPOCHS, STEPS, BATCH, FEATURES = 9, 35, 12, 6
rng = np.random.RandomState(143)


class Contrast:
    """Pulls two noisy views of a row together and rows apart."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def contrast_step(self, w, first, second):
        def loss(w):
            similarity = jnp.tanh(first @ w) @ jnp.tanh(second @ w).T
            return -jnp.mean(jnp.diag(jax.nn.log_softmax(similarity)))

        return w - self.rate * jax.grad(loss)(w)

    def epoch(self, w):
        step = jax.jit(self.contrast_step)
        for _ in range(STEPS):
            rows = rng.randn(BATCH, FEATURES)
            views = [(rows + 0.1 * rng.randn(*rows.shape)).astype(np.float32) for _ in range(2)]
            w = step(w, *views)
        return w


task, w = Contrast(), (0.1 * rng.randn(FEATURES, 4)).astype(np.float32)
for _ in range(EPOCHS):
    w = task.epoch(w)
print(np.linalg.norm(np.asarray(w)).round(3))
