"""WHY INNOCENT: An ensemble is trained by vmap over its members; the best member is then evaluated alone by the
same network. The batched and the single forward pass are two programs by nature.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "I23",
    "name": "ensemble_beside_its_single_member",
    "kind": "negative",
    "library": "equinox+optax",
    "function": "ensemble_step",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

MEMBERS, STEPS, BATCH = 5, 200, 24
rng = np.random.RandomState(123)
tx = optax.adam(1e-2)


def make(key):
    return eqx.nn.MLP(2, "scalar", 8, 1, key=key)


def loss(model, x, y):
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


@eqx.filter_jit
def ensemble_step(models, states, x, y):
    @eqx.filter_vmap(in_axes=(eqx.if_array(0), 0, None, None))
    def one(model, state, x, y):
        value, grads = eqx.filter_value_and_grad(loss)(model, x, y)
        updates, state = tx.update(grads, state)
        return eqx.apply_updates(model, updates), state, value

    return one(models, states, x, y)


@eqx.filter_jit
def evaluate(model, x, y):
    return loss(model, x, y)


models = eqx.filter_vmap(make)(jax.random.split(jax.random.key(0), MEMBERS))
states = eqx.filter_vmap(lambda m: tx.init(eqx.filter(m, eqx.is_array)))(models)
for _ in range(STEPS):
    x = rng.randn(BATCH, 2).astype(np.float32)
    models, states, values = ensemble_step(models, states, x, np.sin(x[:, 0]) * x[:, 1])
best = int(np.argmin(np.asarray(values)))
member = jax.tree.map(lambda leaf: leaf[best] if eqx.is_array(leaf) else leaf, models)
x = rng.randn(BATCH, 2).astype(np.float32)
print(best, round(float(evaluate(member, x, np.sin(x[:, 0]) * x[:, 1])), 3))
