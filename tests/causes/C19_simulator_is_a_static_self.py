"""SYMPTOM: An ensemble of lake simulations compiles for each member. The step is a method with a static `self`,
every member builds its own simulator with the same settings, and the class has no equality.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C19",
    "name": "simulator_is_a_static_self",
    "kind": "positive",
    "library": "jax",
    "function": "mix",
    "cause": "static_identity",
    "where": ["static self"],
    "expected_traces": 10,
    "expected_compiles": 10,
    "needed_compiles": 1,
    "match": {"text": [r"\bself\b|\bLake\b"]},
    "repair": [
        ["    lake = Lake(layers=LAYERS, diffusivity=0.2, dt=0.9)\n", ""],
        ["means = []\n", "means = []\nlake = Lake(layers=LAYERS, diffusivity=0.2, dt=0.9)\n"],
    ],
    "fix": (
        "Give Lake value equality (a frozen dataclass) or share one instance: the static self is compared by identity."
    ),
}

MEMBERS, DAYS, LAYERS = 10, 80, 12


class Lake:
    def __init__(self, layers, diffusivity, dt):
        self.layers, self.diffusivity, self.dt = layers, diffusivity, dt

    @partial(jax.jit, static_argnums=0)
    def mix(self, temperature, surface, wind):
        padded = jnp.concatenate([surface[None], temperature, temperature[-1:]])
        flux = self.diffusivity * (1 + wind) * jnp.diff(padded)
        return temperature + self.dt * jnp.diff(flux)

    def year(self, temperature, weather):
        for surface, wind in weather:
            temperature = self.mix(temperature, surface, wind)
        return temperature


def weather(member):
    rng = np.random.RandomState(member)
    for day in range(DAYS):
        yield np.float32(10 + 8 * np.sin(day / 20) + rng.randn()), np.float32(rng.rand())


means = []
for member in range(MEMBERS):
    lake = Lake(layers=LAYERS, diffusivity=0.2, dt=0.9)
    means.append(float(lake.year(np.full(LAYERS, 8.0, np.float32), weather(member)).mean()))
print(f"{np.mean(means):.3f} +- {np.std(means):.3f}")
