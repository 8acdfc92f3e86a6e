"""WHY INNOCENT: Five tenants with five different scoring rules. Their jitted scorers are kept in an LRU with room
for sixteen, so each is made once and found hundreds of times.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I45",
    "name": "every_tenant_has_its_slot",
    "kind": "negative",
    "library": "jax",
    "function": "score",
    "cause": None,
    "where": [],
    "expected_traces": 5,
    "expected_compiles": 5,
    "needed_compiles": 5,
    "fix": "",
}

ROUNDS, BURST = 8, 20
rng = np.random.RandomState(145)
RULES = {
    "north": lambda x: x.mean(),
    "east": lambda x: jnp.median(x),
    "south": lambda x: jnp.sqrt((x**2).mean()),
    "west": lambda x: x.max() - x.min(),
    "centre": lambda x: jax.nn.logsumexp(x),
}


@lru_cache(maxsize=16)
def scorer_of(tenant):
    rule = RULES[tenant]

    @jax.jit
    def score(x, weight):
        return weight * rule(x)

    return score


def serve(tenant, n):
    for _ in range(n):
        yield float(scorer_of(tenant)(rng.rand(9).astype(np.float32), np.float32(rng.rand())))


totals = dict.fromkeys(RULES, 0.0)
for _ in range(ROUNDS):
    for tenant in rng.permutation(list(RULES)):
        totals[str(tenant)] += sum(serve(str(tenant), BURST))
print({tenant: round(total, 2) for tenant, total in totals.items()})
