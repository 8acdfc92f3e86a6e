"""SYMPTOM: An evaluator is called by the trainer with JAX arrays and a mask, and by a report with NumPy arrays and
no mask. Two arguments differ between the two; only one of them makes JAX compile.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C39",
    "name": "mask_missing_while_the_source_changes",
    "kind": "positive",
    "library": "jax",
    "function": "masked_error",
    "cause": "tree_structure",
    "where": ["mask"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [
        ["masked_error(prediction, target, None)", "masked_error(prediction, target, np.ones(target.shape, bool))"]
    ],
    "fix": "Pass an all-true mask from the report: None is another tree (NumPy or JAX arrays make no difference).",
}

EPOCHS, STEPS, SHAPE = 8, 25, (12, 5)
rng = np.random.RandomState(39)


@jax.jit
def masked_error(prediction, target, mask):
    squared = (prediction - target) ** 2
    if mask is None:
        return squared.mean()
    return jnp.sum(squared * mask) / jnp.sum(mask)


@jax.jit
def smooth(state, target):
    return 0.9 * state + 0.1 * target


def report(state, target):
    prediction, target = np.asarray(state), np.asarray(target)
    return float(masked_error(prediction, target, None))


state = jnp.zeros(SHAPE)
for epoch in range(EPOCHS):
    for _ in range(STEPS):
        target = jnp.asarray(rng.randn(*SHAPE) + 1.0, jnp.float32)
        state = smooth(state, target)
        error = masked_error(state, target, jnp.asarray(rng.rand(*SHAPE) < 0.8))
    print(f"epoch {epoch} {float(error):.3f} {report(state, target):.3f}")
