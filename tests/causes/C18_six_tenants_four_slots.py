"""SYMPTOM: A scoring service compiles all day. It keeps the jitted scorers of its tenants in an LRU of four slots,
and six tenants take turns.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C18",
    "name": "six_tenants_four_slots",
    "kind": "positive",
    "library": "jax",
    "function": "score",
    "cause": "cache_evicted",
    "where": ["lru_cache of scorer_of (maxsize=4)"],
    "expected_traces": 24,
    "expected_compiles": 24,
    "needed_compiles": 6,
    "match": {"text": [r"\bscorer_of\b|\bscore\b"], "also": ["function_identity"]},
    "repair": [["maxsize=4", "maxsize=None"]],
    "fix": (
        "Give the lru_cache of scorer_of room for all six tenants: an evicted scorer is a new "
        "function when it comes back."
    ),
}

ROUNDS, BURST = 4, 25
rng = np.random.RandomState(18)
TENANTS = {f"tenant-{i}": {"degree": i + 1, "weights": rng.randn(i + 2).astype(np.float32)} for i in range(6)}


@lru_cache(maxsize=4)
def scorer_of(tenant):
    degree = TENANTS[tenant]["degree"]

    @jax.jit
    def score(weights, x):
        powers = jnp.stack([x**k for k in range(degree + 1)], -1)
        return jax.nn.sigmoid(powers @ weights)

    return score


class Service:
    def __init__(self):
        self.answered = 0

    def burst(self, tenant):
        for _ in range(BURST):
            x = rng.rand(12).astype(np.float32)
            self.answered += int((np.asarray(scorer_of(tenant)(TENANTS[tenant]["weights"], x)) > 0.5).sum())


service = Service()
for _ in range(ROUNDS):
    for tenant in TENANTS:
        service.burst(tenant)
print(service.answered)
