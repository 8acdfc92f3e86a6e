"""WHY INNOCENT: A predator-prey model and its observation filter each have a jitted method `step`. The two have
only the name in common and are both used at every time step.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I32",
    "name": "steps_of_equal_name",
    "kind": "negative",
    "library": "jax",
    "function": "step",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

rng = np.random.RandomState(132)


class Population:
    @staticmethod
    @jax.jit
    def step(state, rates):
        prey, hunters = state
        change = jnp.stack(
            [rates[0] * prey - rates[1] * prey * hunters, rates[2] * prey * hunters - rates[3] * hunters]
        )
        return jnp.maximum(state + 0.02 * change, 0.01)


class Smoother:
    @staticmethod
    @jax.jit
    def step(level, seen):
        return 0.8 * level + 0.2 * seen


class Alarm:
    @staticmethod
    @jax.jit
    def step(count, level):
        return count + jnp.any(level > 2.0)


state, rates = np.array([1.0, 0.5], np.float32), np.array([1.1, 0.4, 0.1, 0.4], np.float32)
level, count = np.zeros(2, np.float32), np.int32(0)
for _ in range(500):
    state = Population.step(state, rates)
    level = Smoother.step(level, np.asarray(state) + 0.1 * rng.randn(2).astype(np.float32))
    count = Alarm.step(count, level)
print(np.round(np.asarray(state), 3), int(count))
