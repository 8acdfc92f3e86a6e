"""SYMPTOM: A regression takes its link and its penalty as static functions. Two links are compared, which is meant;
the penalty is a lambda written in the loop over seeds, so that each seed compiles both.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C38",
    "name": "two_static_functions_one_of_them_new",
    "kind": "positive",
    "library": "jax",
    "function": "glm_step",
    "cause": "static_identity",
    "where": ["static penalty"],
    "expected_traces": 14,
    "expected_compiles": 14,
    "needed_compiles": 2,
    "repair": [
        ["        penalty = lambda w: 0.01 * jnp.sum(jnp.abs(w))\n", ""],
        ["def compare(", "def penalty(w):\n    return 0.01 * jnp.sum(jnp.abs(w))\n\n\ndef compare("],
    ],
    "fix": "Define penalty once, at module level: it is a new lambda for each seed; the two links are meant.",
}

SEEDS, STEPS, FEATURES = 7, 50, 5


def identity(z):
    return z


def exponential(z):
    return jnp.exp(jnp.clip(z, -4, 4))


@partial(jax.jit, static_argnames=("link", "penalty"))
def glm_step(w, x, y, link, penalty):
    value, gradient = jax.value_and_grad(lambda w: jnp.mean((link(x @ w) - y) ** 2) + penalty(w))(w)
    return w - 0.02 * gradient, value


def fit(rng, link, penalty):
    w, truth = np.zeros(FEATURES, np.float32), np.linspace(-0.5, 0.5, FEATURES, dtype=np.float32)
    for _ in range(STEPS):
        x = rng.randn(24, FEATURES).astype(np.float32)
        w, value = glm_step(w, x, np.exp(x @ truth), link=link, penalty=penalty)
    return float(value)


def compare(seeds):
    for seed in range(seeds):
        penalty = lambda w: 0.01 * jnp.sum(jnp.abs(w))
        yield [fit(np.random.RandomState(seed), link, penalty) for link in (identity, exponential)]


print(np.mean(list(compare(SEEDS)), 0).round(3))
