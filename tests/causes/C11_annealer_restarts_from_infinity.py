"""SYMPTOM: Simulated annealing with restarts compiles its move twice at the first restart only. The best energy
starts at `jnp.inf`, a Python float, and comes back from the move as an array.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C11",
    "name": "annealer_restarts_from_infinity",
    "kind": "positive",
    "library": "jax",
    "function": "move",
    "cause": "weak_type",
    "where": ["chain.best"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [["best=jnp.inf)", "best=np.float32(np.inf))"]],
    "fix": "Start chain.best as np.float32(np.inf): Python's inf is weakly typed, the returned minimum is not.",
}

RESTARTS, MOVES, CITIES = 8, 90, 12
rng = np.random.RandomState(11)
places = rng.rand(CITIES, 2).astype(np.float32)


class Chain(NamedTuple):
    tour: jax.Array
    energy: jax.Array
    best: jax.Array


def length(tour):
    route = jnp.asarray(places)[tour]
    return jnp.sum(jnp.linalg.norm(route - jnp.roll(route, 1, 0), axis=-1))


@jax.jit
def move(chain, key, temperature):
    pick, accept = jax.random.split(key)
    i, j = jax.random.randint(pick, (2,), 0, CITIES)
    proposal = chain.tour.at[i].set(chain.tour[j]).at[j].set(chain.tour[i])
    energy = length(proposal)
    take = jax.random.uniform(accept) < jnp.exp((chain.energy - energy) / temperature)
    tour = jnp.where(take, proposal, chain.tour)
    energy = jnp.where(take, energy, chain.energy)
    return Chain(tour, energy, jnp.minimum(chain.best, energy))


for restart in range(RESTARTS):
    tour = rng.permutation(CITIES).astype(np.int32)
    chain = Chain(tour, np.float32(length(tour)), best=jnp.inf)
    key = jax.random.key(restart)
    for i in range(MOVES):
        chain = move(chain, jax.random.fold_in(key, i), 0.5 * 0.95**i)
    print(f"restart {restart}: best {float(chain.best):.3f}")
