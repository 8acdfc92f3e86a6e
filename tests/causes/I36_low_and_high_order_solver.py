"""WHY INNOCENT: A reaction is solved by a method of low and one of high order to compare them over forty rate
constants. Two solver objects live as long as the program; each needs a program of its own.
"""

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I36",
    "name": "low_and_high_order_solver",
    "kind": "negative",
    "library": "diffrax+equinox",
    "function": "concentration",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}


def reaction(t, y, rates):
    slow, fast = rates
    return jnp.stack([-slow * y[0], slow * y[0] - fast * y[1]])


@eqx.filter_jit
def concentration(solver, rates):
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(reaction),
        solver,
        t0=0.0,
        t1=2.0,
        dt0=0.05,
        y0=jnp.array([1.0, 0.0]),
        args=rates,
        saveat=diffrax.SaveAt(t1=True),
        max_steps=256,
    )
    return solution.ys[0]


solvers = {"low": diffrax.Euler(), "high": diffrax.Tsit5()}
found = {name: [] for name in solvers}
for fast in np.linspace(1.0, 8.0, 40):
    rates = jnp.asarray([1.0, fast], jnp.float32)
    for name, solver in solvers.items():
        found[name].append(np.asarray(concentration(solver, rates)))
print({name: np.round(np.mean(values, 0), 4) for name, values in found.items()})
