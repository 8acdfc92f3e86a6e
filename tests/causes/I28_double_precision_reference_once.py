"""WHY INNOCENT: Before an integration in single precision starts, its first steps are checked once against the same
function in double precision. That the check compiles anew is its purpose.
"""

import jax
import jax.numpy as jnp
import numpy as np

try:
    from jax import enable_x64
except ImportError:
    from jax.experimental import enable_x64

CASE = {
    "id": "I28",
    "name": "double_precision_reference_once",
    "kind": "negative",
    "library": "jax",
    "function": "leapfrog",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

STEPS, BODIES = 400, 4
rng = np.random.RandomState(128)


def acceleration(place, mass):
    apart = place[None] - place[:, None]
    squared = jnp.sum(apart**2, -1) + 0.05
    return jnp.sum(mass[None, :, None] * apart / squared[..., None] ** 1.5, 1)


@jax.jit
def leapfrog(place, speed, mass, dt):
    speed = speed + 0.5 * dt * acceleration(place, mass)
    place = place + dt * speed
    return place, speed + 0.5 * dt * acceleration(place, mass)


def integrate(place, speed, mass, dt, steps):
    for _ in range(steps):
        place, speed = leapfrog(place, speed, mass, dt)
    return np.asarray(place)


def drift_of_single_precision(place, speed, mass):
    single = integrate(*(a.astype(np.float32) for a in (place, speed, mass)), np.float32(0.01), 20)
    with enable_x64(True):
        double = integrate(place, speed, mass, np.float64(0.01), 20)
    return np.abs(single - double).max()


place, speed, mass = rng.randn(BODIES, 3), 0.1 * rng.randn(BODIES, 3), rng.rand(BODIES)
drift = drift_of_single_precision(place, speed, mass)
assert drift < 1e-4, drift
final = integrate(*(a.astype(np.float32) for a in (place, speed, mass)), np.float32(0.01), STEPS)
print(np.round(final[0], 3))
