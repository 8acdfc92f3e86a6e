"""SYMPTOM: After a model swap the first request is slow, though the new kernel has the old shape. The loader of the
new format keeps the kernel column-major on the device.
"""

import jax
import numpy as np
from jax.experimental.layout import Format, Layout
from jax.sharding import SingleDeviceSharding

CASE = {
    "id": "C31",
    "name": "kernel_loaded_column_major",
    "kind": "positive",
    "library": "jax",
    "function": "project",
    "cause": "layout",
    "where": ["kernel"],
    "expected_traces": 1,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "needs_jax": "0.6.2",
    "repair": [["Layout(major_to_minor=(1, 0))", "Layout(major_to_minor=(0, 1))"]],
    "fix": (
        "Load kernel with the same device layout, major_to_minor (0, 1), as before: the layout "
        "is part of the executable."
    ),
}

REQUESTS, ROWS, COLUMNS = 120, 12, 20
rng = np.random.RandomState(31)
device = SingleDeviceSharding(jax.devices()[0])


@jax.jit
def project(kernel, x):
    return jax.nn.relu(x @ kernel)


def load_npz(values):
    return jax.device_put(values, Format(Layout(major_to_minor=(0, 1)), device))


def load_fortran(values):
    return jax.device_put(values, Format(Layout(major_to_minor=(1, 0)), device))


class Model:
    def __init__(self, kernel):
        self.kernel = kernel

    def answer(self, x):
        return np.asarray(project(self.kernel, x))


def kernel():
    return rng.randn(ROWS, COLUMNS).astype(np.float32)


model, total = Model(load_npz(kernel())), 0.0
for request in range(REQUESTS):
    if request == REQUESTS // 2:
        model = Model(load_fortran(kernel()))
    total += model.answer(rng.randn(4, ROWS).astype(np.float32)).mean()
print(f"{total:.3f}")
