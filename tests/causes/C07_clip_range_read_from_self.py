"""SYMPTOM: A policy-gradient learner lowers its clip range every iteration and makes its update again, because the
update reads the range from `self` while it is traced. Each iteration compiles once and then makes forty steps.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C07",
    "name": "clip_range_read_from_self",
    "kind": "positive",
    "library": "jax",
    "function": "update",
    "cause": "function_identity",
    "where": ["update (the function itself)", "self.clip"],
    "expected_traces": 14,
    "expected_compiles": 14,
    "needed_compiles": 1,
    "match": {"text": [r"\bupdate\b|\bclip\b"], "also": ["static_value"]},
    "repair": [
        ["            self.update = self.make_update()\n", ""],
        ["def update(weights, batch):", "def update(weights, batch, clip):"],
        ["1 - self.clip, 1 + self.clip", "1 - clip, 1 + clip"],
        ["self.update(self.weights, batch)", "self.update(self.weights, batch, self.clip)"],
    ],
    "fix": (
        "Make the clip range an argument of update and make update once, instead of reading self.clip in a new closure."
    ),
}

ITERATIONS, STEPS, BATCH, OBS, ACTIONS = 14, 40, 32, 4, 3
rng = np.random.RandomState(7)


def log_policy(weights, obs):
    return jax.nn.log_softmax(obs @ weights["w"] + weights["b"])


class Learner:
    """A softmax policy that is improved on batches of a fixed behaviour."""

    def __init__(self, rate=0.1, clip=0.3):
        self.rate, self.clip = rate, clip
        self.update = self.make_update()
        self.weights = {"w": jnp.zeros((OBS, ACTIONS)), "b": jnp.zeros(ACTIONS)}

    def make_update(self):
        @jax.jit
        def update(weights, batch):
            def surrogate(w):
                chosen = jnp.take_along_axis(log_policy(w, batch["obs"]), batch["action"][:, None], 1)[:, 0]
                ratio = jnp.exp(chosen - batch["old"])
                clipped = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
                return -jnp.mean(jnp.minimum(ratio * batch["gain"], clipped * batch["gain"]))

            grads = jax.grad(surrogate)(weights)
            return jax.tree.map(lambda w, g: w - self.rate * g, weights, grads)

        return update

    def learn(self, batches):
        for batch in batches:
            self.weights = self.update(self.weights, batch)

    def train(self, iterations):
        for _ in range(iterations):
            self.clip *= 0.9
            self.update = self.make_update()
            self.learn(behaviour(STEPS))


def behaviour(n):
    for _ in range(n):
        obs = rng.randn(BATCH, OBS).astype(np.float32)
        action = rng.randint(ACTIONS, size=BATCH).astype(np.int32)
        gain = np.where(action == (obs[:, 0] > 0), 1.0, -0.5).astype(np.float32)
        yield {"obs": obs, "action": action, "gain": gain, "old": np.full(BATCH, -np.log(ACTIONS), np.float32)}


learner = Learner()
learner.train(ITERATIONS)
print(np.round(np.asarray(learner.weights["w"]), 3))
