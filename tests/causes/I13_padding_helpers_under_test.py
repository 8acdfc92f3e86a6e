"""WHY INNOCENT: A test module runs a masked softmax over a table of shapes and checks properties, each shape twice.
A test that did not compile each shape would not test it.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I13",
    "name": "padding_helpers_under_test",
    "kind": "negative",
    "library": "jax",
    "function": "masked_softmax",
    "cause": None,
    "where": [],
    "expected_traces": 8,
    "expected_compiles": 8,
    "needed_compiles": 8,
    "fix": "",
}

SHAPES = [(1, 1), (1, 5), (3, 1), (2, 7), (5, 5), (4, 11), (9, 2), (16, 33)]
CHECKS = []


def parametrised(test):
    CHECKS.extend((test, shape) for shape in SHAPES)
    return test


@jax.jit
def masked_softmax(logits, mask):
    shifted = jnp.where(mask, logits - logits.max(-1, keepdims=True), -jnp.inf)
    weights = jnp.exp(shifted)
    return weights / weights.sum(-1, keepdims=True)


def example(shape):
    rng = np.random.RandomState(sum(shape))
    mask = rng.rand(*shape) < 0.7
    mask[:, 0] = True
    return rng.randn(*shape).astype(np.float32), mask


@parametrised
def test_rows_sum_to_one(shape):
    np.testing.assert_allclose(np.asarray(masked_softmax(*example(shape))).sum(-1), 1.0, rtol=1e-5)


@parametrised
def test_masked_places_are_zero(shape):
    logits, mask = example(shape)
    assert not np.asarray(masked_softmax(logits, mask))[~mask].any()


for test, shape in CHECKS:
    test(shape)
print(f"{len(CHECKS)} passed")
