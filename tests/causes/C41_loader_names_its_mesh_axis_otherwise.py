"""SYMPTOM: The first batch of the new loader is slow, although it is spread over the same two devices along the
same axis. The loader builds a mesh of its own and calls the axis "batch", the old one calls it "data".
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

CASE = {
    "id": "C41",
    "name": "loader_names_its_mesh_axis_otherwise",
    "kind": "positive",
    "library": "jax",
    "function": "normalise",
    "cause": "sharding",
    "where": ["rows"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [['NewLoader("batch")', 'NewLoader("data")']],
    "fix": "Use one mesh, or at least one axis name, for rows: the name of the axis is part of the sharding.",
}

CALLS, ROWS, FEATURES = 60, 16, 5
rng = np.random.RandomState(41)


class OldLoader:
    def __init__(self, axis):
        self.sharding = NamedSharding(Mesh(np.array(jax.devices()), (axis,)), P(axis))

    def __iter__(self):
        for _ in range(CALLS):
            yield jax.device_put(self.read(), self.sharding)

    def read(self):
        return rng.randn(ROWS, FEATURES).astype(np.float32)


class NewLoader(OldLoader):
    def read(self):
        return rng.standard_t(5, (ROWS, FEATURES)).astype(np.float32)


@jax.jit
def normalise(rows):
    rows = rows - rows.mean(0)
    return rows / (1e-6 + jnp.sqrt((rows**2).mean(0)))


total = 0.0
for loader in (OldLoader("data"), NewLoader("batch")):
    for rows in loader:
        total += float(np.abs(np.asarray(normalise(rows))).mean())
print(f"{total:.3f}")
