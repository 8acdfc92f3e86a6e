"""SYMPTOM: The training step is compiled a second time at the first checkpoint. The trainer donates its state; the
checkpoint hook jits the same step once more without donation, to look one step ahead.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C29",
    "name": "probe_with_other_donation",
    "kind": "positive",
    "library": "jax",
    "function": "advance_state",
    "cause": "other",
    "where": ["donate_argnums of the second jit"],
    "expected_traces": 1,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "match": {"text": ["donate"]},
    "repair": [["jax.jit(advance_state, donate_argnums=0)", "jax.jit(advance_state)"]],
    "fix": (
        "Use one jitted step for both (without donation, or let the hook copy the state): "
        "donation is part of the program."
    ),
}

STEPS, EVERY, FEATURES = 200, 50, 5
rng = np.random.RandomState(29)
slope = rng.randn(FEATURES).astype(np.float32)


def advance_state(state, x, y):
    gradient = jax.grad(lambda w: jnp.mean((jnp.tanh(x @ w) - y) ** 2))(state["w"])
    velocity = 0.9 * state["velocity"] - 0.1 * gradient
    return {"w": state["w"] + velocity, "velocity": velocity}


class CheckpointHook:
    def __init__(self):
        self.peek = jax.jit(advance_state)
        self.kept = []

    def __call__(self, state, batch):
        ahead = self.peek(state, *batch)
        self.kept.append(float(jnp.abs(ahead["w"] - state["w"]).max()))


class Trainer:
    def __init__(self, hook):
        self.hook = hook
        self.step = jax.jit(advance_state, donate_argnums=0)
        self.state = {"w": jnp.zeros(FEATURES), "velocity": jnp.zeros(FEATURES)}

    def run(self, batches):
        for i, batch in enumerate(batches, 1):
            self.state = self.step(self.state, *batch)
            if i % EVERY == 0:
                self.hook(self.state, batch)


def batches():
    for _ in range(STEPS):
        x = rng.randn(16, FEATURES).astype(np.float32)
        yield x, np.tanh(x @ slope)


hook = CheckpointHook()
Trainer(hook).run(batches())
print(np.round(hook.kept, 4))
