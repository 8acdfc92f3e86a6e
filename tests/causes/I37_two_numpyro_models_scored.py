"""WHY INNOCENT: Two hand-written samplers compare a normal and a Student model. Each model has its own log density
by numpyro, jitted once by a factory and called a few hundred times.
"""

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer.util import log_density

CASE = {
    "id": "I37",
    "name": "two_numpyro_models_scored",
    "kind": "negative",
    "library": "numpyro",
    "function": "density",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

rng = np.random.RandomState(137)
seen = (2.0 + rng.standard_t(3, 40)).astype(np.float32)


def normal_model(seen):
    place = numpyro.sample("place", dist.Normal(0.0, 5.0))
    numpyro.sample("seen", dist.Normal(place, 1.0), obs=seen)


def student_model(seen):
    place = numpyro.sample("place", dist.Normal(0.0, 5.0))
    numpyro.sample("seen", dist.StudentT(3.0, place, 1.0), obs=seen)


def density_of(model):
    @jax.jit
    def density(place, seen):
        return log_density(model, (seen,), {}, {"place": place})[0]

    return density


def metropolis(density, steps=400):
    place, score, total = np.float32(0), -np.inf, 0.0
    for _ in range(steps):
        tried = place + np.float32(0.5 * rng.randn())
        there = float(density(tried, seen))
        if np.log(rng.rand()) < there - score:
            place, score = tried, there
        total += float(place)
    return total / steps


print({model.__name__: round(metropolis(density_of(model)), 2) for model in (normal_model, student_model)})
