"""WHY INNOCENT: The learning rate is lowered each epoch, but it lives in the optimizer state
(optax.inject_hyperparams), as an array: new values, one program.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "I38",
    "name": "rate_injected_as_a_hyperparameter",
    "kind": "negative",
    "library": "jax+optax",
    "function": "injected_step",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

EPOCHS, STEPS, BATCH, FEATURES = 10, 40, 16, 6
rng = np.random.RandomState(138)
tx = optax.inject_hyperparams(optax.adam)(learning_rate=jnp.asarray(0.05, jnp.float32))


@jax.jit
def injected_step(params, state, x, y):
    def loss(p):
        return jnp.mean((jax.nn.relu(x @ p["w"]) @ p["v"] - y) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state, value


params = {"w": (0.4 * rng.randn(FEATURES, 10)).astype(np.float32), "v": (0.4 * rng.randn(10)).astype(np.float32)}
state = tx.init(params)
for epoch in range(EPOCHS):
    state.hyperparams["learning_rate"] = jnp.asarray(0.05 * 0.7**epoch, jnp.float32)
    for _ in range(STEPS):
        x = rng.randn(BATCH, FEATURES).astype(np.float32)
        params, state, value = injected_step(params, state, x, np.abs(x[:, 0]))
    print(f"epoch {epoch} loss {float(value):.4f}")
