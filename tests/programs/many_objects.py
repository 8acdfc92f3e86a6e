"""A solver is made for each tenant: many function objects of one definition."""

import jax
import numpy as np


def solver_of(rate):
    @jax.jit
    def solve(x):
        return x - rate * (x * x - 2.0)

    return solve


x = np.ones(8, np.float32)
for tenant in range(12):
    solve = solver_of(0.01 * (tenant + 1))
    for _ in range(5):
        x = np.asarray(solve(x))
