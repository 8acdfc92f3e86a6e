"""A diffrax solve, called with two dtypes of time."""

import diffrax
import jax
import jax.numpy as jnp


@jax.jit
def solve(y0):
    term = diffrax.ODETerm(lambda t, y, args: -y)
    return diffrax.diffeqsolve(term, diffrax.Tsit5(), t0=0.0, t1=1.0, dt0=0.1, y0=y0).ys[-1]


print(f"y {float(solve(jnp.array(1.0))):.3f}")
print(f"y {float(solve(2.0)):.3f}")
raise SystemExit(3)
