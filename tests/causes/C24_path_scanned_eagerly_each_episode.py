"""SYMPTOM: Each of forty simulated episodes costs as much as a compile. `simulate` calls lax.scan outside jit, with
a body that is defined anew over the episode's parameters.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C24",
    "name": "path_scanned_eagerly_each_episode",
    "kind": "positive",
    "library": "jax",
    "function": "scan",
    "cause": "function_identity",
    "where": ["the body of scan"],
    "expected_traces": 20,
    "expected_compiles": 20,
    "needed_compiles": 1,
    "match": {"line": "_, path = jax.lax.scan("},
    "repair": [
        ["def simulate(start, pull, shocks):", "@jax.jit\ndef simulate(start, pull, shocks):"],
    ],
    "repaired_as": "simulate",
    "fix": "Jit simulate, so that its scan is traced once: outside jit a new body is a new program at each call.",
}

EPISODES, HORIZON = 20, 50
rng = np.random.RandomState(24)


@jax.jit
def summarise(path):
    return jnp.stack([path.mean(), path.std(), jnp.abs(path).max()])


def simulate(start, pull, shocks):
    def advance(level, shock):
        level = level + pull * (1.0 - level) + 0.1 * shock
        return level, level

    _, path = jax.lax.scan(advance, start, shocks)
    return path


rows = []
for episode in range(EPISODES):
    pull = np.float32(0.05 + 0.01 * episode)
    path = simulate(np.float32(0.0), pull, rng.randn(HORIZON).astype(np.float32))
    rows.append(np.asarray(summarise(path)))
print(np.round(np.mean(rows, 0), 3))
