"""WHY INNOCENT: A short analysis as one types it into a notebook, without any jit: it builds arrays of several
shapes, initialises layers, makes one forward pass and prints. Each operation runs once; jitting a run of a second
would gain nothing.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I30",
    "name": "one_shot_script_without_jit",
    "kind": "negative",
    "library": "jax",
    "function": "tanh",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

SIZES = (5, 16, 12, 8, 3)

key = jax.random.key(30)
layers = []
for _i, (n, m) in enumerate(itertools.pairwise(SIZES)):
    key, sub = jax.random.split(key)
    layers.append((jax.random.normal(sub, (n, m)) / np.sqrt(n), jnp.zeros(m)))

x = jnp.asarray(np.random.RandomState(130).randn(20, SIZES[0]), jnp.float32)
for w, b in layers[:-1]:
    x = jnp.tanh(x @ w + b)
w, b = layers[-1]
probabilities = jax.nn.softmax(x @ w + b)

print("rows", probabilities.shape[0])
print("mean", np.round(np.asarray(probabilities.mean(0)), 3))
print("entropy", round(float(-(probabilities * jnp.log(probabilities)).sum(-1).mean()), 3))
