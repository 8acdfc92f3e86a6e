"""An equinox model under filter_jit, for two batch sizes."""

import equinox as eqx
import jax
import jax.numpy as jnp

model = eqx.nn.MLP(2, 1, 8, 2, key=jax.random.PRNGKey(0))


@eqx.filter_jit
def predict(model, x):
    return jax.vmap(model)(x)


for size in (4, 4, 3):
    prediction = predict(model, jnp.ones((size, 2)))
print(f"prediction {float(prediction[0, 0]):.3f}")
