"""SYMPTOM: Each epoch begins with a compile. Dropout is raised a little every epoch by building the module again
with another rate, and the module is a static argument of the step.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "C45",
    "name": "dropout_rate_is_a_module_attribute",
    "kind": "positive",
    "library": "flax.linen+optax",
    "function": "drop_step",
    "cause": "static_value",
    "where": ["static network.rate"],
    "expected_traces": 7,
    "expected_compiles": 7,
    "needed_compiles": 1,
    "match": {"text": [r"\bnetwork\b|\brate\b"]},
    "repair": [
        [
            "    rate: float\n\n    @nn.compact\n    def __call__(self, x, train):",
            "\n    @nn.compact\n    def __call__(self, x, rate):",
        ],
        [
            "        x = nn.Dropout(self.rate, deterministic=not train)(x)\n",
            (
                "        keep = jax.random.bernoulli(self.make_rng('dropout'), 1 - rate, x.shape)\n"
                "        x = x * keep / (1 - rate)\n"
            ),
        ],
        ["Network(10, rate=0.0)", "Network(10)"],
        ["rng.randn(1, 4), train=False)", "rng.randn(1, 4), 0.0)"],
        ["    network = Network(10, rate=0.06 * epoch)\n", ""],
        [
            "def drop_step(network, params, state, x, y, key):",
            "def drop_step(network, params, state, x, y, key, rate):",
        ],
        ["x, train=True, rngs", "x, rate, rngs"],
        ["jax.random.key(step))", "jax.random.key(step), 0.06 * epoch)"],
        ["init(jax.random.key(0)", "init({'params': jax.random.key(0), 'dropout': jax.random.key(1)}"],
    ],
    "fix": (
        "Pass the dropout rate as a traced argument of the call; an attribute of a static module is part of the key."
    ),
}

EPOCHS, STEPS, BATCH = 7, 40, 16
rng = np.random.RandomState(45)
tx = optax.sgd(0.05)


class Network(nn.Module):
    width: int
    rate: float

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.Dense(self.width)(x))
        x = nn.Dropout(self.rate, deterministic=not train)(x)
        return nn.Dense(1)(x)[..., 0]


@partial(jax.jit, static_argnums=0)
def drop_step(network, params, state, x, y, key):
    def loss(p):
        return jnp.mean((network.apply({"params": p}, x, train=True, rngs={"dropout": key}) - y) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = tx.update(grads, state)
    return optax.apply_updates(params, updates), state, value


network = Network(10, rate=0.0)
params = network.init(jax.random.key(0), rng.randn(1, 4), train=False)["params"]
state, step = tx.init(params), 0
for epoch in range(EPOCHS):
    network = Network(10, rate=0.06 * epoch)
    for _ in range(STEPS):
        x = rng.randn(BATCH, 4).astype(np.float32)
        params, state, value = drop_step(network, params, state, x, np.abs(x[:, 0]), jax.random.key(step))
        step += 1
    print(f"epoch {epoch} loss {float(value):.4f}")
