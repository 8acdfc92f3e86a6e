"""WHY INNOCENT: A tile server resizes requests of any width to one of three tile widths that the product team has
fixed, 24, 48 and 96. Each width is one program, and every program answers hundreds of requests.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

CASE = {
    "id": "I01",
    "name": "image_tiles_in_three_buckets",
    "kind": "negative",
    "library": "jax",
    "function": "sharpen",
    "cause": None,
    "where": [],
    "expected_traces": 3,
    "expected_compiles": 3,
    "needed_compiles": 3,
    "fix": "",
}

TILES = (24, 48, 96)
rng = np.random.RandomState(101)


@dataclass
class Request:
    pixels: np.ndarray
    strength: float


@jax.jit
def sharpen(tile, strength):
    around = sum(jnp.roll(tile, shift, axis) for axis in (0, 1) for shift in (-1, 1)) / 4
    return jnp.clip(tile + strength * (tile - around), 0.0, 1.0)


class TileServer:
    def __init__(self, tiles):
        self.tiles = tiles
        self.served = dict.fromkeys(tiles, 0)

    def handle(self, request):
        height, width = request.pixels.shape
        tile = next(t for t in self.tiles if t >= max(height, width))
        canvas = np.zeros((tile, tile), np.float32)
        canvas[:height, :width] = request.pixels
        self.served[tile] += 1
        return np.asarray(sharpen(canvas, request.strength))[:height, :width]


def requests(n):
    for _ in range(n):
        height, width = rng.randint(8, 97, size=2)
        yield Request(rng.rand(height, width).astype(np.float32), float(rng.uniform(0.1, 0.9)))


server = TileServer(TILES)
total = sum(float(server.handle(request).mean()) for request in requests(900))
print(server.served, f"{total:.2f}")
