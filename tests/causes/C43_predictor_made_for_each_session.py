"""SYMPTOM: Every new session of a service waits for a compile. The session makes a Predictor, which jits its own
method; the weights and settings are those of all other sessions.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C43",
    "name": "predictor_made_for_each_session",
    "kind": "positive",
    "library": "jax",
    "function": "_predict",
    "cause": "function_identity",
    "where": ["_predict (the function itself)"],
    "expected_traces": 12,
    "expected_compiles": 12,
    "needed_compiles": 1,
    "match": {"text": [r"\b_predict\b|\bPredictor\b|\bself\b"]},
    "repair": [
        ["        self.predictor = Predictor(weights)\n", "        self.predictor = shared\n"],
        ["class Session:", "shared = Predictor(weights)\n\n\nclass Session:"],
    ],
    "fix": "Make one Predictor for all sessions: a method of a new object is a new function.",
}

SESSIONS, QUESTIONS, FEATURES = 12, 30, 6
rng = np.random.RandomState(43)
weights = {"a": rng.randn(FEATURES, 10).astype(np.float32), "b": rng.randn(10, 3).astype(np.float32)}


class Predictor:
    def __init__(self, weights, temperature=0.7):
        self.weights, self.temperature = weights, temperature
        self.predict = jax.jit(self._predict)

    def _predict(self, x):
        h = jax.nn.relu(x @ self.weights["a"])
        return jax.nn.softmax(h @ self.weights["b"] / self.temperature)


class Session:
    def __init__(self, user):
        self.user = user
        self.predictor = Predictor(weights)
        self.answers = []

    def ask(self, x):
        self.answers.append(int(jnp.argmax(self.predictor.predict(x))))


tally = np.zeros(3, int)
for user in range(SESSIONS):
    session = Session(user)
    for _ in range(QUESTIONS):
        session.ask(rng.randn(FEATURES).astype(np.float32))
    tally += np.bincount(session.answers, minlength=3)
print(tally)
