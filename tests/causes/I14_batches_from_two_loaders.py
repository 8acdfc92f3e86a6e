"""WHY INNOCENT: Half of the batches come from a NumPy loader and half from a loader that puts them on the device
ahead of time. JAX dispatches both to the same executable.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I14",
    "name": "batches_from_two_loaders",
    "kind": "negative",
    "library": "jax",
    "function": "absorb",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

BATCH, FEATURES = 16, 6
rng = np.random.RandomState(114)


def host_loader(n):
    for _ in range(n):
        yield rng.randn(BATCH, FEATURES).astype(np.float32), np.float32(rng.rand())


def device_loader(n):
    for x, weight in host_loader(n):
        yield jnp.asarray(x), jnp.asarray(weight)


def alternating(*loaders):
    for batches in zip(*loaders, strict=True):
        yield from batches


@jax.jit
def absorb(moments, x, weight):
    mean, square, seen = moments
    return mean + weight * x.mean(0), square + weight * (x**2).mean(0), seen + weight


moments = (np.zeros(FEATURES, np.float32), np.zeros(FEATURES, np.float32), np.float32(0))
for x, weight in alternating(host_loader(150), device_loader(150)):
    moments = absorb(moments, x, weight)
mean, square, seen = (np.asarray(m) for m in moments)
print(np.round(square / seen - (mean / seen) ** 2, 3))
