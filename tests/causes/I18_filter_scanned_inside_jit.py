"""WHY INNOCENT: A particle filter runs over the whole record by a scan inside one jitted function. The body is a
local function, but it is traced with its jit and never again; the records of all stations have one length.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I18",
    "name": "filter_scanned_inside_jit",
    "kind": "negative",
    "library": "jax",
    "function": "particle_filter",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

STATIONS, LENGTH, PARTICLES = 40, 30, 64


@jax.jit
def particle_filter(key, record, noise):
    def assimilate(carry, seen):
        key, particles = carry
        key, move, pick = jax.random.split(key, 3)
        particles = 0.9 * particles + noise * jax.random.normal(move, particles.shape)
        log_weights = -0.5 * (seen - particles) ** 2
        chosen = jax.random.categorical(pick, log_weights, shape=particles.shape)
        return (key, particles[chosen]), jax.nn.logsumexp(log_weights) - jnp.log(PARTICLES)

    _, evidence = jax.lax.scan(assimilate, (key, jnp.zeros(PARTICLES)), record)
    return evidence.sum()


def record(station):
    rng = np.random.RandomState(station)
    level = np.zeros(LENGTH, np.float32)
    for t in range(1, LENGTH):
        level[t] = 0.9 * level[t - 1] + 0.5 * rng.randn()
    return level + rng.randn(LENGTH).astype(np.float32)


evidence = {
    station: [float(particle_filter(jax.random.key(station), record(station), noise)) for noise in (0.2, 0.5, 1.0)]
    for station in range(STATIONS)
}
print(np.mean(list(evidence.values()), 0).round(3))
