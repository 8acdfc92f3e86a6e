"""SYMPTOM: A solver's sweep is compiled twice. The warm-up leaves the damping to its default; the loop passes the
same number.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C33",
    "name": "damping_left_to_its_default",
    "kind": "positive",
    "library": "jax",
    "function": "jacobi",
    "cause": "arg_kind",
    "where": ["damping"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [["jacobi(matrix, rhs, x)", "jacobi(matrix, rhs, x, 0.8)"]],
    "fix": "Pass damping in the warm-up too: an omitted default is a constant of another program.",
}

SIZE, SWEEPS = 20, 80
rng = np.random.RandomState(33)


@jax.jit
def jacobi(matrix, rhs, x, damping=0.8):
    diagonal = jnp.diag(matrix)
    return x + damping * (rhs - matrix @ x) / diagonal


def warm_up(matrix, rhs):
    x = np.zeros(SIZE, np.float32)
    jacobi(matrix, rhs, x).block_until_ready()


def solve(matrix, rhs, damping):
    x = np.zeros(SIZE, np.float32)
    for _ in range(SWEEPS):
        x = jacobi(matrix, rhs, x, damping)
    return np.asarray(x)


matrix = (rng.randn(SIZE, SIZE) * 0.1 + 4 * np.eye(SIZE)).astype(np.float32)
warm_up(matrix, np.ones(SIZE, np.float32))
for _i in range(4):
    rhs = rng.randn(SIZE).astype(np.float32)
    x = solve(matrix, rhs, 0.8)
    print(f"{np.abs(matrix @ x - rhs).max():.1e}")
