"""WHY INNOCENT: A hydraulic model reads material tables on the host. Two models of one class ask two different
Python functions through pure_callback; their programs read alike to the letter and do different things.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I19",
    "name": "two_tables_behind_one_callback",
    "kind": "negative",
    "library": "jax",
    "function": "pressure_drop",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

rng = np.random.RandomState(119)
GRID = np.linspace(0, 5, 20, dtype=np.float32)


def water(speed):
    return np.interp(speed, GRID, 0.02 + 0.01 * GRID).astype(np.float32)


def oil(speed):
    return np.interp(speed, GRID, 0.2 / (0.1 + GRID)).astype(np.float32)


class Pipe:
    def __init__(self, table):
        self.table = table
        self.solve = jax.jit(self.pressure_drop)

    def pressure_drop(self, speed, length):
        friction = jax.pure_callback(self.table, jax.ShapeDtypeStruct(speed.shape, np.float32), speed)
        return jnp.sum(friction * length * speed**2)


pipes = {"water": Pipe(water), "oil": Pipe(oil)}
totals = dict.fromkeys(pipes, 0.0)
for _ in range(120):
    speed, length = rng.uniform(0.5, 3, 8).astype(np.float32), rng.rand(8).astype(np.float32)
    for name, pipe in pipes.items():
        totals[name] += float(pipe.solve(speed, length))
print({name: round(total, 2) for name, total in totals.items()})
