"""WHY INNOCENT: Training drops its last incomplete batch. Evaluation may not: the test set of 210 rows ends with a
batch of 18 in each epoch, always of that size. Two programs, used in every epoch, and the small one costs less than
a padded one would.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I27",
    "name": "test_set_ends_with_a_smaller_batch",
    "kind": "negative",
    "library": "jax",
    "function": "correct",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

EPOCHS, TRAIN, TEST, BATCH, FEATURES, CLASSES = 12, 400, 210, 32, 8, 3
rng = np.random.RandomState(127)
centres = 1.5 * rng.randn(CLASSES, FEATURES)


def dataset(n):
    y = rng.randint(CLASSES, size=n).astype(np.int32)
    return (centres[y] + rng.randn(n, FEATURES)).astype(np.float32), y


def batches(x, y, drop_last):
    for at in range(0, len(x), BATCH):
        if drop_last and at + BATCH > len(x):
            return
        yield x[at : at + BATCH], y[at : at + BATCH]


@jax.jit
def fit(w, x, y):
    def loss(w):
        logits = jax.nn.log_softmax(x @ w)
        return -jnp.mean(jnp.take_along_axis(logits, y[:, None], 1))

    return w - 0.1 * jax.grad(loss)(w)


@jax.jit
def correct(w, x, y):
    return jnp.sum(jnp.argmax(x @ w, -1) == y)


train, test = dataset(TRAIN), dataset(TEST)
w = np.zeros((FEATURES, CLASSES), np.float32)
for epoch in range(EPOCHS):
    for x, y in batches(*train, drop_last=True):
        w = fit(w, x, y)
    right = sum(int(correct(w, x, y)) for x, y in batches(*test, drop_last=False))
    print(f"epoch {epoch} accuracy {right / TEST:.3f}")
