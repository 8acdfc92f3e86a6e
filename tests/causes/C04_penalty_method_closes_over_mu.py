"""SYMPTOM: A constrained fit by the penalty method. Each outer iteration multiplies the penalty by a factor and
builds the penalised objective again; its value and gradient compile anew, then serve sixty inner steps.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C04",
    "name": "penalty_method_closes_over_mu",
    "kind": "positive",
    "library": "jax",
    "function": "penalised",
    "cause": "function_identity",
    "where": ["penalised (the function itself)", "mu"],
    "expected_traces": 9,
    "expected_compiles": 9,
    "needed_compiles": 1,
    "match": {"text": [r"\bpenalised\b|\bmu\b"], "also": ["static_value"]},
    "repair": [
        ["    def penalised(x):\n", "    def penalised_by(x):\n"],
        [
            "def solve(",
            (
                "@jax.jit\n@jax.value_and_grad\ndef penalised(x, mu):\n"
                "    return objective(x) + mu * jnp.sum(violation(x) ** 2)\n\n\ndef solve("
            ),
        ],
        [
            "value_and_gradient = jax.jit(jax.value_and_grad(penalised))",
            "value_and_gradient = lambda x: penalised(x, mu)",
        ],
    ],
    "fix": "Jit value_and_grad of one function of (x, mu) and pass mu: the closure bakes each penalty into a program.",
}

OUTER, INNER, TARGETS = 9, 60, 6
rng = np.random.RandomState(4)
anchors = rng.randn(TARGETS, 2).astype(np.float32)


def objective(x):
    return jnp.sum(jnp.sqrt(1e-3 + jnp.sum((x - anchors) ** 2, -1)))


def violation(x):
    """How far the point leaves the disc and the half-plane."""
    return jnp.stack([jnp.maximum(x @ x - 0.25, 0.0), jnp.maximum(x[0] + x[1], 0.0)])


def solve(x, mu):
    def penalised(x):
        return objective(x) + mu * jnp.sum(violation(x) ** 2)

    value_and_gradient = jax.jit(jax.value_and_grad(penalised))
    for _ in range(INNER):
        value, gradient = value_and_gradient(x)
        x = x - np.asarray(gradient) * np.float32(0.02 / (1 + mu))
    return x, float(value)


x, mu = np.array([1.0, 0.5], np.float32), 0.5
for _outer in range(OUTER):
    x, value = solve(x, mu)
    print(f"mu {mu:8.2f} x {x} value {value:.4f} violation {float(violation(x).max()):.5f}")
    mu *= 2.0
