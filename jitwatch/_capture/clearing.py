"""Empties JAX's caches, for tests that must not depend on what others compiled."""

from __future__ import annotations

import jax


def clear_caches() -> None:
    """Forget all that JAX traced, lowered and compiled in this process."""
    jax.clear_caches()
