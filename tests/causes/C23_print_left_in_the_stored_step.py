"""SYMPTOM: With the persistent cache on and its thresholds at zero, everything loads at the second start but the
solver step. A jax.debug.print was left in it, and programs with host callbacks are not stored.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C23",
    "name": "print_left_in_the_stored_step",
    "kind": "positive",
    "library": "jax",
    "function": "relax",
    "cause": "persistent_miss",
    "where": ["jax.debug.print in relax"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "match": {"text": [r"callback|debug\.print"]},
    "repair": [['    jax.debug.print("residual {r:.3f}", r=jnp.abs(new - field).max())\n', ""]],
    "runs": [{}, {}],
    "fix": "Take jax.debug.print out of relax: a program with a host callback is not written to the persistent cache.",
}

jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


@jax.jit
def relax(field, source):
    around = sum(jnp.roll(field, shift, axis) for axis in (0, 1) for shift in (-1, 1))
    new = 0.25 * (around + source)
    jax.debug.print("residual {r:.3f}", r=jnp.abs(new - field).max())
    return new


@jax.jit
def total(field):
    return jnp.sum(field**2)


source = np.zeros((10, 10), np.float32)
source[3, 4], source[7, 2] = 1.0, -1.0
field = np.zeros_like(source)
for _ in range(20):
    field = relax(field, source)
print(f"{float(total(field)):.4f}")
