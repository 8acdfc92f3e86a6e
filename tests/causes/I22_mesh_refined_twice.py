"""WHY INNOCENT: An adaptive solver refines its mesh where the front is steep, twice in the whole run, and takes
hundreds of steps on each mesh. A mesh that were padded to its final size would make the early steps several times
as dear.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I22",
    "name": "mesh_refined_twice",
    "kind": "negative",
    "library": "jax",
    "function": "flow",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

STEPS = 400


@jax.jit
def flow(u, x, dt):
    """One step of the viscous Burgers equation on an uneven mesh."""
    width = jnp.diff(x)
    slope = jnp.diff(u) / width
    middle = 0.5 * (width[1:] + width[:-1])
    change = 0.02 * jnp.diff(slope) / middle - u[1:-1] * 0.5 * (slope[1:] + slope[:-1])
    return u.at[1:-1].add(dt * change)


def refined(x, u, steepest):
    """Halve the cells whose jump is among the largest ones."""
    jumps = np.abs(np.diff(u))
    cells = np.sort(np.argsort(-jumps, kind="stable")[:steepest])
    finer = np.sort(np.concatenate([x, 0.5 * (x[cells] + x[cells + 1])])).astype(np.float32)
    return finer, np.interp(finer, x, u).astype(np.float32)


x = np.linspace(0, 1, 41, dtype=np.float32)
u = np.sin(2 * np.pi * x).astype(np.float32)
for stage in range(3):
    dt = np.float32(0.2 * np.diff(x).min() ** 2 / 0.02)
    for _ in range(STEPS):
        u = flow(u, x, dt)
    u = np.asarray(u)
    print(f"stage {stage}: {len(x)} points, steepest jump {np.abs(np.diff(u)).max():.4f}")
    if stage < 2:
        x, u = refined(x, u, steepest=20)
