"""WHY INNOCENT: Progressive growing with a few steps at each size: the decoder starts with one block and gains a
block, and with it twice the output, at each of three stages. Each stage is another network.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I12",
    "name": "decoder_grown_by_a_block",
    "kind": "negative",
    "library": "jax",
    "function": "grow_step",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

LATENT, STEPS = 4, 12
rng = np.random.RandomState(112)


def block(n_in, n_out):
    return {"w": (rng.randn(n_in, n_out) / np.sqrt(n_in)).astype(np.float32), "b": np.zeros(n_out, np.float32)}


def decode(blocks, z):
    for i, layer in enumerate(blocks):
        z = z @ layer["w"] + layer["b"]
        if i + 1 < len(blocks):
            z = jax.nn.leaky_relu(z)
    return z


@jax.jit
def grow_step(blocks, z, target):
    value, grads = jax.value_and_grad(lambda b: jnp.mean((decode(b, z) - target) ** 2))(blocks)
    return jax.tree.map(lambda w, g: w - 0.1 * g, blocks, grads), value


def waves(phase, points):
    grid = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.sin(grid + phase[:, None]).astype(np.float32)


blocks, size = [], LATENT
for stage in range(3):
    blocks = [jax.tree.map(np.asarray, b) for b in blocks] + [block(size, 2 * size)]
    size *= 2
    for _ in range(STEPS):
        phase = rng.rand(16) * 6
        z = np.stack([np.sin(phase), np.cos(phase), phase * 0, phase * 0 + 1], -1).astype(np.float32)
        blocks, value = grow_step(blocks, z, waves(phase, size))
    print(f"stage {stage} with {size} points: {float(value):.4f}")
