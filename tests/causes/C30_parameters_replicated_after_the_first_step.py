"""SYMPTOM: On two devices, the second step of training is as slow as the first. The batch is spread over the mesh
from the start, but the parameters come from one device and only the step's result lives on the mesh.
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

CASE = {
    "id": "C30",
    "name": "parameters_replicated_after_the_first_step",
    "kind": "positive",
    "library": "jax",
    "function": "spread_step",
    "cause": "sharding",
    "where": ["params"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "match": {"text": [r"\bparams\b"], "also": ["committed"]},
    "repair": [["params = init()\n", "params = jax.device_put(init(), NamedSharding(mesh, P()))\n"]],
    "fix": "Replicate params over the mesh (device_put with NamedSharding(mesh, P())) before the first step.",
}

STEPS, BATCH, FEATURES = 120, 16, 6
mesh = Mesh(np.array(jax.devices()), ("data",))
over_data = NamedSharding(mesh, P("data"))
rng = np.random.RandomState(30)


def init():
    return {"w": jnp.asarray(0.3 * rng.randn(FEATURES, 8), jnp.float32), "v": jnp.zeros(8)}


@jax.jit
def spread_step(params, x, y):
    def loss(p):
        return jnp.mean((jax.nn.relu(x @ p["w"]) @ p["v"] - y) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    return jax.tree.map(lambda p, g: p - 0.05 * g, params, grads), value


def batches():
    for _ in range(STEPS):
        x = rng.randn(BATCH, FEATURES).astype(np.float32)
        yield jax.device_put((x, np.abs(x[:, 0])), over_data)


params = init()
for x, y in batches():
    params, value = spread_step(params, x, y)
print(f"{float(value):.4f}")
