"""WHY INNOCENT: Before it takes traffic, a model server calls its function once for each batch size of its
configuration. After that it serves hundreds of requests and compiles nothing.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I10",
    "name": "warm_up_of_the_declared_batches",
    "kind": "negative",
    "library": "jax",
    "function": "classify",
    "cause": None,
    "where": [],
    "expected_traces": 4,
    "expected_compiles": 4,
    "needed_compiles": 4,
    "fix": "",
}

CONFIG = {"batch_sizes": [1, 4, 8, 32], "features": 10, "classes": 5}
rng = np.random.RandomState(110)


@jax.jit
def classify(weights, rows):
    h = jnp.tanh(rows @ weights["hidden"])
    return jax.nn.softmax(h @ weights["out"])


class Server:
    def __init__(self, weights, config):
        self.weights, self.config = weights, config
        self.sizes = sorted(config["batch_sizes"])

    def warm_up(self):
        for size in self.sizes:
            classify(self.weights, np.zeros((size, self.config["features"]), np.float32)).block_until_ready()

    def answer(self, rows):
        size = next(s for s in self.sizes if s >= len(rows))
        padded = np.zeros((size, rows.shape[1]), np.float32)
        padded[: len(rows)] = rows
        return np.asarray(classify(self.weights, padded))[: len(rows)]


weights = {
    "hidden": rng.randn(CONFIG["features"], 16).astype(np.float32),
    "out": rng.randn(16, CONFIG["classes"]).astype(np.float32),
}
server = Server(weights, CONFIG)
server.warm_up()
counts = np.zeros(CONFIG["classes"], int)
for _ in range(800):
    n = min(32, int(rng.geometric(0.15)))
    probabilities = server.answer(rng.randn(n, CONFIG["features"]).astype(np.float32))
    np.add.at(counts, probabilities.argmax(-1), 1)
print(counts)
