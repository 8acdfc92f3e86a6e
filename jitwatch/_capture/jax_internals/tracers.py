"""What JAX's tracers say of the transforms that a call runs under."""

from __future__ import annotations

from typing import Any

import jax


def tracer_value(tracer: Any) -> Any:
    """What a `grad` or `vmap` tracer stands for: an array or another tracer; None for a tracer of a jaxpr."""
    value = getattr(tracer, "primal", None)
    value = getattr(tracer, "val", None) if value is None else value
    return value if isinstance(value, (jax.core.Tracer, jax.Array)) else None
