"""SYMPTOM: Restarting from the best weights costs a compile. They went through a JSON file, which turns the tuple
of layers into a list.
"""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C35",
    "name": "weights_read_back_from_json",
    "kind": "positive",
    "library": "jax",
    "function": "hill_climb",
    "cause": "tree_structure",
    "where": ["layers"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [
        [
            "return [np.asarray(layer, np.float32) for layer in json.loads(text)]",
            "return tuple(np.asarray(layer, np.float32) for layer in json.loads(text))",
        ]
    ],
    "fix": "Let thaw return a tuple as make_layers does: layers is a list after the restart, which is another tree.",
}

ROUNDS, STEPS, SIZES = 4, 60, (3, 8, 1)


def make_layers(seed):
    rng = np.random.RandomState(seed)
    return tuple((0.5 * rng.randn(n, m)).astype(np.float32) for n, m in itertools.pairwise(SIZES))


def freeze(layers):
    return json.dumps([np.asarray(layer).tolist() for layer in layers])


def thaw(text):
    return [np.asarray(layer, np.float32) for layer in json.loads(text)]


def output(layers, x):
    for layer in layers[:-1]:
        x = jnp.tanh(x @ layer)
    return (x @ layers[-1])[:, 0]


@jax.jit
def hill_climb(layers, x, y):
    value, grads = jax.value_and_grad(lambda w: jnp.mean((output(w, x) - y) ** 2))(layers)
    return jax.tree.map(lambda w, g: w - 0.05 * g, layers, grads), value


rng = np.random.RandomState(35)
best, kept = np.inf, None
for number in range(ROUNDS):
    layers = make_layers(number) if kept is None or number % 2 == 0 else thaw(kept)
    for _ in range(STEPS):
        x = rng.randn(20, SIZES[0]).astype(np.float32)
        layers, value = hill_climb(layers, x, np.cos(x[:, 0]))
    if float(value) < best:
        best, kept = float(value), freeze(layers)
    print(f"round {number} {float(value):.4f} best {best:.4f}")
