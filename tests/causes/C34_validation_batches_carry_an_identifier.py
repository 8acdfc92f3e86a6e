"""SYMPTOM: Each epoch calls one metric on training and on validation batches of one size. Validation batches carry
an identifier for the error table, which the metric does not use, and so it compiles twice.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C34",
    "name": "validation_batches_carry_an_identifier",
    "kind": "positive",
    "library": "jax",
    "function": "metric",
    "cause": "tree_structure",
    "where": ["batch['row_id']"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [["float(metric(params, batch))", 'float(metric(params, {key: batch[key] for key in ("x", "y")}))']],
    "fix": "Hand metric only the keys that it uses: batch['row_id'] is there in validation and missing in training.",
}

EPOCHS, STEPS, BATCH, FEATURES = 6, 30, 16, 6
rng = np.random.RandomState(34)
truth = rng.randn(FEATURES).astype(np.float32)


def rows(n):
    x = rng.randn(n, FEATURES).astype(np.float32)
    return {"x": x, "y": (x @ truth > 0).astype(np.float32)}


def training():
    for _ in range(STEPS):
        yield rows(BATCH)


def validation(table):
    for at in range(0, len(table["y"]), BATCH):
        batch = {key: values[at : at + BATCH] for key, values in table.items()}
        yield batch | {"row_id": np.arange(at, at + BATCH, dtype=np.int32)}


def logits_of(params, x):
    return x @ params["w"] + params["b"]


@jax.jit
def metric(params, batch):
    return jnp.mean((logits_of(params, batch["x"]) > 0) == batch["y"])


@jax.jit
def learn(params, x, y):
    def loss(p):
        logits = logits_of(p, x)
        return jnp.mean(jax.nn.softplus(logits) - y * logits)

    return jax.tree.map(lambda p, g: p - 0.2 * g, params, jax.grad(loss)(params))


table = rows(10 * BATCH)
params = {"w": np.zeros(FEATURES, np.float32), "b": np.float32(0)}
for epoch in range(EPOCHS):
    seen = []
    for batch in training():
        params = learn(params, batch["x"], batch["y"])
        seen.append(float(metric(params, batch)))
    errors = {}
    for batch in validation(table):
        accuracy = float(metric(params, batch))
        errors[int(batch["row_id"][0])] = accuracy
    print(f"epoch {epoch} training {np.mean(seen):.3f} validation {np.mean(list(errors.values())):.3f}")
