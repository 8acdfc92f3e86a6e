"""WHY INNOCENT: A layerwise pretraining routine hands each layer of an autoencoder to one jitted function. The
layers have different widths, so it compiles once for each layer, and trains each for a hundred steps.
"""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I20",
    "name": "equinox_layers_of_many_widths",
    "kind": "negative",
    "library": "equinox",
    "function": "pretrain",
    "cause": None,
    "where": [],
    "expected_traces": 4,
    "expected_compiles": 4,
    "needed_compiles": 4,
    "fix": "",
}

WIDTHS, STEPS, BATCH = (20, 14, 10, 6, 3), 100, 24
rng = np.random.RandomState(120)


class Layer(eqx.Module):
    down: eqx.nn.Linear
    up: eqx.nn.Linear

    def __init__(self, wide, narrow, key):
        first, second = jax.random.split(key)
        self.down = eqx.nn.Linear(wide, narrow, key=first)
        self.up = eqx.nn.Linear(narrow, wide, key=second)

    def code(self, x):
        return jnp.tanh(self.down(x))


@eqx.filter_jit
def pretrain(layer, x):
    @eqx.filter_value_and_grad
    def loss(layer):
        return jnp.mean((jax.vmap(lambda row: layer.up(layer.code(row)))(x) - x) ** 2)

    value, grads = loss(layer)
    return eqx.apply_updates(layer, jax.tree.map(lambda g: -0.1 * g, grads)), value


@eqx.filter_jit
def encode(layers, x):
    for layer in layers:
        x = jax.vmap(layer.code)(x)
    return x


def features(layers, batch):
    for layer in layers:
        batch = np.tanh(batch @ np.asarray(layer.down.weight).T + np.asarray(layer.down.bias))
    return batch


done = []
mixing = rng.randn(3, WIDTHS[0])
for i, (wide, narrow) in enumerate(itertools.pairwise(WIDTHS)):
    layer = Layer(wide, narrow, jax.random.key(i))
    for _ in range(STEPS):
        raw = np.tanh(rng.randn(BATCH, 3) @ mixing).astype(np.float32)
        layer, value = pretrain(layer, features(done, raw))
    done.append(layer)
    print(f"layer {i}: {float(value):.4f}")
print(encode(done, raw).shape)
