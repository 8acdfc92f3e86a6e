"""WHY INNOCENT: Transfer learning in two stages: the new head alone, then all layers. Which layers learn is a static
tuple with two values in the whole run, and each stage takes hundreds of steps.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I43",
    "name": "head_first_then_the_whole_network",
    "kind": "negative",
    "library": "jax",
    "function": "transfer_step",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

BATCH, FEATURES = 16, 6
STAGES = {("head",): 200, ("body", "head"): 300}
rng = np.random.RandomState(143)


def output(params, x):
    return jnp.tanh(x @ params["body"]) @ params["head"]


@partial(jax.jit, static_argnames="learning")
def transfer_step(params, x, y, learning):
    fixed = {name: value for name, value in params.items() if name not in learning}

    def loss(part):
        return jnp.mean((output(fixed | part, x) - y) ** 2)

    value, grads = jax.value_and_grad(loss)({name: params[name] for name in learning})
    return fixed | {name: params[name] - 0.05 * grads[name] for name in learning}, value


class Transfer:
    def __init__(self, body):
        self.params = {"body": body, "head": np.zeros(body.shape[1], np.float32)}

    def run(self, learning, steps):
        for _ in range(steps):
            x = rng.randn(BATCH, FEATURES).astype(np.float32)
            self.params, value = transfer_step(self.params, x, np.sin(x[:, 0] + x[:, 1]), learning=learning)
        return float(value)


task = Transfer((0.5 * rng.randn(FEATURES, 12)).astype(np.float32))
for learning, steps in STAGES.items():
    print(learning, round(task.run(learning, steps), 4))
