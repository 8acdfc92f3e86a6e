"""WHY INNOCENT: Long sequences are trained with rematerialisation, short ones without; a static flag decides. The
two programs differ on purpose, and both are used throughout.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I34",
    "name": "checkpointed_and_plain_gradient",
    "kind": "negative",
    "library": "jax",
    "function": "sequence_step",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

SHORT, LONG, BATCH, WIDTH = 8, 64, 6, 8
rng = np.random.RandomState(134)


def cell(params, h, x):
    return jnp.tanh(h @ params["h"] + x @ params["x"])


@partial(jax.jit, static_argnames="remat")
def sequence_step(params, sequence, target, remat):
    one = jax.checkpoint(cell) if remat else cell

    def loss(p):
        h, _ = jax.lax.scan(lambda h, x: (one(p, h, x), None), jnp.zeros((BATCH, WIDTH)), sequence)
        return jnp.mean((h.sum(-1) - target) ** 2)

    return jax.tree.map(lambda p, g: p - 0.01 * g, params, jax.grad(loss)(params))


params = {"h": 0.3 * rng.randn(WIDTH, WIDTH).astype(np.float32), "x": rng.randn(3, WIDTH).astype(np.float32)}
for i in range(240):
    length = LONG if i % 4 == 0 else SHORT
    sequence = rng.randn(length, BATCH, 3).astype(np.float32)
    params = sequence_step(params, sequence, sequence[-1, :, 0], remat=length == LONG)
print(np.round(np.linalg.norm(np.asarray(params["h"])), 3))
