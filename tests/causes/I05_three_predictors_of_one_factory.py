"""WHY INNOCENT: A factory builds the jitted predictors of three product lines, a linear, a saturating and a
periodic model. They carry the same name, stand at the same line, and each is called hundreds of times.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I05",
    "name": "three_predictors_of_one_factory",
    "kind": "negative",
    "library": "jax",
    "function": "predict",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

rng = np.random.RandomState(105)
LINKS = {
    "linear": lambda z: z,
    "saturating": lambda z: 2 / (1 + jnp.exp(-z)),
    "periodic": lambda z: jnp.sin(z) + 0.1 * z,
}


def make_predictor(link):
    def predict(weights, x):
        return link(x @ weights)

    return jax.jit(predict)


class ProductLine:
    def __init__(self, name, link):
        self.name, self.predict = name, make_predictor(link)
        self.weights = rng.randn(5).astype(np.float32)
        self.demand = 0.0

    def forecast(self, x):
        self.demand += float(self.predict(self.weights, x).mean())


lines = [ProductLine(name, link) for name, link in LINKS.items()]
for _day in range(300):
    x = rng.randn(10, 5).astype(np.float32)
    for line in lines:
        line.forecast(x)
for line in lines:
    print(f"{line.name:10s} {line.demand:9.3f}")
