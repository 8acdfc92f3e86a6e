"""SYMPTOM: A risk report finds twenty quantiles by bisection with lax.while_loop, and every quantile compiles. The
two functions of the loop are lambdas over the level that is asked for.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C25",
    "name": "quantiles_by_eager_bisection",
    "kind": "positive",
    "library": "jax",
    "function": "while",
    "cause": "function_identity",
    "where": ["cond_fun and body_fun of while_loop"],
    "expected_traces": 20,
    "expected_compiles": 20,
    "needed_compiles": 1,
    "match": {"line": "low, high = jax.lax.while_loop("},
    "repair": [
        ["    def quantile(self, level):", "    @partial(jax.jit, static_argnums=0)\n    def quantile(self, level):"],
        ["class Book:", "from functools import partial\n\n\nclass Book:"],
        ["float(book.quantile(level))", "float(book.quantile(jnp.float32(level)))"],
    ],
    "repaired_as": "quantile",
    "fix": "Jit quantile with the level as an argument: an eager while_loop compiles for each new pair of functions.",
}

rng = np.random.RandomState(25)


def halve(bounds, distribution, level):
    low, high = bounds
    middle = 0.5 * (low + high)
    below = distribution(middle) < level
    return jnp.where(below, middle, low), jnp.where(below, high, middle)


class Book:
    """A mixture of losses; its distribution function is known, its quantiles are not."""

    def __init__(self, centres, spreads, shares):
        self.centres, self.spreads, self.shares = centres, spreads, shares

    def distribution(self, loss):
        return jnp.sum(self.shares * jax.scipy.stats.norm.cdf(loss, self.centres, self.spreads))

    def quantile(self, level):
        bounds = (jnp.float32(-20.0), jnp.float32(20.0))
        low, high = jax.lax.while_loop(
            lambda bounds: bounds[1] - bounds[0] > 1e-3,
            lambda bounds: halve(bounds, self.distribution, level),
            bounds,
        )
        return 0.5 * (low + high)


book = Book(jnp.asarray([-1.0, 0.0, 4.0]), jnp.asarray([0.5, 1.0, 2.0]), jnp.asarray([0.3, 0.5, 0.2]))
for level in np.linspace(0.04, 0.99, 20):
    print(f"{level:.2f}: {float(book.quantile(level)):.3f}")
