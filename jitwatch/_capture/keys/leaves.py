"""One array or number of a call as JAX's dispatch cache compares it."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np

from jitwatch import _state
from jitwatch._capture import jax_internals
from jitwatch._capture.jax_internals import tracers
from jitwatch._capture.keys.shardings import aval_sharding_text, sharding_text
from jitwatch._capture.keys.trees import MAX_INTERNED, interned
from jitwatch._errors import pass_interrupt
from jitwatch._model import Leaf

_WIDE = tuple(map(np.dtype, ("int64", "uint64", "float64", "complex128")))


def leaves_of(values: list[Any], prng: dict[int, str]) -> list[Leaf]:
    shardings: dict[int, str] = {}
    known = _state.part(_Known).leaves  # once, for there may be thousands of leaves
    return [_leaf(value, prng.get(i), shardings, known) for i, value in enumerate(values)]


def _leaf(value: Any, prng: str | None, shardings: dict[int, str], known: dict[Any, Leaf]) -> Leaf:
    if type(value) is jax_internals.ArrayImpl:
        shape, dtype, weak, committed, sharding, layout = jax_internals.array_parts(value)
        text = shardings.get(id(sharding))
        if text is None:
            text = shardings[id(sharding)] = sharding_text(sharding)
        raw = (shape, dtype, weak, committed, text, layout, prng)
        return known.get(raw) or _array_leaf(raw)
    if isinstance(value, jax.core.Tracer):
        return interned(_tracer_leaf(value, shardings, known))
    try:
        shape, dtype, weak = jax_internals.value_signature(value)
    except BaseException as error:  # not an array type; JAX raises its own error when it is called
        pass_interrupt(error)
        return interned(Leaf((), type(value).__qualname__, False, "python", False, None, None))
    return interned(Leaf(shape, _dtype_text(dtype), weak, "python" if weak else "numpy", False, None, None))


def _tracer_leaf(tracer: Any, shardings: dict[int, str], known: dict[Any, Leaf]) -> Leaf:
    """The aval of one element, as the function sees it, and the placement of the array behind it, if there is one."""
    aval = tracer.aval
    weak = bool(getattr(aval, "weak_type", False))
    shape, dtype = tuple(getattr(aval, "shape", ())), str(getattr(aval, "dtype", aval))
    array = tracers.array_inside(tracer)
    if type(array) is not jax_internals.ArrayImpl:
        return Leaf(shape, dtype, weak, "tracer", False, aval_sharding_text(aval), None)
    inside = _leaf(array, None, shardings, known)
    return Leaf(shape, dtype, weak, "tracer", inside.committed, inside.sharding, inside.layout)


def abstract_of(leaf: Leaf, sharding: Any) -> Any:
    if leaf.dtype.startswith("key<"):
        return jax_internals.key_data_like(leaf.dtype, leaf.shape)
    weak = leaf.weak_type and leaf.dtype != "bool"  # a Python bool has no weak aval, only a weak dispatch key
    dtype = np.dtype(leaf.dtype)
    if dtype in _WIDE and not jax.config.jax_enable_x64:  # without data, JAX would take it for its narrow kin
        return jax_internals.wide_array(leaf.shape, dtype, sharding)
    return jax.ShapeDtypeStruct(leaf.shape, dtype, sharding=sharding, weak_type=weak)


class _Known:
    """Leaves of arrays by what JAX compares."""

    def __init__(self) -> None:
        self.leaves: dict[Any, Leaf] = {}


def _array_leaf(raw: Any) -> Leaf:
    shape, dtype, weak, committed, sharding, layout, prng = raw
    if prng is not None:  # JAX sees the key's data, the user sees the key
        shape, dtype = shape[: len(shape) - 1], prng
    leaf: Leaf = interned(
        Leaf(tuple(shape), _dtype_text(dtype), weak, "jax", committed, sharding, str(layout) if layout else None)
    )
    known = _state.part(_Known).leaves
    if len(known) >= MAX_INTERNED:
        known.clear()
    known[raw] = leaf
    return leaf


@functools.lru_cache(maxsize=1024)
def _dtype_text(dtype: Any) -> str:
    return str(dtype)
