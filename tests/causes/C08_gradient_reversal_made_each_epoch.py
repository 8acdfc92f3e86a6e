"""SYMPTOM: Domain-adversarial training compiles at each epoch. The gradient-reversal layer is a custom_vjp that is
made again with the epoch's factor and handed to the step as a static argument.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C08",
    "name": "gradient_reversal_made_each_epoch",
    "kind": "positive",
    "library": "jax",
    "function": "adapt",
    "cause": "static_identity",
    "where": ["static reverse"],
    "expected_traces": 10,
    "expected_compiles": 10,
    "needed_compiles": 1,
    "match": {"text": [r"\breverse\b"], "also": ["static_value", "function_identity"]},
    "repair": [
        [
            "def make_reversal(factor):\n    @jax.custom_vjp\n    def reverse(x):\n        return x\n",
            (
                "@jax.custom_vjp\ndef reversal(x, factor):\n    return x\n\n\n"
                "reversal.defvjp(lambda x, factor: (x, factor), lambda factor, g: (-factor * g, 0.0))\n\n\n"
                "def make_reversal(factor):\n    def reverse(x):\n        return x\n"
            ),
        ],
        ["    reverse.defvjp(lambda x: (x, None), lambda _, g: (-factor * g,))\n", ""],
        ['@partial(jax.jit, static_argnames="reverse")', "@jax.jit"],
        ["target, reverse):", "target, factor):"],
        ["reverse(features)", "reversal(features, factor)"],
        ["reverse=reverse", "factor=strength(epoch)"],
    ],
    "fix": (
        "Make the factor an argument of one custom_vjp function (and of the step), so that no "
        "new static function is made."
    ),
}

EPOCHS, STEPS, BATCH, FEATURES = 10, 36, 24, 5
rng = np.random.RandomState(8)
turn = np.array([[0.8, -0.6], [0.6, 0.8]], np.float32)


def make_reversal(factor):
    @jax.custom_vjp
    def reverse(x):
        return x

    reverse.defvjp(lambda x: (x, None), lambda _, g: (-factor * g,))
    return reverse


def bce(logits, labels):
    return jnp.mean(jax.nn.softplus(logits) - labels * logits)


@partial(jax.jit, static_argnames="reverse")
def adapt(params, source, labels, target, reverse):
    def loss(p):
        features = jnp.tanh(jnp.concatenate([source, target]) @ p["body"])
        task = bce(features[:BATCH] @ p["task"], labels)
        domain = reverse(features) @ p["domain"]
        return task + bce(domain, jnp.arange(2 * BATCH) < BATCH)

    value, grads = jax.value_and_grad(loss)(params)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, grads), value


def strength(epoch):
    return 2.0 / (1.0 + math.exp(-10.0 * epoch / EPOCHS)) - 1.0


def batch():
    x = rng.randn(BATCH, 2).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.float32), rng.randn(BATCH, 2).astype(np.float32) @ turn


shapes = {"body": (2, FEATURES), "task": (FEATURES,), "domain": (FEATURES,)}
params = {name: jnp.asarray(0.5 * rng.randn(*shape), jnp.float32) for name, shape in shapes.items()}
for epoch in range(EPOCHS):
    reverse = make_reversal(strength(epoch))
    for _ in range(STEPS):
        source, labels, target = batch()
        params, value = adapt(params, source, labels, target, reverse=reverse)
    print(f"epoch {epoch} strength {strength(epoch):.2f} loss {float(value):.3f}")
