"""SYMPTOM: Expectation maximisation of a state-space model pauses at the start of each sweep. The filter class jits
a partial of its own method inside the method that makes a sweep; within the sweep the calls are fast.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C03",
    "name": "filter_jits_a_partial_in_its_method",
    "kind": "positive",
    "library": "jax",
    "function": "_advance",
    "cause": "function_identity",
    "where": ["_advance (the function itself)"],
    "expected_traces": 15,
    "expected_compiles": 15,
    "needed_compiles": 1,
    "needs_jax": "0.10.2",
    "repair": [
        ["        advance = jax.jit(partial(self._advance, self.transition, self.observe, jitter=1e-6))\n", ""],
        ["advance(mean", "self.advance(mean"],
        [
            "        self.drift = 0.9\n",
            (
                "        self.drift = 0.9\n"
                "        self.advance = jax.jit(partial(self._advance, self.transition, self.observe, "
                "jitter=1e-6))\n"
            ),
        ],
    ],
    "fix": "Jit the partial once, in __init__: sweep makes a new partial, and so a new function, each time.",
}

SWEEPS, STEPS, STATES = 15, 60, 3
rng = np.random.RandomState(3)


class KalmanFilter:
    """A linear filter whose process noise is re-estimated after each sweep over the record."""

    def __init__(self, transition, observe):
        self.transition, self.observe = transition, observe
        self.drift = 0.9
        self.noise = np.eye(STATES, dtype=np.float32)

    @staticmethod
    def _advance(transition, observe, mean, cov, noise, seen, jitter):
        mean = transition @ mean
        cov = transition @ cov @ transition.T + noise
        innovation = seen - observe @ mean
        spread = observe @ cov @ observe + 0.1 + jitter
        gain = cov @ observe / spread
        return mean + gain * innovation, cov - jnp.outer(gain, observe @ cov), innovation**2 / spread

    def sweep(self, record):
        advance = jax.jit(partial(self._advance, self.transition, self.observe, jitter=1e-6))
        mean, cov = np.zeros(STATES, np.float32), np.eye(STATES, dtype=np.float32)
        total = 0.0
        for seen in record:
            mean, cov, surprise = advance(mean, cov, self.noise, seen)
            total += float(surprise)
        return total / len(record)

    def maximise(self, surprise):
        self.noise = (self.noise * np.float32(self.drift * min(surprise, 1.1))).astype(np.float32)


transition = np.array([[1, 0.1, 0], [0, 1, 0.1], [0, 0, 0.95]], np.float32)
model = KalmanFilter(transition, np.array([1, 0, 0], np.float32))
record = np.cumsum(rng.randn(STEPS)).astype(np.float32)
for sweep in range(SWEEPS):
    surprise = model.sweep(record)
    model.maximise(surprise)
    print(f"sweep {sweep:2d} surprise {surprise:.3f}")
