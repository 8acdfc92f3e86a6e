"""WHY INNOCENT: Two loaders write the same sharding as P("data") and P("data", None), over a mesh that each epoch
builds again. JAX takes them for equal: it dispatches anew now and then, and compiles nothing.
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

CASE = {
    "id": "I42",
    "name": "equal_shardings_spelled_two_ways",
    "kind": "negative",
    "library": "jax",
    "function": "covariance",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

EPOCHS, STEPS, ROWS, FEATURES = 8, 20, 16, 4
rng = np.random.RandomState(142)


@jax.jit
def covariance(rows):
    centred = rows - rows.mean(0)
    return centred.T @ centred / len(rows)


def loader(spec):
    sharding = NamedSharding(Mesh(np.array(jax.devices()), ("data",)), spec)
    for _ in range(STEPS):
        yield jax.device_put(rng.randn(ROWS, FEATURES).astype(np.float32), sharding)


total = np.zeros((FEATURES, FEATURES))
for epoch in range(EPOCHS):
    for rows in loader(P("data") if epoch % 2 else P("data", None)):
        total += np.asarray(covariance(rows))
print(np.round(np.diag(total) / (EPOCHS * STEPS), 3))
