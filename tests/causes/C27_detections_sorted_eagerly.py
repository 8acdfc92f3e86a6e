"""SYMPTOM: Post-processing a detector is slow for the first hundred images. The boxes above the threshold are
sorted by an eager jnp.sort, and their number is another one in nearly every image.
"""

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "C27",
    "name": "detections_sorted_eagerly",
    "kind": "positive",
    "library": "jax",
    "function": "sort",
    "cause": "eager_shape",
    "where": ["number of boxes above the threshold"],
    "expected_traces": 18,
    "expected_compiles": 18,
    "needed_compiles": 0,
    "match": {"line": "ranked = jnp.sort("},
    "repair": [["ranked = jnp.sort(", "ranked = np.sort("]],
    "fix": (
        "Sort the kept scores with NumPy (they are on the host already), or sort all scores and "
        "mask: each number compiles."
    ),
}

IMAGES, BOXES = 150, 64
rng = np.random.RandomState(27)


@jax.jit
def detect(weights, image):
    h = jnp.tanh(image @ weights["a"])
    return jax.nn.sigmoid(h @ weights["b"] - 1.0)


def best_scores(scores, threshold, keep=5):
    kept = scores[scores > threshold]
    ranked = jnp.sort(kept)
    return np.asarray(ranked)[::-1][:keep]


weights = {"a": rng.randn(16, 24).astype(np.float32), "b": 0.3 * rng.randn(24, BOXES).astype(np.float32)}
confidence = []
for _ in range(IMAGES):
    scores = np.asarray(detect(weights, rng.randn(16).astype(np.float32)))
    confidence.extend(best_scores(scores, 0.5))
print(f"{np.mean(confidence):.3f}")
