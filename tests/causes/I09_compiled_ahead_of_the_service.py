"""WHY INNOCENT: A service lowers and compiles its two declared shapes ahead of time, keeps the executables, and
calls only those.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I09",
    "name": "compiled_ahead_of_the_service",
    "kind": "negative",
    "library": "jax",
    "function": "rank",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

DIM, SHORT_LIST, LONG_LIST = 6, 10, 40
rng = np.random.RandomState(109)


@jax.jit
def rank(query, items):
    scores = items @ query / jnp.linalg.norm(items, axis=-1)
    return jnp.argsort(-scores), jnp.sort(-scores)


class Ranker:
    """Holds one executable for each list length."""

    def __init__(self, lengths):
        self.compiled = {}
        for n in lengths:
            query = jax.ShapeDtypeStruct((DIM,), np.float32)
            items = jax.ShapeDtypeStruct((n, DIM), np.float32)
            self.compiled[n] = rank.lower(query, items).compile()

    def __call__(self, query, items):
        return self.compiled[len(items)](query, items)


ranker = Ranker((SHORT_LIST, LONG_LIST))
hits = 0
for request in range(200):
    n = SHORT_LIST if request % 3 else LONG_LIST
    items = rng.randn(n, DIM).astype(np.float32)
    order, _ = ranker(items[0], items)
    hits += int(order[0]) == 0
print(f"{hits} of 200 found themselves first")
