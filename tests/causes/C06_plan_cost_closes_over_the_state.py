"""SYMPTOM: A model-predictive controller replans by the cross-entropy method. In each control period the cost of a
plan is defined over the present state and vmapped over the samples, so each period begins with a compile.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C06",
    "name": "plan_cost_closes_over_the_state",
    "kind": "positive",
    "library": "jax",
    "function": "plan_cost",
    "cause": "function_identity",
    "where": ["plan_cost (the function itself)", "state"],
    "expected_traces": 25,
    "expected_compiles": 25,
    "needed_compiles": 1,
    "match": {"text": [r"\bplan_cost\b|\bstate\b"], "also": ["static_value"]},
    "repair": [
        [
            (
                "    def plan_cost(plan):\n        return rollout(state, plan)\n\n"
                "    costs_of = jax.jit(jax.vmap(plan_cost))\n"
            ),
            "",
        ],
        ["costs_of(plans)", "costs_of(state, plans)"],
        [
            "def replan(",
            (
                "def plan_cost(state, plan):\n    return rollout(state, plan)\n\n\n"
                "costs_of = jax.jit(jax.vmap(plan_cost, (None, 0)))\n\n\ndef replan("
            ),
        ],
    ],
    "fix": "Pass state as an argument (vmap with in_axes=(None, 0)) to one jitted function.",
}

PERIODS, ROUNDS, SAMPLES, ELITE, HORIZON = 25, 8, 32, 6, 10
rng = np.random.RandomState(6)


@jax.jit
def plant(state, push):
    angle, speed = state
    speed = speed + 0.1 * (jnp.sin(angle) + push) - 0.01 * speed
    return jnp.stack([angle + 0.1 * speed, speed])


def rollout(state, plan):
    def step(state, push):
        state = plant(state, push)
        return state, 1.0 - jnp.cos(state[0]) + 0.1 * state[1] ** 2 + 0.01 * push**2

    return jax.lax.scan(step, state, plan)[1].sum()


def replan(state, mean):
    def plan_cost(plan):
        return rollout(state, plan)

    costs_of = jax.jit(jax.vmap(plan_cost))
    spread = np.ones(HORIZON, np.float32)
    for _ in range(ROUNDS):
        plans = mean + spread * rng.randn(SAMPLES, HORIZON).astype(np.float32)
        best = plans[np.argsort(np.asarray(costs_of(plans)))[:ELITE]]
        mean, spread = best.mean(0), best.std(0) + np.float32(1e-3)
    return mean


state, mean = jnp.array([2.0, 0.0]), np.zeros(HORIZON, np.float32)
for _period in range(PERIODS):
    mean = replan(state, mean)
    state = plant(state, mean[0])
    mean = np.roll(mean, -1)
print(f"angle after {PERIODS} periods: {float(state[0]):.3f}")
