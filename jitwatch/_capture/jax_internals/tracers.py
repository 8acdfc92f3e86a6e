"""What JAX's tracers say of the transforms that a call runs under."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import jax
from jax._src.interpreters import partial_eval

_WORDS = {
    "BatchTracer": "vmap",
    "DynamicJaxprTracer": "trace",
    "JVPTracer": "jvp",
    "JaxprTracer": "vjp",
    "LinearizeTracer": "grad",
}
"""The user's word for what makes each kind of tracer; kinds that are not here show as they are."""
MAX_SHOWN = 16
_MAX_LEVELS = 1_000


def tracer_value(tracer: Any) -> Any:
    """What a `grad` or `vmap` tracer stands for: an array or another tracer; None for a tracer of a jaxpr."""
    value = getattr(tracer, "primal", None)
    value = getattr(tracer, "val", None) if value is None else value
    return value if isinstance(value, (jax.core.Tracer, jax.Array)) else None


def array_inside(tracer: Any) -> Any:
    """The array that a tracer stands for in the end; None where it stands for none yet."""
    while isinstance(tracer, jax.core.Tracer):
        tracer = tracer_value(tracer)
    return tracer


def transforms_of(leaves: Sequence[Any]) -> tuple[str, ...]:
    """The transforms that the leaves of a call are under, outermost last, each with what its program depends on.

    `vmap[8]` maps 8 at a time, over axis 0 of each leaf that it maps. `vmap[8, over 0 1 -]` says the axis of each leaf
    in order, where that is another one, or where a leaf that is under other transforms is not mapped.
    """
    kind = jax.core.Tracer
    traced = [(n, leaf) for n, leaf in enumerate(leaves) if isinstance(leaf, kind)]
    if not traced:
        return ()
    levels: dict[int, tuple[int, Any, dict[int, Any]]] = {}
    for n, leaf in traced:
        while isinstance(leaf, kind):
            trace = leaf._trace
            levels.setdefault(id(trace), (_depth(trace), leaf, {}))[2][n] = leaf
            leaf = tracer_value(leaf)
    ordered = sorted(levels.values(), key=lambda level: -level[0])
    return tuple(_text(one, under, len(traced), len(leaves)) for _, one, under in ordered)


def _depth(trace: Any) -> int:
    """How many transforms a trace is inside of."""
    depth = 0
    while (trace := getattr(trace, "parent_trace", None)) is not None and depth < _MAX_LEVELS:
        depth += 1
    return depth


def _text(tracer: Any, under: dict[int, Any], traced: int, leaves: int) -> str:
    kind = type(tracer).__name__
    word = _WORDS.get(kind, kind)
    if kind == "JVPTracer" and isinstance(getattr(tracer, "tangent", None), partial_eval.JaxprTracer):
        word = "grad"  # JAX before 0.7: `grad` is `jvp` with a tangent that is not known yet
    details = _vmap_details(tracer) if kind == "BatchTracer" else []
    axes = {n: getattr(one, "batch_dim", 0) for n, one in under.items()}
    if len(under) < traced or any(axis != 0 for axis in axes.values()):
        details.append(f"over {_axes_text([str(axes.get(n, '-')) for n in range(leaves)])}")
    return f"{word}[{', '.join(details)}]" if details else word


def _vmap_details(tracer: Any) -> list[str]:
    """The mapped size, and the names that were given to the mapped axis."""
    data = getattr(tracer._trace, "axis_data", None)
    details = [str(getattr(data, "size", "?"))]
    name, spmd = getattr(data, "name", None), getattr(data, "spmd_name", None)
    if type(name) is not object:  # which JAX puts where no name was given
        details.append(f"axis_name={name!r}")
    if spmd is not None:
        details.append(f"spmd_axis_name={spmd!r}")
    return details


def _axes_text(axes: Sequence[str]) -> str:
    text = " ".join(axes[:MAX_SHOWN])
    return text if len(axes) <= MAX_SHOWN else f"{text} … crc {zlib.crc32(' '.join(axes).encode()):08x}"
