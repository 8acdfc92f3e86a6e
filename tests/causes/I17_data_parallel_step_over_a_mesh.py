"""WHY INNOCENT: Data-parallel training by shard_map over a mesh of two devices. Parameters and batches have their
sharding from the first step on, and the mapped function is made once.
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

CASE = {
    "id": "I17",
    "name": "data_parallel_step_over_a_mesh",
    "kind": "negative",
    "library": "jax",
    "function": "parallel_step",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "needs_jax": "0.8.0",
    "fix": "",
}

STEPS, BATCH, FEATURES = 150, 16, 5
mesh = Mesh(np.array(jax.devices()), ("data",))
replicated, split = NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))
rng = np.random.RandomState(117)
slope = rng.randn(FEATURES).astype(np.float32)


def local_gradient(weights, x, y):
    gradient = jax.grad(lambda w: jnp.mean((x @ w - y) ** 2))(weights)
    return jax.lax.pmean(gradient, "data")


@partial(jax.jit, out_shardings=replicated)
def parallel_step(weights, x, y):
    mapped = jax.shard_map(
        local_gradient, mesh=mesh, in_specs=(P(), P("data"), P("data")), out_specs=P(), check_vma=False
    )
    return weights - 0.1 * mapped(weights, x, y)


weights = jax.device_put(np.zeros(FEATURES, np.float32), replicated)
for _ in range(STEPS):
    x = rng.randn(BATCH, FEATURES).astype(np.float32)
    weights = parallel_step(weights, *jax.device_put((x, x @ slope), split))
print(np.abs(np.asarray(weights) - slope).max().round(4))
