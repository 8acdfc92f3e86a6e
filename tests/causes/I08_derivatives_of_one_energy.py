"""WHY INNOCENT: A molecular model needs energy, forces, the Hessian, a directional derivative and a batch of
energies. All are transforms of one function, each jitted once, so JAX compiles four different programs under its
name.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I08",
    "name": "derivatives_of_one_energy",
    "kind": "negative",
    "library": "jax",
    "function": "energy",
    "cause": None,
    "where": [],
    "expected_traces": 4,
    "expected_compiles": 4,
    "needed_compiles": 4,
    "fix": "",
}

ATOMS = 5
rng = np.random.RandomState(108)


def energy(positions):
    apart = positions[:, None] - positions[None]
    squared = jnp.sum(apart**2, -1) + jnp.eye(ATOMS)
    inverse = 1.0 / squared**3
    return jnp.sum(jnp.triu(inverse**2 - inverse, 1))


value_of = jax.jit(energy)
gradient_of = jax.jit(jax.grad(energy))
hessian_of = jax.jit(jax.hessian(energy))
energies_of = jax.jit(jax.vmap(energy))


@jax.jit
def slope_along(positions, direction):
    return jax.jvp(value_of, (positions,), (direction,))[1]


positions = (np.arange(ATOMS * 3).reshape(ATOMS, 3) % 4 + rng.rand(ATOMS, 3)).astype(np.float32)
for _ in range(50):
    positions = positions - np.float32(0.01) * np.clip(np.asarray(gradient_of(positions)), -1, 1)
batch = positions + 0.01 * rng.randn(8, ATOMS, 3).astype(np.float32)
print(f"energy {float(value_of(positions)):.4f}")
print(f"curvature {np.linalg.eigvalsh(np.asarray(hessian_of(positions)).reshape(3 * ATOMS, -1))[-1]:.3f}")
print(f"slope {float(slope_along(positions, np.ones_like(positions))):.5f}")
print(f"spread {float(energies_of(batch).std()):.5f}")
