"""Train a small network on scikit-learn's handwritten digits and see what JAX compiled for it.

    python examples/train_digits.py

The 1,437 training images do not divide by the batch size of 256: every epoch ends with a batch of 157. Look at
`train_step` in the report. It compiled twice. Its first key has the batches of 256; its second key differs only in
the first axis of `images` and `labels`, and was compiled for the last batch of the first epoch, in the middle of
training. From the second epoch on both programs are there, and every call is a hit. `accuracy` is always called
with the same shapes and compiled once.

Below the functions, the report names the small programs that JAX compiled for none of them: here the operations that
make the initial parameters, one program for each operation and shape.

To pay for one `train_step` instead of two, drop the last batch, or pad it to 256 and mask the padding in the loss.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jitwatch
from jitwatch import watched_jit

BATCH_SIZE = 256
EPOCHS = 20

Params = list[dict[str, jax.Array]]
optimizer = optax.adam(3e-3)


def init_params(key: jax.Array, sizes: tuple[int, ...]) -> Params:
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        {"w": jax.random.normal(k, (n_in, n_out)) * jnp.sqrt(2 / n_in), "b": jnp.zeros(n_out)}
        for k, n_in, n_out in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def predict(params: Params, images: jax.Array) -> jax.Array:
    *hidden, last = params
    for layer in hidden:
        images = jax.nn.relu(images @ layer["w"] + layer["b"])
    return images @ last["w"] + last["b"]


def loss(params: Params, images: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(predict(params, images), labels).mean()


@watched_jit
def train_step(
    params: Params, opt_state: optax.OptState, images: jax.Array, labels: jax.Array
) -> tuple[Params, optax.OptState]:
    updates, opt_state = optimizer.update(jax.grad(loss)(params, images, labels), opt_state)
    return optax.apply_updates(params, updates), opt_state


@watched_jit
def accuracy(params: Params, images: jax.Array, labels: jax.Array) -> jax.Array:
    return (predict(params, images).argmax(axis=1) == labels).mean()


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        (images / 16).astype(np.float32), labels.astype(np.int32), test_size=0.2, random_state=0
    )
    params = init_params(jax.random.key(0), (64, 128, 10))
    opt_state = optimizer.init(params)
    shuffle = np.random.default_rng(0)

    for epoch in range(1, EPOCHS + 1):
        order = shuffle.permutation(len(train_images))
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            params, opt_state = train_step(params, opt_state, train_images[batch], train_labels[batch])
        if epoch % 5 == 0:
            print(f"epoch {epoch:2}: test accuracy {accuracy(params, test_images, test_labels):.1%}")

    print()
    print(jitwatch.report())


if __name__ == "__main__":
    main()
