"""SYMPTOM: Once in each pass over the shards of a token file a step was slow in the first pass. One shard was
written with 32-bit tokens, all others with 16 bits.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C12",
    "name": "one_shard_of_another_width",
    "kind": "positive",
    "library": "jax",
    "function": "lm_step",
    "cause": "dtype",
    "where": ["batch['tokens']"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [['"tokens": shard[at : at + BATCH]', '"tokens": shard[at : at + BATCH].astype(np.int32)']],
    "fix": (
        "Cast batch['tokens'] to int32 in the loader, so that every shard gives the same dtype (int16 in all but one)."
    ),
}

PASSES, SHARDS, ROWS, BATCH, CONTEXT, VOCAB = 5, 6, 64, 8, 12, 40
rng = np.random.RandomState(12)


def write_shards():
    """Shards of a Markov text; number four was made by an older tool."""
    follow = rng.permutation(VOCAB)
    for number in range(SHARDS):
        text = np.empty((ROWS, CONTEXT), np.int32)
        text[:, 0] = rng.randint(VOCAB, size=ROWS)
        for t in range(1, CONTEXT):
            text[:, t] = np.where(rng.rand(ROWS) < 0.8, follow[text[:, t - 1]], rng.randint(VOCAB, size=ROWS))
        yield text if number == 4 else text.astype(np.int16)


def loader(shards):
    for shard in shards:
        for at in range(0, len(shard), BATCH):
            yield {"tokens": shard[at : at + BATCH], "weight": np.ones(BATCH, np.float32)}


@jax.jit
def lm_step(params, batch):
    def loss(p):
        hidden = p["embed"][batch["tokens"][:, :-1]]
        logits = jax.nn.log_softmax(hidden @ p["out"])
        picked = jnp.take_along_axis(logits, batch["tokens"][:, 1:, None], -1)[..., 0]
        return -jnp.mean(batch["weight"][:, None] * picked)

    value, grads = jax.value_and_grad(loss)(params)
    return jax.tree.map(lambda p, g: p - 2.0 * g, params, grads), value


shards = list(write_shards())
params = {
    "embed": jnp.asarray(rng.randn(VOCAB, 8), jnp.float32),
    "out": jnp.zeros((8, VOCAB)),
}
for number in range(PASSES):
    losses = []
    for batch in loader(shards):
        params, value = lm_step(params, batch)
        losses.append(float(value))
    print(f"pass {number} loss {np.mean(losses):.3f}")
