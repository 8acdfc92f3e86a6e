"""SYMPTOM: Training halves its rate when the loss stalls. It does so by making a new optax.sgd, and with it a new
jitted step around it, for every epoch.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

CASE = {
    "id": "C46",
    "name": "optimizer_of_the_epoch_in_a_closure",
    "kind": "positive",
    "library": "jax+optax",
    "function": "stalled_step",
    "cause": "function_identity",
    "where": ["stalled_step (the function itself)", "rate"],
    "expected_traces": 8,
    "expected_compiles": 8,
    "needed_compiles": 1,
    "match": {"text": [r"\bstalled_step\b|\brate\b|\btx\b"], "also": ["static_value"]},
    "repair": [
        [
            "    tx = optax.sgd(rate, momentum=0.9)\n",
            ("    tx = optax.inject_hyperparams(optax.sgd)(learning_rate=jnp.float32(rate), momentum=0.9)\n"),
        ],
        [
            "    rate, best = 0.2, np.inf\n",
            ("    rate, best = 0.2, np.inf\n    tx, step = stepper(rate)\n    state = tx.init(params)\n"),
        ],
        [
            ("        tx, step = stepper(rate)\n        state = state or tx.init(params)\n"),
            "        state.hyperparams['learning_rate'] = jnp.float32(rate)\n",
        ],
    ],
    "fix": "Make the step once and keep the rate in the optimizer state (optax.inject_hyperparams), as a traced value.",
}

EPOCHS, STEPS, BATCH, FEATURES = 8, 45, 16, 6
rng = np.random.RandomState(46)
truth = rng.randn(FEATURES).astype(np.float32)


def mae(w, x, y):
    return jnp.mean(jnp.abs(x @ w - y))


def stepper(rate):
    tx = optax.sgd(rate, momentum=0.9)

    @jax.jit
    def stalled_step(w, state, x, y):
        value, gradient = jax.value_and_grad(mae)(w, x, y)
        updates, state = tx.update(gradient, state)
        return optax.apply_updates(w, updates), state, value

    return tx, stalled_step


def train(params):
    state = None
    rate, best = 0.2, np.inf
    for epoch in range(EPOCHS):
        tx, step = stepper(rate)
        state = state or tx.init(params)
        losses = []
        for _ in range(STEPS):
            x = rng.randn(BATCH, FEATURES).astype(np.float32)
            params, state, value = step(params, state, x, x @ truth)
            losses.append(float(value))
        if np.mean(losses) > 0.7 * best:
            rate /= 2
        best = min(best, np.mean(losses))
        yield epoch, rate, np.mean(losses)


for epoch, rate, loss in train(np.zeros(FEATURES, np.float32)):
    print(f"epoch {epoch} rate {rate:.4f} loss {loss:.4f}")
