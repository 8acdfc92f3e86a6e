"""WHY INNOCENT: A rounding layer with a straight-through gradient (custom_vjp, defined once) is used by the
training step and by the evaluation of a quantised network.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I35",
    "name": "one_custom_gradient_two_users",
    "kind": "negative",
    "library": "jax",
    "function": "quantised_step",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

EPOCHS, STEPS, BATCH, FEATURES = 6, 50, 16, 5
rng = np.random.RandomState(135)
truth = rng.randn(FEATURES).astype(np.float32)


@jax.custom_vjp
def rounded(x, levels):
    return jnp.round(x * levels) / levels


rounded.defvjp(lambda x, levels: (rounded(x, levels), None), lambda _, g: (g, None))


def loss(w, x, y, levels):
    return jnp.mean((jnp.tanh(x @ rounded(w, levels)) - y) ** 2)


@jax.jit
def quantised_step(w, x, y, levels):
    value, gradient = jax.value_and_grad(loss)(w, x, y, levels)
    return w - 0.1 * gradient, value


evaluate = jax.jit(loss)


def batch():
    x = rng.randn(BATCH, FEATURES).astype(np.float32)
    return x, np.tanh(x @ truth)


w, levels = np.zeros(FEATURES, np.float32), np.float32(8)
held_out = batch()
for epoch in range(EPOCHS):
    for _ in range(STEPS):
        w, value = quantised_step(w, *batch(), levels)
    print(f"epoch {epoch} {float(value):.4f} held out {float(evaluate(w, *held_out, levels)):.4f}")
