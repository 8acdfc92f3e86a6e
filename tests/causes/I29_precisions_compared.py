"""WHY INNOCENT: A benchmark of accuracy runs one product at each matmul precision and reports the errors side by
side. To compile each precision is what it is for.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I29",
    "name": "precisions_compared",
    "kind": "negative",
    "library": "jax",
    "function": "gram",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

ROWS, COLUMNS, REPEATS = 64, 16, 60
rng = np.random.RandomState(129)


@jax.jit
def gram(x):
    scaled = x / jnp.linalg.norm(x, axis=-1, keepdims=True)
    return scaled.T @ scaled


def exact(x):
    scaled = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=-1, keepdims=True)
    return scaled.T @ scaled


samples = [rng.randn(ROWS, COLUMNS).astype(np.float32) for _ in range(REPEATS)]
for precision in ("bfloat16", "tensorfloat32", "float32"):
    with jax.default_matmul_precision(precision):
        errors = [np.abs(np.asarray(gram(x)) - exact(x)).max() for x in samples]
    print(f"{precision:14s} {np.max(errors) < 0.1}")
