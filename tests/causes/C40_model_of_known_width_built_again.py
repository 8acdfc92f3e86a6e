"""SYMPTOM: A study of three widths with four restarts compiles twelve times. The factory jits a new forward pass
for each model, also for a width that it has built before.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C40",
    "name": "model_of_known_width_built_again",
    "kind": "positive",
    "library": "jax",
    "function": "descend",
    "cause": "function_identity",
    "where": ["descend (the function itself)"],
    "expected_traces": 12,
    "expected_compiles": 12,
    "needed_compiles": 3,
    "match": {"text": [r"\bdescend\b|\bbuild\b"]},
    "repair": [
        ["def build(", "from functools import cache\n\n\n@cache\ndef build("],
    ],
    "fix": "Build once for each width (functools.cache on build): a restart needs new parameters, not a new function.",
}

WIDTHS, RESTARTS, STEPS = (4, 8, 16), 4, 60


def build(width):
    shapes = {"w": (2, width), "b": (width,), "v": (width,)}

    def init(rng):
        return {name: (0.5 * rng.randn(*shape)).astype(np.float32) for name, shape in shapes.items()}

    def output(params, x):
        return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"] / np.sqrt(width)

    @jax.jit
    def descend(params, x, y):
        value, grads = jax.value_and_grad(lambda p: jnp.mean((output(p, x) - y) ** 2))(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads), value

    return init, descend


def restart(width, seed):
    init, descend = build(width)
    rng = np.random.RandomState(seed)
    params = init(rng)
    for _ in range(STEPS):
        x = rng.randn(16, 2).astype(np.float32)
        params, value = descend(params, x, x[:, 0] * x[:, 1])
    return float(value)


for width in WIDTHS:
    print(width, np.round([restart(width, seed) for seed in range(RESTARTS)], 3))
