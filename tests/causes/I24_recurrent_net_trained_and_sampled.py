"""WHY INNOCENT: A recurrent network is trained on windows of 24 characters and sampled one character at a time
through the same function. Two lengths, both by design, hundreds of calls each.
"""

import flax.linen as nn
import jax
import numpy as np
import optax

CASE = {
    "id": "I24",
    "name": "recurrent_net_trained_and_sampled",
    "kind": "negative",
    "library": "flax.linen+optax",
    "function": "unroll",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

TEXT = "the quick brown fox jumps over the lazy dog and runs away from the slow cat. " * 4
LETTERS = sorted(set(TEXT))
CODES = np.array([LETTERS.index(c) for c in TEXT], np.int32)
WINDOW, BATCH, WIDTH = 24, 8, 16
rng = np.random.RandomState(124)


class Writer(nn.Module):
    @nn.compact
    def __call__(self, carry, codes):
        hidden = nn.Embed(len(LETTERS), WIDTH)(codes)
        carry, out = nn.RNN(nn.GRUCell(WIDTH), return_carry=True)(hidden, initial_carry=carry)
        return carry, nn.Dense(len(LETTERS))(out)


writer, tx = Writer(), optax.adam(1e-2)


@jax.jit
def unroll(params, carry, codes):
    return writer.apply({"params": params}, carry, codes)


@jax.jit
def improve(params, state, carry, codes):
    def loss(p):
        _, logits = writer.apply({"params": p}, carry, codes[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, codes[:, 1:]).mean()

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = tx.update(grads, state)
    return optax.apply_updates(params, updates), state, value


def windows():
    starts = rng.randint(len(CODES) - WINDOW, size=BATCH)
    return np.stack([CODES[s : s + WINDOW + 1] for s in starts])


blank = np.zeros((BATCH, WIDTH), np.float32)
params = writer.init(jax.random.key(0), blank, np.zeros((BATCH, WINDOW), np.int32))["params"]
state = tx.init(params)
for _epoch in range(4):
    for _ in range(40):
        codes = windows()
        params, state, value = improve(params, state, blank, codes)
    _, logits = unroll(params, blank, windows()[:, :WINDOW])
    carry, letter, written = blank[:1].repeat(BATCH, 0), np.full((BATCH, 1), CODES[0]), []
    for _ in range(60):
        carry, logits = unroll(params, carry, letter)
        letter = np.asarray(logits)[:, -1:].argmax(-1).astype(np.int32)
        written.append(LETTERS[letter[0, 0]])
    print(f"{float(value):.3f} {''.join(written)}")
