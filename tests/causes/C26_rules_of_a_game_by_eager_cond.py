"""SYMPTOM: A turn of a simulated game takes as long as a compile. The referee applies a rule with lax.cond outside
jit and writes both branches as lambdas over the dice.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C26",
    "name": "rules_of_a_game_by_eager_cond",
    "kind": "positive",
    "library": "jax",
    "function": "cond",
    "cause": "function_identity",
    "where": ["the branches of cond"],
    "expected_traces": 30,
    "expected_compiles": 30,
    "needed_compiles": 1,
    "match": {"line": "place = jax.lax.cond("},
    "repair": [
        ["def turn(place, dice):", "@jax.jit\ndef turn(place, dice):"],
    ],
    "repaired_as": "turn",
    "fix": "Jit the whole turn: branches that are made anew are a new program at each eager cond.",
}

TURNS, BOARD = 30, 40
rng = np.random.RandomState(26)


def turn(place, dice):
    total = jnp.sum(dice)
    place = jax.lax.cond(
        dice[0] == dice[1],
        lambda at: (at + 2 * total) % BOARD,
        lambda at: (at + total) % BOARD,
        place,
    )
    return place


visits = np.zeros(BOARD, int)
place = jnp.int32(0)
for _ in range(TURNS):
    place = turn(place, rng.randint(1, 7, size=2).astype(np.int32))
    visits[int(place)] += 1
print(visits.nonzero()[0])
