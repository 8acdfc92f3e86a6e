"""What a function object is, beyond its name and line: the transforms around it, and what it brings along."""

from __future__ import annotations

import functools
import types
import zlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jitwatch._capture import jax_internals
from jitwatch._capture.functions.object_numbers import number_of
from jitwatch._capture.keys.values import compares_by_identity, describe

MAX_TEXT = 400


def qualified_name(fun: Callable[..., Any], name: str) -> str:
    """The qualified name of a function, within those of JAX's transforms around it: `grad(loss)`."""
    transform, wrapped = _transform(fun)
    if wrapped is not None:
        return f"{transform.__qualname__.partition('.')[0]}({qualified_name(wrapped, name)})"
    text = str(getattr(fun, "__qualname__", name))
    return f"jit({text})" if isinstance(fun, jax_internals.PjitFunction) else text


def bound_values(fun: Callable[..., Any]) -> str:
    """What the function object is: its code, defaults, closure values, arguments of a partial, the object of a method.

    Two objects of one definition that carry the same are the same function to the user, and two to JAX. A checksum of
    the code is part of it: several lambdas of one line have one name and one place.
    """
    return ", ".join(_bound(fun))[:MAX_TEXT]


def bound_objects(fun: Callable[..., Any]) -> tuple[int, ...]:
    """Numbers of the objects that a function brings along and that equal only themselves; for as long as they live.

    Their text may be that of others. Functions and arrays are not among them: whoever makes a function anew makes
    those anew with it.
    """
    return tuple(number_of(value) for value in _values(fun) if _is_told_by_itself(value))


def _values(fun: Any) -> list[Any]:
    if isinstance(fun, functools.partial):
        return [*_values(fun.func), *fun.args, *fun.keywords.values()]
    if isinstance(fun, types.MethodType):
        return [*_values(fun.__func__), fun.__self__]
    _, wrapped = _transform(fun)
    if wrapped is not None:
        return _values(wrapped)
    if not hasattr(fun, "__code__"):
        return [fun]
    filled = (cell for cell in fun.__closure__ or () if cell != types.CellType())
    return [cell.cell_contents for cell in filled]


def _is_told_by_itself(value: Any) -> bool:
    if callable(value) and hasattr(value, "__qualname__"):
        return False
    return compares_by_identity(value) and not isinstance(value, (jax.Array, np.ndarray))


def _checksum(code: types.CodeType) -> int:
    """Equal for code that does the same, also in another process with the same Python."""
    constants = [_checksum(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return zlib.crc32(repr((code.co_code, code.co_names, code.co_varnames, constants)).encode())


def _bound(fun: Any) -> list[str]:
    if isinstance(fun, functools.partial):
        values = [describe(value) for value in fun.args]
        return _bound(fun.func) + values + [f"{name}={describe(value)}" for name, value in fun.keywords.items()]
    if isinstance(fun, types.MethodType):
        return [*_bound(fun.__func__), describe(fun.__self__)]
    transform, wrapped = _transform(fun)
    if wrapped is not None:
        return _cells(transform) + _bound(wrapped)
    return _cells(fun)


def _transform(fun: Any) -> tuple[Any, Any]:
    """A transform's own function under JAX's traceback filter, and what it transforms; None twice for others."""
    code, wrapped = getattr(fun, "__code__", None), getattr(fun, "__wrapped__", None)
    if wrapped is None or code is None or code.co_name != "reraise_with_filtered_traceback":
        return None, None
    cells = dict(zip(code.co_freevars, fun.__closure__ or (), strict=False))
    transform = cells["fun"].cell_contents if "fun" in cells else None
    return (transform, wrapped) if hasattr(transform, "__qualname__") else (None, None)


def _cells(fun: Any) -> list[str]:
    code, cells = getattr(fun, "__code__", None), getattr(fun, "__closure__", None) or ()
    texts = [f"code {_checksum(code):08x}"] if isinstance(code, types.CodeType) else []
    defaults = [*(getattr(fun, "__defaults__", None) or ()), *(getattr(fun, "__kwdefaults__", None) or {}).values()]
    texts += [f"default {describe(value)}" for value in defaults]
    for name, cell in zip(code.co_freevars if code else (), cells, strict=False):
        try:
            texts.append(f"{name}={describe(cell.cell_contents)}")
        except ValueError:  # not assigned yet
            continue
    return texts
