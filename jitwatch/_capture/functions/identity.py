"""What a function object is, beyond its name and line: the transforms around it, and what it brings along."""

from __future__ import annotations

import functools
import inspect
import types
import zlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jitwatch._capture import jax_internals, places
from jitwatch._capture.functions.definition import Function, authors_function, is_of_library
from jitwatch._capture.functions.object_numbers import number_of
from jitwatch._capture.jax_internals.transforms import MAX_WRAPPERS, is_written_in_jax, transform_around
from jitwatch._capture.keys.values import compares_by_identity, describe, lambda_column

MAX_TEXT = 400


def qualified_name(fun: Callable[..., Any], name: str, depth: int = 0) -> str:
    """The qualified name of a function, within those of what JAX or a library puts around it: `grad(loss)`."""
    transform = transform_around(fun) if depth < MAX_WRAPPERS else None
    if transform is None or (transform.name == "jit" and not isinstance(fun, jax_internals.PjitFunction)):
        wrapped = _wrapped_by_library(fun)
        return f"{name}({wrapped.qualname})" if wrapped is not None else str(getattr(fun, "__qualname__", name))
    return f"{transform.name}({qualified_name(transform.functions[0], name, depth + 1)})"


def innermost_function(fun: Any) -> types.FunctionType | None:
    """The Python function within transforms, partials, methods and callable objects; None where there is none."""
    for _ in range(MAX_WRAPPERS):
        if isinstance(fun, types.FunctionType) and "__wrapped__" not in vars(fun):
            return fun
        transform = transform_around(fun)
        if transform is not None:
            fun = transform.functions[0]
        elif isinstance(fun, functools.partial):
            fun = fun.func
        elif isinstance(fun, types.MethodType):
            fun = fun.__func__
        elif isinstance(fun, types.FunctionType):
            fun = vars(fun)["__wrapped__"]
        else:
            call = inspect.getattr_static(type(fun), "__call__", None)
            return call if isinstance(call, types.FunctionType) and not is_written_in_jax(call) else None
    return None


def definition_of(fun: Any) -> str:
    """`file:line` of a function: as JAX has it, or of the innermost Python function; empty where there is none.

    JAX has none for a transform of a partial, nor for what is no Python function, such as that of `jax.vjp`. Of what a
    library makes of the author's function, it is that of theirs.
    """
    inner = innermost_function(fun)
    wrapped = _wrapped_by_library(fun) or _wrapped_by_library(inner)
    place = jax_internals.source_of(fun) or ("" if inner is None else jax_internals.source_of(inner))
    return places.named(place if wrapped is None else wrapped.place)


def _wrapped_by_library(fun: Any) -> Function | None:
    return authors_function((fun,)) if is_of_library(fun) and not is_written_in_jax(fun) else None


def code_of(fun: Any) -> str:
    """What tells functions of one name and line apart: column, for lambdas, and a checksum of the code."""
    inner = innermost_function(fun)
    return "" if inner is None else f"{lambda_column(inner.__code__)}:{_checksum(inner.__code__):08x}"


def bound_values(fun: Callable[..., Any]) -> str:
    """What the function object is: its code, defaults, closure values, arguments of a partial, the object of a method.

    Two objects of one definition that carry the same are the same function to the user, and two to JAX. A checksum of
    the code is part of it: several lambdas of one line have one name and one place.
    """
    text = ", ".join(_bound(fun))
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} crc {zlib.crc32(text.encode(errors='replace')):08x}"


def bound_objects(fun: Callable[..., Any]) -> tuple[int, ...]:
    """Numbers of the objects that a function brings along and that equal only themselves; for as long as they live.

    Their text may be that of others. Functions and arrays are not among them: whoever makes a function anew makes
    those anew with it.
    """
    return tuple(number_of(value) for value in _values(fun) if _is_told_by_itself(value))


def _values(fun: Any, around: tuple[Any, ...] = ()) -> list[Any]:
    if _is_left_out(fun, around):
        return []
    within = (*around, fun)
    if isinstance(fun, functools.partial):
        return [*_values(fun.func, within), *fun.args, *fun.keywords.values()]
    if isinstance(fun, types.MethodType):
        return [*_values(fun.__func__, within), fun.__self__]
    transform = transform_around(fun)
    if transform is not None:
        return [value for inner in transform.functions for value in _values(inner, within)]
    if not hasattr(fun, "__code__"):
        return [fun]
    filled = (cell for cell in fun.__closure__ or () if cell != types.CellType())
    return [cell.cell_contents for cell in filled]


def _is_left_out(fun: Any, around: tuple[Any, ...]) -> bool:
    """Whether a function is one of those around it, as where one of JAX's calls itself, or too far within them."""
    return len(around) > MAX_WRAPPERS or any(fun is each for each in around)


def _is_told_by_itself(value: Any) -> bool:
    if callable(value) and hasattr(value, "__qualname__"):
        return False
    return compares_by_identity(value) and not isinstance(value, (jax.Array, np.ndarray))


def _checksum(code: types.CodeType) -> int:
    """Equal for code that does the same, also in another process with the same Python."""
    constants = [_checksum(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return zlib.crc32(repr((code.co_code, code.co_names, code.co_varnames, constants)).encode())


def _bound(fun: Any, around: tuple[Any, ...] = ()) -> list[str]:
    if _is_left_out(fun, around):
        return []
    within = (*around, fun)
    if isinstance(fun, functools.partial):
        values = [describe(value) for value in fun.args]
        return _bound(fun.func, within) + values + [f"{name}={describe(value)}" for name, value in fun.keywords.items()]
    if isinstance(fun, types.MethodType):
        return [*_bound(fun.__func__, within), describe(fun.__self__)]
    transform = transform_around(fun)
    if transform is not None:
        options = [f"{name}={describe(value)}" for name, value in transform.options.items()]
        return options + [text for inner in transform.functions for text in _bound(inner, within)]
    return _cells(fun)


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
