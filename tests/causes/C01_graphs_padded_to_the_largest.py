"""SYMPTOM: A property regression on small molecules. Graphs are packed four to a batch, and each batch is padded to
its own number of nodes, so nearly every batch of the first epoch is a new size; from the second epoch on most of
them are known.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C01",
    "name": "graphs_padded_to_the_largest",
    "kind": "positive",
    "library": "jax",
    "function": "update",
    "cause": "shape",
    "where": ["graph.nodes", "graph.owner"],
    "expected_traces": 16,
    "expected_compiles": 16,
    "needed_compiles": 1,
    "repair": [["pack(members)", "pack(members, 96)"]],
    "fix": "Pad graph.nodes and graph.owner to one budget (96 nodes) instead of the node count of each batch.",
}

EPOCHS, PER_BATCH, FEATURES = 8, 4, 6
rng = np.random.RandomState(1)


class Graph(NamedTuple):
    nodes: np.ndarray
    owner: np.ndarray


def molecule():
    n = int(rng.randint(5, 22))
    nodes = rng.randn(n, FEATURES).astype(np.float32)
    return nodes, np.tanh(nodes.sum() / 5).astype(np.float32)


def pack(members, budget=None):
    """One graph out of several; nodes that fill up belong to one graph too many."""
    total = sum(len(nodes) for nodes, _ in members)
    budget = budget or total
    nodes = np.zeros((budget, FEATURES), np.float32)
    owner = np.full(budget, len(members), np.int32)
    at = 0
    for i, (part, _) in enumerate(members):
        nodes[at : at + len(part)] = part
        owner[at : at + len(part)] = i
        at += len(part)
    return Graph(nodes, owner), np.array([y for _, y in members])


def readout(params, graph):
    h = jax.nn.silu(graph.nodes @ params["message"])
    pooled = jax.ops.segment_sum(h, graph.owner, num_segments=PER_BATCH + 1)[:PER_BATCH]
    return jnp.tanh(pooled @ params["out"])


@jax.jit
def update(params, graph, target):
    def loss(p):
        return jnp.mean((readout(p, graph) - target) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    return jax.tree.map(lambda p, g: p - 0.02 * g, params, grads), value


data = [molecule() for _ in range(80)]
batches = [data[i : i + PER_BATCH] for i in range(0, len(data), PER_BATCH)]
params = {"message": jnp.asarray(0.3 * rng.randn(FEATURES, 16), jnp.float32), "out": jnp.zeros(16, jnp.float32)}
for epoch in range(EPOCHS):
    values = []
    for members in batches:
        graph, target = pack(members)
        params, value = update(params, graph, target)
        values.append(float(value))
    print(f"epoch {epoch}: {np.mean(values):.4f}")
