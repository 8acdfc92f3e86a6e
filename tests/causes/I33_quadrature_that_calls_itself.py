"""WHY INNOCENT: A recursive quadrature halves its nodes through a jitted function that calls itself with a smaller
static depth, the whole under one outer call. The recursion is traced once for each depth, and compiled as one
program.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I33",
    "name": "quadrature_that_calls_itself",
    "kind": "negative",
    "library": "jax",
    "function": "quadrature",
    "cause": None,
    "where": [],
    "expected_traces": 5,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

DEPTH = 4


def integrand(x, sharpness):
    return jnp.exp(-sharpness * x**2) * jnp.cos(3 * x)


@partial(jax.jit, static_argnames="depth")
def quadrature(low, high, sharpness, depth):
    if depth == 0:
        middle = 0.5 * (low + high)
        ends = integrand(low, sharpness) + integrand(high, sharpness)
        return (high - low) / 6 * (ends + 4 * integrand(middle, sharpness))
    middle = 0.5 * (low + high)
    left = quadrature(low, middle, sharpness, depth=depth - 1)
    return left + quadrature(middle, high, sharpness, depth=depth - 1)


table = {
    sharpness: float(quadrature(np.float32(0), np.float32(2), np.float32(sharpness), depth=DEPTH))
    for sharpness in np.linspace(0.1, 3, 60).round(3)
}
print(round(table[0.1], 4), round(table[3.0], 4))
