"""SYMPTOM: A residual network is trained with rematerialisation. `train_epoch` wraps the loss by jax.checkpoint and
jits its gradient, so the same program is traced and compiled in each epoch.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C09",
    "name": "checkpointed_loss_wrapped_each_epoch",
    "kind": "positive",
    "library": "jax",
    "function": "deep_loss",
    "cause": "function_identity",
    "where": ["deep_loss (the function itself)"],
    "count": "log",
    "expected_traces": 11,
    "expected_compiles": 11,
    "needed_compiles": 1,
    "match": {"text": [r"\bdeep_loss\b|\bgradient\b"]},
    "repair": [
        ["    gradient = jax.jit(jax.grad(jax.checkpoint(deep_loss)))\n", ""],
        ["def train_epoch(", "gradient = jax.jit(jax.grad(jax.checkpoint(deep_loss)))\n\n\ndef train_epoch("],
    ],
    "fix": (
        "Build jit(grad(checkpoint(deep_loss))) once, at module level: checkpoint returns a new function at each call."
    ),
}

EPOCHS, STEPS, BATCH, WIDTH, DEPTH = 11, 30, 16, 8, 4
rng = np.random.RandomState(9)
wanted = rng.randn(WIDTH).astype(np.float32)


def deep_loss(layers, x, y):
    h = x
    for layer in layers:
        h = h + jnp.tanh(h @ layer["in"]) @ layer["out"]
    return jnp.mean((h.sum(-1) - y) ** 2)


def train_epoch(layers, steps):
    gradient = jax.jit(jax.grad(jax.checkpoint(deep_loss)))
    for _ in range(steps):
        x = rng.randn(BATCH, WIDTH).astype(np.float32)
        grads = gradient(layers, x, np.sin(x @ wanted))
        layers = jax.tree.map(lambda w, g: w - np.float32(0.01) * np.asarray(g), layers, grads)
    return layers


def init():
    for _ in range(DEPTH):
        yield {name: (0.1 * rng.randn(WIDTH, WIDTH)).astype(np.float32) for name in ("in", "out")}


layers = list(init())
for _epoch in range(EPOCHS):
    layers = train_epoch(layers, STEPS)
print(f"norm of the last layer {np.linalg.norm(layers[-1]['out']):.4f}")
