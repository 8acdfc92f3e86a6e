"""SYMPTOM: Five folds, five compiles of the training step. Each fold creates its TrainState with a new optax.adam
of the same settings, and the optimizer is a static field of the state.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState

CASE = {
    "id": "C20",
    "name": "train_state_made_per_fold",
    "kind": "positive",
    "library": "flax.linen+optax",
    "function": "fold_step",
    "cause": "static_identity",
    "where": ["state.tx"],
    "expected_traces": 5,
    "expected_compiles": 5,
    "needed_compiles": 1,
    "match": {"text": [r"\btx\b"]},
    "repair": [
        ["network = Network(10)", "network = Network(10)\ntx = optax.adam(1e-2)"],
        ["tx=optax.adam(1e-2)", "tx=tx"],
    ],
    "fix": "Create optax.adam once and give it to every TrainState: state.tx is static and compared by identity.",
}

FOLDS, STEPS = 5, 50
rng = np.random.RandomState(20)
x_all = rng.randn(100, 4).astype(np.float32)
y_all = np.where(x_all[:, 0] > 0, x_all[:, 1], x_all[:, 2]).astype(np.float32)


class Network(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.tanh(nn.Dense(self.width)(x)))[..., 0]


network = Network(10)


def error(params, apply_fn, x, y):
    return jnp.mean((apply_fn({"params": params}, x) - y) ** 2)


@jax.jit
def fold_step(state, x, y):
    grads = jax.grad(error)(state.params, state.apply_fn, x, y)
    return state.apply_gradients(grads=grads)


@jax.jit
def validate(params, x, y):
    return error(params, network.apply, x, y)


def run_fold(number):
    held = np.arange(len(x_all)) % FOLDS == number
    params = network.init(jax.random.key(number), x_all[:1])["params"]
    state = TrainState.create(apply_fn=network.apply, params=params, tx=optax.adam(1e-2))
    for _ in range(STEPS):
        state = fold_step(state, x_all[~held], y_all[~held])
    return float(validate(state.params, x_all[held], y_all[held]))


print(np.round([run_fold(number) for number in range(FOLDS)], 3))
