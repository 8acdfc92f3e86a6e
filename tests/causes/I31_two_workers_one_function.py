"""WHY INNOCENT: Two worker threads take jobs from a queue and evaluate them by one jitted function. One program
serves both.
"""

import queue
import threading

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I31",
    "name": "two_workers_one_function",
    "kind": "negative",
    "library": "jax",
    "function": "value_option",
    "cause": None,
    "where": [],
    "expected_traces": 1,
    "expected_compiles": 1,
    "needed_compiles": 1,
    "fix": "",
}

JOBS, PATHS = 200, 64


@jax.jit
def value_option(key, strike, spread):
    end = jnp.exp(spread * jax.random.normal(key, (PATHS,)) - 0.5 * spread**2)
    return jnp.maximum(end - strike, 0.0).mean()


class Worker(threading.Thread):
    def __init__(self, jobs, results):
        super().__init__()
        self.jobs, self.results = jobs, results

    def run(self):
        while (job := self.jobs.get()) is not None:
            number, strike, spread = job
            self.results[number] = float(value_option(jax.random.PRNGKey(number), strike, spread))


jobs, results = queue.Queue(), {}
rng = np.random.RandomState(131)
for number in range(JOBS):
    jobs.put((number, np.float32(rng.uniform(0.8, 1.2)), np.float32(rng.uniform(0.1, 0.4))))
workers = [Worker(jobs, results) for _ in range(2)]
for worker in workers:
    jobs.put(None)
    worker.start()
for worker in workers:
    worker.join()
print(len(results), round(np.mean(list(results.values())), 4))
