"""SYMPTOM: A Gauss-Newton fit compiles in each outer iteration. The product with J^T J is a lambda over the present
estimate, jitted for the conjugate gradients that use it a dozen times.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C42",
    "name": "gauss_newton_product_by_lambda",
    "kind": "positive",
    "library": "jax",
    "function": "<lambda>",
    "cause": "function_identity",
    "where": ["the lambda over theta"],
    "count": "log",
    "expected_traces": 8,
    "expected_compiles": 8,
    "needed_compiles": 1,
    "match": {"text": [r"\btheta\b|\bproduct\b|gauss_newton_product_by_lambda\.py"], "also": ["static_value"]},
    "repair": [
        ["    product = jax.jit(lambda v: normal_product(theta, v))\n", ""],
        ["step = conjugate_gradients(product,", "step = conjugate_gradients(lambda v: product(theta, v),"],
        ["def improved(", "product = jax.jit(lambda theta, v: normal_product(theta, v))\n\n\ndef improved("],
    ],
    "fix": "Jit the product once, with theta as an argument.",
}

OUTER, INNER, POINTS = 8, 12, 30
rng = np.random.RandomState(42)
grid = np.linspace(0, 3, POINTS, dtype=np.float32)


def model(theta):
    return theta[0] * jnp.exp(-theta[1] * grid) * jnp.cos(theta[2] * grid + theta[3])


def normal_product(theta, v):
    _forward, pull = jax.vjp(model, theta)
    _, tangent = jax.jvp(model, (theta,), (v,))
    return pull(tangent)[0] + 1e-3 * v


@jax.jit
def gradient(theta, seen):
    return jax.grad(lambda t: 0.5 * jnp.sum((model(t) - seen) ** 2))(theta)


def conjugate_gradients(product, rhs):
    x, r = np.zeros_like(rhs), rhs.copy()
    p = r.copy()
    for _ in range(INNER):
        q = np.asarray(product(p))
        alpha = (r @ r) / max(p @ q, 1e-12)
        x, new = x + alpha * p, r - alpha * q
        p, r = new + (new @ new) / max(r @ r, 1e-12) * p, new
    return x.astype(np.float32)


def improved(theta, seen):
    product = jax.jit(lambda v: normal_product(theta, v))
    step = conjugate_gradients(product, -np.asarray(gradient(theta, seen)))
    return theta + np.clip(step, -0.3, 0.3)


def fit(theta, seen):
    for _ in range(OUTER):
        theta = improved(theta, seen)
    return theta


truth = np.array([1.5, 0.4, 2.0, 0.3], np.float32)
seen = np.asarray(model(truth)) + 0.01 * rng.randn(POINTS).astype(np.float32)
print(np.round(fit(np.array([1.0, 0.2, 1.7, 0.0], np.float32), seen), 3))
