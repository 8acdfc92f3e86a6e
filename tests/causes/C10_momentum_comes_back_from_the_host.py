"""SYMPTOM: A step that has been fast for three epochs compiles once more. At the end of epoch three the momentum is
parked on the host for an evaluation and put back with an explicit device.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C10",
    "name": "momentum_comes_back_from_the_host",
    "kind": "positive",
    "library": "jax",
    "function": "descend",
    "cause": "committed",
    "where": ["momentum"],
    "expected_traces": 1,
    "expected_compiles": 3,
    "needed_compiles": 1,
    "match": {"text": [r"\bmomentum\b"]},
    "repair": [["jax.device_put(leaf, self.device)", "jax.device_put(leaf)"]],
    "fix": (
        "Put the momentum back with jax.device_put(leaf), without a device (or commit "
        "everything before the first step)."
    ),
}

EPOCHS, STEPS, BATCH, FEATURES = 6, 50, 20, 7
rng = np.random.RandomState(10)
slope = rng.randn(FEATURES).astype(np.float32)


class Parking:
    """Moves what training needs and evaluation does not to the host, and back."""

    def __init__(self):
        self.device = jax.devices()[0]
        self.parked = None

    def park(self, tree):
        self.parked = jax.tree.map(np.asarray, tree)

    def fetch(self):
        tree, self.parked = self.parked, None
        return jax.tree.map(lambda leaf: jax.device_put(leaf, self.device), tree)


def predict(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]


def mse(params, x, y):
    return jnp.mean((predict(params, x) - y) ** 2)


evaluate = jax.jit(mse)


@jax.jit
def descend(params, momentum, x, y):
    grads = jax.grad(mse)(params, x, y)
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, grads)
    return jax.tree.map(lambda p, m: p - 0.01 * m, params, momentum), momentum


def sample(n):
    x = rng.randn(n, FEATURES).astype(np.float32)
    return x, np.abs(x @ slope)


params = {"w": jnp.asarray(0.4 * rng.randn(FEATURES, 12), jnp.float32), "v": jnp.ones(12)}
momentum = jax.tree.map(jnp.zeros_like, params)
parking, held_out = Parking(), sample(200)
for epoch in range(EPOCHS):
    for _ in range(STEPS):
        params, momentum = descend(params, momentum, *sample(BATCH))
    if epoch % 3 == 2:
        parking.park(momentum)
        frozen = jax.tree.map(np.asarray, params)
        print(f"epoch {epoch} held-out error {float(evaluate(frozen, *held_out)):.4f}")
        momentum = parking.fetch()
