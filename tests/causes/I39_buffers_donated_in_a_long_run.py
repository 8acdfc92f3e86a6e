"""WHY INNOCENT: A cellular automaton donates its grid to the next generation, in one jitted function, for a
thousand generations.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I39",
    "name": "buffers_donated_in_a_long_run",
    "kind": "negative",
    "library": "jax",
    "function": "generation",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

GENERATIONS, SIDE = 1000, 24


def generation(grid, births):
    around = sum(jnp.roll(grid, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
    alive = (around == 3) | ((grid == 1) & (around == 2))
    return (alive | births).astype(jnp.int32)


advance = jax.jit(generation, donate_argnums=0)
rng = np.random.RandomState(139)
grid = jnp.asarray(rng.rand(SIDE, SIDE) < 0.3, jnp.int32)
for _ in range(GENERATIONS):
    grid = advance(grid, rng.rand(SIDE, SIDE) < 0.001)
print(int(np.asarray(grid).sum()))
