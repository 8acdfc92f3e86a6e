"""SYMPTOM: A command-line tool turns on the persistent cache and is started again and again; every start compiles.
Its programs compile in less than a second each, which is the least that JAX stores.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C22",
    "name": "second_start_finds_nothing_stored",
    "kind": "positive",
    "library": "jax",
    "function": "spectrum",
    "cause": "persistent_miss",
    "where": ["config jax_persistent_cache_min_compile_time_secs"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "match": {"text": ["jax_persistent_cache_min_compile_time_secs"]},
    "repair": [
        [
            '"jax_persistent_cache_min_entry_size_bytes", -1)',
            (
                '"jax_persistent_cache_min_entry_size_bytes", -1)\n'
                'jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)'
            ),
        ],
    ],
    "runs": [{}, {}],
    "fix": (
        "Set jax_persistent_cache_min_compile_time_secs to 0: spectrum compiles faster than the default of one second."
    ),
}

jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@jax.jit
def spectrum(signal):
    window = 0.5 - 0.5 * jnp.cos(2 * jnp.pi * jnp.arange(signal.shape[-1]) / signal.shape[-1])
    return jnp.abs(jnp.fft.rfft(signal * window)) ** 2


def read(number):
    t = np.arange(64) / 64
    return np.sin(2 * np.pi * (number % 20 + 3) * t).astype(np.float32)


peaks = [int(np.argmax(np.asarray(spectrum(read(number))))) for number in range(50)]
print(peaks[:10])
