"""SYMPTOM: A random search over learning rates compiles in every trial. All trials have one shape, but "to free
memory" each one ends by clearing JAX's caches.
"""

import gc

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C15",
    "name": "caches_cleared_after_each_trial",
    "kind": "positive",
    "library": "jax",
    "function": "trial_step",
    "cause": "cache_cleared",
    "where": ["jax.clear_caches()"],
    "expected_traces": 9,
    "expected_compiles": 9,
    "needed_compiles": 1,
    "match": {"text": ["clear_caches"]},
    "repair": [["        jax.clear_caches()\n", ""]],
    "fix": "Do not call jax.clear_caches() between the trials: it drops the very program that the next one needs.",
}

TRIALS, STEPS = 9, 70


@jax.jit
def trial_step(params, rate, x, y):
    def loss(p):
        return jnp.mean((jax.nn.softplus(x @ p["w"]) @ p["v"] - y) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    return jax.tree.map(lambda p, g: p - rate * g, params, grads), value


class Trial:
    def __init__(self, number):
        self.rng = np.random.RandomState(number)
        self.rate = np.float32(10 ** self.rng.uniform(-3, -1))

    def __enter__(self):
        self.params = {
            "w": (0.3 * self.rng.randn(4, 8)).astype(np.float32),
            "v": (0.3 * self.rng.randn(8)).astype(np.float32),
        }
        return self

    def __exit__(self, *error):
        del self.params
        gc.collect()
        jax.clear_caches()

    def run(self):
        for _ in range(STEPS):
            x = self.rng.randn(20, 4).astype(np.float32)
            self.params, value = trial_step(self.params, self.rate, x, np.abs(x[:, 0]))
        return float(value)


results = {}
for number in range(TRIALS):
    with Trial(number) as trial:
        results[trial.rate] = trial.run()
print(f"best rate {min(results, key=results.get):.4f}")
