"""WHY INNOCENT: Two replicas of a model stand on two devices and serve in turn. Each device needs its own
executable, once.
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I16",
    "name": "one_replica_on_each_device",
    "kind": "negative",
    "library": "jax",
    "function": "serve",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

REQUESTS, DIM = 300, 8
rng = np.random.RandomState(116)


@jax.jit
def serve(weights, x):
    return jnp.argmax(jnp.tanh(x @ weights["a"]) @ weights["b"], -1)


class Replica:
    def __init__(self, device, weights):
        self.device = device
        self.weights = jax.device_put(weights, device)
        self.served = 0

    def __call__(self, x):
        self.served += 1
        return serve(self.weights, jax.device_put(x, self.device))


weights = {"a": rng.randn(DIM, 12).astype(np.float32), "b": rng.randn(12, 4).astype(np.float32)}
replicas = [Replica(device, weights) for device in jax.devices()]
votes = np.zeros(4, int)
for request in range(REQUESTS):
    answer = replicas[request % len(replicas)](rng.randn(6, DIM).astype(np.float32))
    np.add.at(votes, np.asarray(answer), 1)
print([replica.served for replica in replicas], votes)
