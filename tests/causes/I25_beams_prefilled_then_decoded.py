"""WHY INNOCENT: A translator encodes the prompt in one call of fixed length and then decodes token by token for
four beams. One function, two shapes, by design.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I25",
    "name": "beams_prefilled_then_decoded",
    "kind": "negative",
    "library": "jax",
    "function": "attend",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

VOCAB, WIDTH, PROMPT, CAPACITY, BEAMS = 30, 8, 12, 32, 4
rng = np.random.RandomState(125)
weights = {name: (0.5 * rng.randn(WIDTH, WIDTH)).astype(np.float32) for name in "qkv"}
weights["embed"] = rng.randn(VOCAB, WIDTH).astype(np.float32)


@jax.jit
def attend(weights, tokens, cache, start):
    x = weights["embed"][tokens]
    keys = jax.lax.dynamic_update_slice(cache["k"], x @ weights["k"], (0, start, 0))
    values = jax.lax.dynamic_update_slice(cache["v"], x @ weights["v"], (0, start, 0))
    scores = jnp.einsum("btd,bsd->bts", x @ weights["q"], keys)
    seen = jnp.arange(CAPACITY) <= start + jnp.arange(tokens.shape[1])[:, None]
    mixed = jax.nn.softmax(jnp.where(seen, scores, -1e9)) @ values
    return jax.nn.log_softmax(mixed[:, -1] @ weights["embed"].T), {"k": keys, "v": values}


class Decoder:
    def __init__(self, weights):
        self.weights = weights

    def __call__(self, prompt, steps):
        empty = np.zeros((BEAMS, CAPACITY, WIDTH), np.float32)
        logits, cache = attend(self.weights, np.tile(prompt, (BEAMS, 1)), {"k": empty, "v": empty}, np.int32(0))
        score = np.zeros(BEAMS)
        token = np.asarray(logits)[0].argsort()[-BEAMS:].astype(np.int32)
        for i in range(steps):
            logits, cache = attend(self.weights, token[:, None], cache, np.int32(PROMPT + i))
            logits = np.asarray(logits)
            token = logits.argmax(-1).astype(np.int32)
            score += logits.max(-1)
        return score.max()


decoder = Decoder(weights)
scores = [decoder(rng.randint(VOCAB, size=PROMPT).astype(np.int32), steps=15) for _ in range(25)]
print(f"{np.mean(scores):.3f}")
