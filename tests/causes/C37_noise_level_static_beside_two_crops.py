"""SYMPTOM: A denoiser is trained on two crop sizes, which are meant, and with a noise level that decays each epoch,
which is static. Of the two things that change, one costs two programs and the other two for each epoch.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C37",
    "name": "noise_level_static_beside_two_crops",
    "kind": "positive",
    "library": "jax",
    "function": "denoise",
    "cause": "static_value",
    "where": ["static sigma"],
    "expected_traces": 10,
    "expected_compiles": 10,
    "needed_compiles": 2,
    "repair": [['@partial(jax.jit, static_argnames=("sigma",))', "@jax.jit"]],
    "fix": "Trace sigma (drop it from static_argnames); the two crop sizes then need one program each.",
}

EPOCHS, STEPS, BATCH, CROPS = 5, 24, 8, (16, 32)
rng = np.random.RandomState(37)


@partial(jax.jit, static_argnames=("sigma",))
def denoise(kernel, crop, key, sigma):
    noisy = crop + sigma * jax.random.normal(key, crop.shape)

    def loss(k):
        smooth = jax.vmap(lambda row: jnp.convolve(row, k, mode="same"))(noisy)
        return jnp.mean((smooth - crop) ** 2)

    value, gradient = jax.value_and_grad(loss)(kernel)
    return kernel - 0.05 * gradient, value


def crops(n):
    for i in range(n):
        size = CROPS[i % len(CROPS)]
        phase = 6 * rng.rand(BATCH, 1)
        yield np.sin(np.arange(size) / 4 + phase).astype(np.float32)


kernel, key = np.full(5, 0.1, np.float32), jax.random.key(37)
for epoch in range(EPOCHS):
    sigma = 0.5 * 0.8**epoch
    for crop in crops(STEPS):
        key, sub = jax.random.split(key)
        kernel, value = denoise(kernel, crop, sub, sigma=sigma)
    print(f"epoch {epoch} sigma {sigma:.3f} loss {float(value):.4f}")
