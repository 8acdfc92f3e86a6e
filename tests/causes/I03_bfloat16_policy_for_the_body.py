"""WHY INNOCENT: A mixed-precision policy runs the forward pass of the student in bfloat16 and keeps the teacher, an
average of the weights, in float32 through the same function. Both precisions are on purpose, and both are used in
each step.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "I03",
    "name": "bfloat16_policy_for_the_body",
    "kind": "negative",
    "library": "flax.linen+optax",
    "function": "embed",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}


@dataclass(frozen=True)
class Policy:
    compute: type

    def cast(self, tree):
        return jax.tree.map(lambda leaf: leaf.astype(self.compute), tree)


class Body(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        x = nn.gelu(nn.Dense(self.width, dtype=x.dtype)(x))
        return nn.Dense(self.width, dtype=x.dtype)(x)


body = Body(12)
student_policy, teacher_policy = Policy(jnp.bfloat16), Policy(jnp.float32)
tx = optax.sgd(0.05)


@jax.jit
def embed(params, x):
    return body.apply({"params": params}, x)


@jax.jit
def distil(params, opt_state, x, target):
    def loss(p):
        return jnp.mean((body.apply({"params": p}, x) - target) ** 2)

    updates, opt_state = tx.update(jax.grad(loss)(params), opt_state)
    return optax.apply_updates(params, updates), opt_state


@jax.jit
def average(teacher, student):
    return jax.tree.map(lambda t, s: 0.99 * t + 0.01 * s, teacher, student)


rng = np.random.RandomState(103)
params = body.init(jax.random.key(0), jnp.zeros((1, 6)))["params"]
teacher, opt_state = params, tx.init(params)
gaps = []
for _step in range(200):
    x = rng.randn(16, 6).astype(np.float32)
    target = embed(teacher_policy.cast(teacher), x)
    drafted = embed(student_policy.cast(params), x.astype(jnp.bfloat16))
    gaps.append(float(np.abs(np.asarray(target) - np.asarray(drafted, np.float32)).mean()))
    params, opt_state = distil(params, opt_state, x, target + 0.1)
    teacher = average(teacher, params)
print(f"gap {gaps[0]:.3f} -> {gaps[-1]:.3f}")
