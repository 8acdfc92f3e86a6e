"""SYMPTOM: A click model sees a batch of first-time visitors now and then. For these the loader leaves the history
out (None), so the step is compiled for two kinds of batches.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C13",
    "name": "visitors_without_history",
    "kind": "positive",
    "library": "jax",
    "function": "click_step",
    "cause": "tree_structure",
    "where": ["visit.history"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [["history=None)", "history=np.zeros((BATCH, KEPT), np.int32))"]],
    "fix": (
        "Give first-time visitors a visit.history of padding (item 0) instead of None, so that the tree stays the same."
    ),
}

EPOCHS, BATCHES, BATCH, ITEMS, KEPT, WIDTH = 6, 45, 16, 50, 4, 6
rng = np.random.RandomState(13)
taste = rng.randn(ITEMS).astype(np.float32)


class Visit(NamedTuple):
    item: np.ndarray
    history: np.ndarray | None


def loader():
    for i in range(BATCHES):
        item = rng.randint(1, ITEMS, size=BATCH).astype(np.int32)
        if i % 9 == 5:
            visit = Visit(item, history=None)
            score = taste[item]
        else:
            visit = Visit(item, rng.randint(1, ITEMS, size=(BATCH, KEPT)).astype(np.int32))
            score = taste[item] + taste[visit.history].mean(-1)
        yield visit, (score > 0).astype(np.float32)


@jax.jit
def click_step(params, visit, clicked):
    def loss(p):
        item = p["items"][visit.item]
        profile = jnp.ones(WIDTH)
        if visit.history is not None:
            known = (visit.history > 0)[..., None]
            profile = profile + jnp.sum(p["items"][visit.history] * known, 1) / KEPT
        logits = jnp.sum(item * profile, -1)
        return jnp.mean(jax.nn.softplus(logits) - clicked * logits)

    value, grads = jax.value_and_grad(loss)(params)
    return jax.tree.map(lambda p, g: p - 0.5 * g, params, grads), value


params = {"items": (0.1 * rng.randn(ITEMS, WIDTH)).astype(np.float32)}
for epoch in range(EPOCHS):
    losses = []
    for visit, clicked in loader():
        params, value = click_step(params, visit, clicked)
        losses.append(float(value))
    print(f"epoch {epoch} loss {np.mean(losses):.3f}")
