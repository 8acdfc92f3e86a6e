"""WHY INNOCENT: One jitted `apply` with a static mode serves training (dropout), evaluation and prediction
(probabilities). The three programs are used all through the run.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I02",
    "name": "dropout_modes_of_one_network",
    "kind": "negative",
    "library": "jax",
    "function": "apply",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

EPOCHS, STEPS, BATCH, FEATURES = 10, 40, 16, 6
rng = np.random.RandomState(102)


class Network:
    def __init__(self, width):
        self.params = {
            "w": jnp.asarray(0.4 * rng.randn(FEATURES, width), jnp.float32),
            "v": jnp.asarray(0.4 * rng.randn(width), jnp.float32),
        }

    @staticmethod
    @partial(jax.jit, static_argnames="mode")
    def apply(params, x, labels, key, mode):
        def loss(p):
            h = jax.nn.relu(x @ p["w"])
            if mode == "train":
                h = h * jax.random.bernoulli(key, 0.8, h.shape) / 0.8
            logits = h @ p["v"]
            return jnp.mean(jax.nn.softplus(logits) - labels * logits), logits

        if mode == "train":
            grads, _ = jax.grad(loss, has_aux=True)(params)
            return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
        value, logits = loss(params)
        return value if mode == "eval" else jax.nn.sigmoid(logits)


def batch():
    x = rng.randn(BATCH, FEATURES).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.float32)


network, key = Network(16), jax.random.key(0)
for epoch in range(EPOCHS):
    for step in range(STEPS):
        noise = jax.random.fold_in(key, epoch * STEPS + step)
        network.params = network.apply(network.params, *batch(), noise, mode="train")
    losses = [float(network.apply(network.params, *batch(), key, mode="eval")) for _ in range(10)]
    shown = network.apply(network.params, *batch(), key, mode="predict")
    print(f"epoch {epoch} loss {np.mean(losses):.3f} first {float(shown[0]):.2f}")
