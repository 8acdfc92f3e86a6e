"""WHY INNOCENT: A multigrid solver applies one smoother on grids of 65, 33, 17 and 9 points. Each V-cycle visits
all levels, and there are fifty cycles: four programs, used four hundred times.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I21",
    "name": "multigrid_levels",
    "kind": "negative",
    "library": "jax",
    "function": "smooth",
    "cause": None,
    "where": [],
    "expected_traces": 4,
    "expected_compiles": 4,
    "needed_compiles": 4,
    "fix": "",
}

FINE, COARSE, CYCLES = 65, 9, 50


@jax.jit
def smooth(u, f, h):
    for _ in range(3):
        new = 0.5 * (u[:-2] + u[2:] + h * h * f[1:-1])
        u = u.at[1:-1].set(u[1:-1] + 0.67 * (new - u[1:-1]))
    return u


@jax.jit
def residual(u, f, h):
    return jnp.zeros_like(u).at[1:-1].set(f[1:-1] - (2 * u[1:-1] - u[:-2] - u[2:]) / (h * h))


def restrict(r):
    coarse = r[::2].copy()
    coarse[1:-1] = 0.25 * (r[1:-3:2] + 2 * r[2:-2:2] + r[3:-1:2])
    return coarse


def prolong(e):
    return np.interp(np.arange(2 * len(e) - 1) / 2, np.arange(len(e)), e).astype(np.float32)


def v_cycle(u, f, h):
    u = np.asarray(smooth(u, f, h))
    if len(u) > COARSE:
        correction = v_cycle(np.zeros((len(u) + 1) // 2, np.float32), restrict(np.asarray(residual(u, f, h))), 2 * h)
        u = u + prolong(correction)
    return np.asarray(smooth(u, f, h))


x = np.linspace(0, 1, FINE, dtype=np.float32)
f = (np.pi**2 * np.sin(np.pi * x)).astype(np.float32)
u = np.zeros(FINE, np.float32)
for _ in range(CYCLES):
    u = v_cycle(u, f, np.float32(1 / (FINE - 1)))
print(f"error {np.abs(u - np.sin(np.pi * x)).max():.5f}")
