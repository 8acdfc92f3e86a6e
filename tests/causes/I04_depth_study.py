"""WHY INNOCENT: A study asks how deep a network must be for a task and trains four depths from the same data. Depth
is the length of the parameter list; each depth is another network.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I04",
    "name": "depth_study",
    "kind": "negative",
    "library": "jax",
    "function": "fit_batch",
    "cause": None,
    "where": [],
    "expected_traces": 4,
    "expected_compiles": 4,
    "needed_compiles": 4,
    "fix": "",
}

DEPTHS, STEPS, WIDTH = (1, 2, 4, 6), 150, 8


def forward(layers, x):
    for w, b in layers:
        x = jnp.tanh(x @ w + b)
    return x.sum(-1)


@jax.jit
def fit_batch(layers, x, y):
    value, grads = jax.value_and_grad(lambda p: jnp.mean((forward(p, x) - y) ** 2))(layers)
    return jax.tree.map(lambda p, g: p - 0.03 * g, layers, grads), value


def study(depth):
    rng = np.random.RandomState(depth)
    layers = [((rng.randn(WIDTH, WIDTH) * 0.4).astype(np.float32), np.zeros(WIDTH, np.float32)) for _ in range(depth)]
    recent = []
    for _ in range(STEPS):
        x = rng.randn(32, WIDTH).astype(np.float32)
        layers, value = fit_batch(layers, x, np.sin(2 * x[:, 0]))
        recent = [*recent[-19:], float(value)]
    return np.mean(recent)


scores = {depth: study(depth) for depth in DEPTHS}
for depth, score in scores.items():
    print(f"depth {depth}: {score:.4f}")
