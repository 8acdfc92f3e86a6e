"""SYMPTOM: The augmentation compiles a second time when training proper begins. The smoke pass made its key with
the fast `rbg` generator, the trainer makes its keys with the default one.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C16",
    "name": "augmentation_key_of_another_generator",
    "kind": "positive",
    "library": "jax",
    "function": "augment",
    "cause": "key_impl",
    "where": ["key"],
    "expected_traces": 2,
    "expected_compiles": 2,
    "needed_compiles": 1,
    "repair": [['jax.random.key(0, impl="rbg")', "jax.random.key(0)"]],
    "fix": "Make every key with the same generator: the smoke pass used an rbg key, training uses threefry keys.",
}

EPOCHS, STEPS, BATCH, SIDE = 4, 40, 8, 10
rng = np.random.RandomState(16)


@jax.jit
def augment(images, key):
    flip, noise = jax.random.split(key)
    mirrored = jax.random.bernoulli(flip, 0.5, (len(images), 1, 1))
    images = jnp.where(mirrored, images[:, :, ::-1], images)
    return images + 0.1 * jax.random.normal(noise, images.shape)


@jax.jit
def learn(template, images):
    return template + 0.05 * (images.mean(0) - template)


def smoke_pass(template):
    """A few steps, to see that everything fits together."""
    key = jax.random.key(0, impl="rbg")
    for i in range(5):
        template = learn(template, augment(images(), jax.random.fold_in(key, i)))
    assert np.isfinite(np.asarray(template)).all()


def images():
    return rng.rand(BATCH, SIDE, SIDE).astype(np.float32)


template = np.zeros((SIDE, SIDE), np.float32)
smoke_pass(template)
key = jax.random.key(16)
for epoch in range(EPOCHS):
    for _step in range(STEPS):
        key, sub = jax.random.split(key)
        template = learn(template, augment(images(), sub))
    print(f"epoch {epoch} mean {float(np.asarray(template).mean()):.4f}")
