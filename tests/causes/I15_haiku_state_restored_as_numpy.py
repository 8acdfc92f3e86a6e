"""WHY INNOCENT: A preemptible job saves its Haiku parameters and optimizer state as NumPy arrays and resumes from
them every sixty steps. NumPy or JAX arrays, the program is the same.
"""

import pickle

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "I15",
    "name": "haiku_state_restored_as_numpy",
    "kind": "negative",
    "library": "haiku+optax",
    "function": "resume_step",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

RESUMES, STEPS, BATCH = 6, 60, 16
rng = np.random.RandomState(115)
tx = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.05, momentum=0.9))


@hk.without_apply_rng
@hk.transform
def network(x):
    return hk.nets.MLP([12, 12, 1], activation=jax.nn.gelu)(x)[..., 0]


@jax.jit
def resume_step(state, x, y):
    def loss(params):
        return jnp.mean((network.apply(params, x) - y) ** 2)

    value, grads = jax.value_and_grad(loss)(state["params"])
    updates, opt = tx.update(grads, state["opt"])
    return {"params": optax.apply_updates(state["params"], updates), "opt": opt}, value


def freeze(state):
    return pickle.dumps(jax.tree.map(np.asarray, state))


params = network.init(jax.random.key(0), np.zeros((1, 3), np.float32))
saved = freeze({"params": params, "opt": tx.init(params)})
for _ in range(RESUMES):
    state = pickle.loads(saved)
    for _ in range(STEPS):
        x = rng.randn(BATCH, 3).astype(np.float32)
        state, value = resume_step(state, x, np.sin(x.sum(-1)))
    saved = freeze(state)
    print(f"{float(value):.4f}")
