"""SYMPTOM: A parameter scan of an ODE compiles at each point. The solve is jitted once and the parameter is an
array, but the vector field is a lambda written in the loop, and the jitted function receives it inside the ODE
term.
"""

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C44",
    "name": "vector_field_written_as_a_lambda",
    "kind": "positive",
    "library": "diffrax+equinox",
    "function": "period_end",
    "cause": "static_identity",
    "where": ["term.vector_field"],
    "expected_traces": 8,
    "expected_compiles": 8,
    "needed_compiles": 1,
    "match": {"text": [r"\bterm\b|vector_field"], "also": ["function_identity"]},
    "repair": [
        ["        term = diffrax.ODETerm(lambda t, y, args: pendulum(t, y, args))\n", ""],
        ["def scan_of(", "term = diffrax.ODETerm(pendulum)\n\n\ndef scan_of("],
    ],
    "fix": (
        "Make the term once, of the module-level function pendulum: the lambda is a static leaf compared by identity."
    ),
}


def pendulum(t, y, args):
    friction, drive = args
    return jnp.stack([y[1], drive * jnp.cos(t) - friction * y[1] - jnp.sin(y[0])])


@eqx.filter_jit
def period_end(term, y0, args):
    solution = diffrax.diffeqsolve(term, diffrax.Heun(), 0.0, 3.0, 0.05, y0, args=args, max_steps=128)
    return solution.ys[-1]


def scan_of(frictions, drives):
    for friction in frictions:
        term = diffrax.ODETerm(lambda t, y, args: pendulum(t, y, args))
        for drive in drives:
            args = jnp.asarray([friction, drive], jnp.float32)
            yield np.asarray(period_end(term, jnp.asarray([0.5, 0.0]), args))


ends = np.array(list(scan_of(np.linspace(0.1, 0.8, 8), np.linspace(0.0, 1.0, 12))))
print(ends.mean(0).round(4))
