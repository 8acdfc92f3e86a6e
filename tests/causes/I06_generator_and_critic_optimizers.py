"""WHY INNOCENT: A small GAN steps two players through one function. The optimizer is a static argument, and the two
optimizers live as long as the program and take turns.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "I06",
    "name": "generator_and_critic_optimizers",
    "kind": "negative",
    "library": "jax+optax",
    "function": "apply_gradient",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

STEPS, BATCH, LATENT = 300, 24, 2
rng = np.random.RandomState(106)
optimizers = {"generator": optax.adam(2e-3, b1=0.5), "critic": optax.chain(optax.clip(0.5), optax.sgd(1e-2))}


def generate(params, z):
    return jnp.tanh(z @ params["w"]) @ params["v"]


def criticise(params, x):
    return (jnp.tanh(x @ params["w"]) @ params["v"])[:, 0]


@jax.jit
def generator_gradient(players, z):
    return jax.grad(lambda g: -jnp.mean(criticise(players["critic"], generate(g, z))))(players["generator"])


@jax.jit
def critic_gradient(players, z, real):
    fake = generate(players["generator"], z)
    return jax.grad(lambda c: jnp.mean(criticise(c, fake)) - jnp.mean(criticise(c, real)))(players["critic"])


@partial(jax.jit, static_argnames="tx")
def apply_gradient(params, state, grads, tx):
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state


def player():
    return {"w": jnp.asarray(0.5 * rng.randn(2, 8), jnp.float32), "v": jnp.asarray(0.5 * rng.randn(8, 2), jnp.float32)}


players = {name: player() for name in optimizers}
states = {name: tx.init(players[name]) for name, tx in optimizers.items()}
for _step in range(STEPS):
    z = rng.randn(BATCH, LATENT).astype(np.float32)
    real = (rng.randn(BATCH, 2) * [1.0, 0.3] + [2.0, -1.0]).astype(np.float32)
    grads = {"critic": critic_gradient(players, z, real), "generator": generator_gradient(players, z)}
    for name, tx in optimizers.items():
        players[name], states[name] = apply_gradient(players[name], states[name], grads[name], tx=tx)
print(np.round(np.asarray(generate(players["generator"], z)).mean(0), 3))
