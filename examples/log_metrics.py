"""Log what JAX compiles beside the loss, for TensorBoard.

    python examples/log_metrics.py
    tensorboard --logdir logs

`jitwatch.metrics()` is a flat dict of numbers, so any logger takes it: `wandb.log(jitwatch.metrics(), step=step)`,
`mlflow.log_metrics(jitwatch.metrics(), step=step)`, or `writer.write_scalars(step, jitwatch.metrics())` of clu. The
batches here grow, so `jitwatch/compiles` rises with them: on a curve of a training that is as it should be, it is flat
after the first steps.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from tensorboardX import SummaryWriter

import jitwatch

STEPS = 20


@jitwatch.watched_jit
def train_step(weights: jax.Array, batch: jax.Array) -> tuple[jax.Array, jax.Array]:
    loss, gradient = jax.value_and_grad(lambda w: jnp.mean((batch @ w - 1) ** 2))(weights)
    return weights - 0.1 * gradient, loss


def main(folder: str) -> None:
    weights, data = jnp.zeros(8), np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    with SummaryWriter(folder) as writer:
        for step in range(STEPS):
            weights, loss = train_step(weights, data[: 8 + 4 * (step // 4)])
            writer.add_scalar("loss", float(loss), step)
            for name, value in jitwatch.metrics().items():
                writer.add_scalar(name, value, step)
    print(f"{jitwatch.metrics()['jitwatch/compiles']} compiles in {STEPS} steps; logged to {folder}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "logs")
