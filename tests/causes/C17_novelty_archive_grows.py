"""SYMPTOM: Novelty search slows down with every generation. The archive of behaviours gains a row a generation and
is passed whole to the function that measures the novelty of forty candidates.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C17",
    "name": "novelty_archive_grows",
    "kind": "positive",
    "library": "jax",
    "function": "novelty",
    "cause": "shape",
    "where": ["archive"],
    "expected_traces": 24,
    "expected_compiles": 24,
    "needed_compiles": 1,
    "repair": [
        ["def novelty(archive, behaviour):", "def novelty(archive, filled, behaviour):"],
        [
            "    near = jnp.sort(apart)",
            "    apart = jnp.where(jnp.arange(len(apart)) < filled, apart, 1e9)\n    near = jnp.sort(apart)",
        ],
        ["novelty(archive, b)", "novelty(padded(archive), len(archive), b)"],
        [
            "def search(",
            (
                "def padded(archive):\n    out = np.zeros((8 + GENERATIONS, MEASURES), np.float32)\n"
                "    out[: len(archive)] = archive\n    return out\n\n\ndef search("
            ),
        ],
    ],
    "fix": "Allocate archive once for all generations, pass the number of filled rows, and mask the rest.",
}

GENERATIONS, CANDIDATES, MEASURES, NEAREST = 24, 40, 3, 4
rng = np.random.RandomState(17)


@jax.jit
def behave(genome):
    x = jnp.tanh(jnp.outer(jnp.linspace(-1, 1, 9), genome[:3]) + genome[3:])
    return jnp.stack([x.mean(), x.std(), jnp.abs(jnp.diff(x, axis=0)).sum()])


@jax.jit
def novelty(archive, behaviour):
    apart = jnp.linalg.norm(archive - behaviour, axis=-1)
    near = jnp.sort(apart)
    return near[:NEAREST].mean()


def search(generations):
    archive = rng.randn(8, MEASURES).astype(np.float32)
    parent = rng.randn(6).astype(np.float32)
    for _ in range(generations):
        genomes = parent + 0.3 * rng.randn(CANDIDATES, 6).astype(np.float32)
        behaviours = [np.asarray(behave(g)) for g in genomes]
        scores = [float(novelty(archive, b)) for b in behaviours]
        best = int(np.argmax(scores))
        parent = genomes[best]
        archive = np.concatenate([archive, behaviours[best][None]])
        yield scores[best]


for generation, score in enumerate(search(GENERATIONS)):
    if generation % 6 == 5:
        print(f"generation {generation + 1} novelty {score:.3f}")
