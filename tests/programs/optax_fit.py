"""A linear fit with optax."""

import jax
import jax.numpy as jnp
import optax

optimizer = optax.adam(0.1)


@jax.jit
def step(params, state, x, y):
    loss, grads = jax.value_and_grad(lambda w: jnp.mean((x @ w - y) ** 2))(params)
    updates, state = optimizer.update(grads, state)
    return optax.apply_updates(params, updates), state, loss


x = jnp.arange(12.0).reshape(6, 2) / 10
y = x @ jnp.array([1.0, -2.0])
params = jnp.zeros(2)
state = optimizer.init(params)
for _ in range(20):
    params, state, loss = step(params, state, x, y)
print(f"loss {float(loss):.3f}")
