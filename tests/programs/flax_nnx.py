"""A flax nnx training loop with a smaller last batch."""

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx


class Mlp(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(4, 8, rngs=rngs)
        self.out = nnx.Linear(8, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.hidden(x)))


@nnx.jit
def train_step(model, optimizer, x, y):
    loss, grads = nnx.value_and_grad(lambda model: jnp.mean((model(x) - y) ** 2))(model)
    optimizer.update(model, grads)
    return loss


model = Mlp(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, optax.sgd(0.1), wrt=nnx.Param)
x = np.random.RandomState(0).randn(20, 4).astype(np.float32)
y = x.sum(1, keepdims=True)
for start in range(0, 20, 8):
    loss = train_step(model, optimizer, x[start : start + 8], y[start : start + 8])
print(f"loss {float(loss):.3f}")
