"""WHY INNOCENT: A Gaussian-process library picks the kernel by a static enumeration. A model comparison goes
through all four kernels and many length scales; the four values are all there are.
"""

import enum
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I44",
    "name": "four_kernels_of_a_covariance",
    "kind": "negative",
    "library": "jax",
    "function": "evidence",
    "cause": None,
    "where": [],
    "expected_traces": 4,
    "expected_compiles": 4,
    "needed_compiles": 4,
    "fix": "",
}

POINTS = 16
rng = np.random.RandomState(144)


class Kernel(enum.Enum):
    GAUSS = "gauss"
    LAPLACE = "laplace"
    MATERN = "matern"
    PERIODIC = "periodic"


def covariance(kernel, apart, scale):
    near = jnp.abs(apart) / scale
    match kernel:
        case Kernel.GAUSS:
            return jnp.exp(-0.5 * near**2)
        case Kernel.LAPLACE:
            return jnp.exp(-near)
        case Kernel.MATERN:
            return (1 + jnp.sqrt(3.0) * near) * jnp.exp(-jnp.sqrt(3.0) * near)
        case Kernel.PERIODIC:
            return jnp.exp(-2 * jnp.sin(near) ** 2)


@partial(jax.jit, static_argnames="kernel")
def evidence(x, y, scale, kernel):
    matrix = covariance(kernel, x[:, None] - x[None], scale) + 0.1 * jnp.eye(len(x))
    root = jnp.linalg.cholesky(matrix)
    white = jax.scipy.linalg.solve_triangular(root, y, lower=True)
    return -0.5 * white @ white - jnp.sum(jnp.log(jnp.diag(root)))


x = np.sort(rng.rand(POINTS) * 6).astype(np.float32)
y = (np.sin(2 * x) + 0.1 * rng.randn(POINTS)).astype(np.float32)
best = {}
for scale in np.geomspace(0.1, 3, 40).astype(np.float32):
    for kernel in Kernel:
        best[kernel.name] = max(best.get(kernel.name, -np.inf), float(evidence(x, y, scale, kernel=kernel)))
print({name: round(value, 2) for name, value in best.items()})
