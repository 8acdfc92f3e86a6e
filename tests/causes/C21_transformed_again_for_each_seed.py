"""SYMPTOM: Repeating an experiment over six seeds compiles the network six times. `build` transforms a lambda again
for each seed, so the apply function that is jitted is another one.
"""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C21",
    "name": "transformed_again_for_each_seed",
    "kind": "positive",
    "library": "haiku",
    "function": "apply_fn",
    "cause": "function_identity",
    "where": ["apply_fn (the function itself)"],
    "count": "log",
    "expected_traces": 6,
    "expected_compiles": 6,
    "needed_compiles": 1,
    "match": {"text": [r"\bapply_fn\b|\bnet\b|\bbuild\b"]},
    "repair": [
        ["        net, forward = build()\n", ""],
        ["def run(", "net, forward = build()\n\n\ndef run("],
    ],
    "fix": (
        "Transform and jit the network once, outside the loop over seeds: hk.transform returns "
        "a new apply_fn each time."
    ),
}

SEEDS, CALLS = 6, 60


def build():
    net = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([8, 8, 1], activation=jnp.tanh)(x)))
    return net, jax.jit(net.apply)


def shaken(params, walk):
    return jax.tree.map(lambda p: np.asarray(p) + 0.1 * walk.randn(*p.shape).astype(np.float32), params)


def run(seeds):
    x = np.linspace(-2, 2, 20, dtype=np.float32)[:, None]
    for seed in range(seeds):
        net, forward = build()
        params = net.init(jax.random.key(seed), x)
        walk = np.random.RandomState(seed)
        best = np.inf
        for _ in range(CALLS):
            tried = shaken(params, walk)
            gap = float(np.abs(np.asarray(forward(tried, x)) - np.sin(2 * x)).mean())
            if gap < best:
                best, params = gap, tried
        yield best


print(np.round(list(run(SEEDS)), 3))
