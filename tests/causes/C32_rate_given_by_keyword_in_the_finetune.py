"""SYMPTOM: Fine-tuning starts with a compile although it uses the step, the network and the shapes of pre-training.
Pre-training passes the rate by position, fine-tuning by keyword.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C32",
    "name": "rate_given_by_keyword_in_the_finetune",
    "kind": "positive",
    "library": "jax",
    "function": "sgd",
    "cause": "arg_kind",
    "where": ["rate"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [["rate=rate", "rate"]],
    "fix": "Pass rate the same way at both places: JAX keys positional and keyword arguments apart.",
}

STEPS, BATCH, FEATURES = 120, 16, 6
rng = np.random.RandomState(32)


@jax.jit
def sgd(params, x, y, rate):
    def loss(p):
        return jnp.mean((jnp.tanh(x @ p["w"]) @ p["v"] - y) ** 2)

    return jax.tree.map(lambda p, g: p - rate * g, params, jax.grad(loss)(params))


class Task:
    def __init__(self, seed):
        self.truth = np.random.RandomState(seed).randn(FEATURES).astype(np.float32)

    def batches(self, n):
        for _ in range(n):
            x = rng.randn(BATCH, FEATURES).astype(np.float32)
            yield x, np.sin(x @ self.truth)


def pretrain(params, task, rate):
    for x, y in task.batches(STEPS):
        params = sgd(params, x, y, rate)
    return params


def finetune(params, task, rate):
    for x, y in task.batches(STEPS // 2):
        params = sgd(params, x, y, rate=rate)
    return params


params = {"w": (0.4 * rng.randn(FEATURES, 10)).astype(np.float32), "v": np.zeros(10, np.float32)}
params = pretrain(params, Task(0), 0.05)
for seed in (1, 2, 3):
    tuned = finetune(params, Task(seed), 0.01)
    print(seed, np.round(np.asarray(tuned["v"])[:3], 3))
