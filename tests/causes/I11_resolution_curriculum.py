"""WHY INNOCENT: A convolutional denoiser is trained at 16, 24 and 32 pixels, a hundred and more steps each. The
resolution is a planned schedule of three stages; at the small ones a step costs a fraction of the large one.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I11",
    "name": "resolution_curriculum",
    "kind": "negative",
    "library": "jax",
    "function": "denoise_step",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}


@dataclass(frozen=True)
class Stage:
    pixels: int
    steps: int


STAGES = (Stage(16, 200), Stage(24, 150), Stage(32, 120))
BATCH = 4
rng = np.random.RandomState(111)


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


@jax.jit
def denoise_step(kernels, noisy, clean):
    def loss(k):
        h = jax.nn.relu(convolve(noisy, k["up"]))
        return jnp.mean((noisy - convolve(h, k["down"]) - clean) ** 2)

    value, grads = jax.value_and_grad(loss)(kernels)
    return jax.tree.map(lambda k, g: k - 0.05 * g, kernels, grads), value


def pictures(pixels):
    y, x = np.mgrid[:pixels, :pixels] / pixels
    phases = rng.rand(BATCH, 1, 1)
    clean = np.sin(6 * (x + phases)) * np.cos(5 * y)
    clean = clean[..., None].astype(np.float32)
    return clean + 0.3 * rng.randn(*clean.shape).astype(np.float32), clean


kernels = {
    "up": jnp.asarray(0.2 * rng.randn(3, 3, 1, 4), jnp.float32),
    "down": jnp.asarray(0.2 * rng.randn(3, 3, 4, 1), jnp.float32),
}
for stage in STAGES:
    for _ in range(stage.steps):
        kernels, value = denoise_step(kernels, *pictures(stage.pixels))
    print(f"{stage.pixels} pixels: {float(value):.4f}")
