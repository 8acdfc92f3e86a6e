"""WHY INNOCENT: Actor and critic run through one jitted function, each with its own head and so its own tree of
weights. Both are used in each of several hundred steps of the environment.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I26",
    "name": "actor_and_critic_share_their_body",
    "kind": "negative",
    "library": "jax",
    "function": "head_of",
    "cause": None,
    "where": [],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 2,
    "fix": "",
}

EPISODES, LIMIT, ACTIONS, OBS, WIDTH = 12, 40, 2, 3, 8
rng = np.random.RandomState(126)


def dense(n, m):
    return (rng.randn(n, m) / np.sqrt(n)).astype(np.float32)


@jax.jit
def head_of(net, obs):
    h = jnp.tanh(obs @ net["body"])
    return h @ net["policy"] if "policy" in net else (h @ net["value"])[..., 0]


@jax.jit
def learn_critic(net, obs, returned):
    gradient = jax.grad(lambda n: jnp.sum((head_of(n, obs) - returned) ** 2))(net)
    return jax.tree.map(lambda w, g: w - 0.01 * g, net, gradient)


@jax.jit
def learn_actor(net, obs, action, advantage):
    gradient = jax.grad(lambda n: -jax.nn.log_softmax(head_of(n, obs))[action] * advantage)(net)
    return jax.tree.map(lambda w, g: w - 0.02 * g, net, gradient)


@dataclass
class Corridor:
    """Walk to the right end; the observation is noisy."""

    place: float = 0.0
    path: list = field(default_factory=list)

    def observe(self):
        return np.array([self.place, self.place**2, 1.0], np.float32)

    def step(self, action):
        self.place += (0.1 if action == 1 else -0.1) + 0.02 * rng.randn()
        return (1.0, True) if self.place > 1 else (-0.02, self.place < -1)


actor = {"body": dense(OBS, WIDTH), "policy": dense(WIDTH, ACTIONS)}
critic = {"body": dense(OBS, WIDTH), "value": dense(WIDTH, 1)}
for episode in range(EPISODES):
    env, total = Corridor(), 0.0
    for _ in range(LIMIT):
        obs = env.observe()
        probabilities = np.exp(np.asarray(head_of(actor, obs), np.float64))
        action = int(rng.rand() < probabilities[1] / probabilities.sum())
        reward, done = env.step(action)
        ahead = 0.0 if done else 0.95 * float(head_of(critic, env.observe()))
        advantage = np.float32(reward + ahead - float(head_of(critic, obs)))
        critic = learn_critic(critic, obs, np.float32(reward + ahead))
        actor = learn_actor(actor, obs, np.int32(action), advantage)
        total += reward
        if done:
            break
    print(f"episode {episode} return {total:.2f}")
