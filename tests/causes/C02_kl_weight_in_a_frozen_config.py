"""SYMPTOM: The first step of every epoch of a variational autoencoder is slow. The weight of the KL term is
annealed by replacing the frozen config object, and the config is a static argument.
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C02",
    "name": "kl_weight_in_a_frozen_config",
    "kind": "positive",
    "library": "jax",
    "function": "elbo_step",
    "cause": "static_value",
    "where": ["static config"],
    "expected_traces": 8,
    "expected_compiles": 8,
    "needed_compiles": 1,
    "match": {"text": [r"\bconfig\b"]},
    "repair": [
        ["noise, config)", "noise, Config(), config.beta)"],
        ["def elbo_step(params, x, key, config)", "def elbo_step(params, x, key, config, beta)"],
        ["config.beta * kl", "beta * kl"],
    ],
    "fix": "Take beta out of the static config and pass it as a traced scalar: it has a new value in each epoch.",
}


@dataclasses.dataclass(frozen=True)
class Config:
    latent: int = 2
    rate: float = 0.05
    beta: float = 0.0


EPOCHS, STEPS, BATCH, WIDTH = 8, 30, 16, 8
rng = np.random.RandomState(2)
data = np.tanh(rng.randn(480, 2) @ rng.randn(2, WIDTH)).astype(np.float32)


def encode(params, x):
    h = jnp.tanh(x @ params["enc"])
    return h @ params["mean"], h @ params["logvar"]


@partial(jax.jit, static_argnames="config")
def elbo_step(params, x, key, config):
    def negative_elbo(p):
        mean, logvar = encode(p, x)
        z = mean + jnp.exp(0.5 * logvar) * jax.random.normal(key, mean.shape)
        kl = 0.5 * jnp.mean(jnp.sum(jnp.exp(logvar) + mean**2 - 1.0 - logvar, -1))
        return jnp.mean((z @ p["dec"] - x) ** 2) + config.beta * kl

    loss, grads = jax.value_and_grad(negative_elbo)(params)
    return jax.tree.map(lambda p, g: p - config.rate * g, params, grads), loss


def init(config):
    shapes = {
        "enc": (WIDTH, 12),
        "mean": (12, config.latent),
        "logvar": (12, config.latent),
        "dec": (config.latent, WIDTH),
    }
    return {name: jnp.asarray(0.2 * rng.randn(*shape), jnp.float32) for name, shape in shapes.items()}


config = Config()
params = init(config)
key = jax.random.key(0)
for epoch in range(EPOCHS):
    config = dataclasses.replace(config, beta=min(1.0, (epoch + 1) / EPOCHS))
    for step in range(STEPS):
        rows = rng.randint(len(data), size=BATCH)
        noise = jax.random.fold_in(key, epoch * STEPS + step)
        params, loss = elbo_step(params, data[rows], noise, config)
    print(f"epoch {epoch} beta {config.beta:.2f} loss {float(loss):.4f}")
