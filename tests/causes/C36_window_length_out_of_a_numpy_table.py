"""SYMPTOM: A backtest compiles each of its moving averages twice. The interactive part passes window lengths as
Python ints, the batch part takes the same lengths from a NumPy table.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C36",
    "name": "window_length_out_of_a_numpy_table",
    "kind": "positive",
    "library": "jax",
    "function": "moving_average",
    "cause": "static_value",
    "where": ["static window"],
    "expected_traces": 6,
    "expected_compiles": 6,
    "needed_compiles": 3,
    "needs_jax": "0.10.2",
    "repair": [["signal(prices, fast, slow)[-1]", "signal(prices, int(fast), int(slow))[-1]"]],
    "fix": (
        "Convert window to int where it leaves the table: the value is the same, but "
        "numpy.int64 is another static type."
    ),
}

DAYS, SERIES = 120, 30
rng = np.random.RandomState(36)


@partial(jax.jit, static_argnames="window")
def moving_average(prices, window):
    total = jnp.cumsum(prices)
    return (total[window:] - total[:-window]) / window


def signal(prices, fast, slow):
    quick = np.asarray(moving_average(prices, window=fast))
    calm = np.asarray(moving_average(prices, window=slow))
    return np.sign(quick[-len(calm) :] - calm)


class Backtest:
    table = np.array([[5, 10], [5, 20], [10, 20]])

    def __init__(self, series):
        self.series = series

    def run(self):
        for fast, slow in self.table:
            yield np.mean([signal(prices, fast, slow)[-1] for prices in self.series])


series = [100 + np.cumsum(rng.randn(DAYS)).astype(np.float32) for _ in range(SERIES)]
print("first look:", signal(series[0], 5, 20)[-5:], signal(series[0], 10, 20)[-5:])
print("backtest:", np.round(list(Backtest(series).run()), 2))
