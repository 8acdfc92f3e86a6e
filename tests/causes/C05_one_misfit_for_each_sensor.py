"""SYMPTOM: Calibrating twelve sensors takes twelve compiles, although all records have the same length: the misfit
that is handed to the SciPy optimizer closes over the record, and its gradient is jitted for each sensor.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

CASE = {
    "id": "C05",
    "name": "one_misfit_for_each_sensor",
    "kind": "positive",
    "library": "jax",
    "function": "misfit",
    "cause": "function_identity",
    "where": ["misfit (the function itself)", "record"],
    "expected_traces": 12,
    "expected_compiles": 12,
    "needed_compiles": 1,
    "match": {"text": [r"\bmisfit\b|\brecord\b"], "also": ["static_value"]},
    "repair": [
        ["    def misfit(theta):\n", "    def closed(theta):\n"],
        [
            "    objective = jax.jit(jax.value_and_grad(misfit))\n",
            "    objective = lambda theta: misfit(theta, record)\n",
        ],
        [
            "def calibrate(",
            (
                "@jax.jit\n@jax.value_and_grad\ndef misfit(theta, record):\n"
                "    return jnp.mean((response(theta) - record) ** 2)\n\n\ndef calibrate("
            ),
        ],
    ],
    "fix": "Make record an argument of one jitted misfit (minimize passes it through args): only its values differ.",
}

SENSORS, SAMPLES = 12, 40
rng = np.random.RandomState(5)
stimulus = np.linspace(0.0, 4.0, SAMPLES, dtype=np.float32)


def response(theta):
    gain, offset, knee = theta[0], theta[1], theta[2]
    return offset + gain * jnp.tanh(stimulus / jnp.exp(knee))


def measured(sensor):
    truth = np.array([1.0 + 0.1 * sensor, 0.05 * sensor, -0.2], np.float32)
    return np.asarray(response(truth)) + 0.01 * rng.randn(SAMPLES).astype(np.float32)


def calibrate(record):
    def misfit(theta):
        return jnp.mean((response(theta) - record) ** 2)

    objective = jax.jit(jax.value_and_grad(misfit))

    def for_scipy(theta):
        value, gradient = objective(theta.astype(np.float32))
        return float(value), np.asarray(gradient, np.float64)

    return minimize(for_scipy, np.array([1.0, 0.0, 0.0]), jac=True, method="L-BFGS-B", options={"maxiter": 40})


for sensor in range(SENSORS):
    found = calibrate(measured(sensor))
    print(f"sensor {sensor:2d}: theta {np.round(found.x, 3)}")
