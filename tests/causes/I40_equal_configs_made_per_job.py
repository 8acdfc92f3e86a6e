"""WHY INNOCENT: Every job brings its own static config, made from a dictionary. The config is a frozen dataclass,
so equal ones are one key, and there are two different ones in all.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I40",
    "name": "equal_configs_made_per_job",
    "kind": "negative",
    "library": "jax",
    "function": "smooth_image",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

rng = np.random.RandomState(140)


@dataclass(frozen=True)
class Smoothing:
    passes: int
    edge: str

    @classmethod
    def parse(cls, job):
        return cls(int(job["passes"]), str(job["edge"]))


@partial(jax.jit, static_argnames="config")
def smooth_image(image, config):
    for _ in range(config.passes):
        padded = jnp.pad(image, 1, mode=config.edge)
        image = (padded[1:-1, 1:-1] + padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2]) / 5
    return image


def jobs(n):
    for i in range(n):
        kind = {"passes": "2", "edge": "edge"} if i % 5 else {"passes": "4", "edge": "reflect"}
        yield kind | {"image": rng.rand(12, 12).astype(np.float32)}


spread = [float(np.asarray(smooth_image(job["image"], config=Smoothing.parse(job))).std()) for job in jobs(250)]
print(f"{np.mean(spread):.4f}")
