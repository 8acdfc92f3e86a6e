"""JAX's own wrappers around a function, such as that of `jax.grad`: what they wrap, and what they were given.

They keep both in the cells of their closures, and in attributes of their objects (JAX 0.6.1 to 0.12.0.1).
"""

from __future__ import annotations

import functools
import inspect
import os
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax

_OF_JAX = os.path.dirname(jax.__file__) + os.sep
_FILTER = "reraise_with_filtered_traceback"
_INNER = "value_and_grad_f"
"""The variable by which `grad` holds the rest of itself."""
_RULES = ("fun", "fwd", "bwd", "jvp")
MAX_WRAPPERS = 20


class Transform(NamedTuple):
    """One of JAX's transforms with a function of somebody's in it."""

    name: str
    """As the user calls it: `grad`, `vmap`."""
    options: dict[str, Any]
    """What it was given besides, where that is not the default."""
    functions: tuple[Callable[..., Any], ...]
    """What it transforms, first, and the rules for that; never empty."""


def transform_around(fun: Any) -> Transform | None:
    """The transform of JAX that `fun` is the result of; None where it is none, or JAX does not let it be told."""
    if isinstance(fun, (jax.custom_jvp, jax.custom_vjp)):
        rules = [getattr(fun, name, None) for name in _RULES]
        return _transform(type(fun).__name__, {}, rules)
    if not isinstance(fun, types.FunctionType):
        wrapped = getattr(fun, "__wrapped__", None) if is_of_jax(fun) else None
        return _transform("jit", {}, [wrapped])
    if not is_written_in_jax(fun):
        return None
    name, functions = "", []
    options: dict[str, Any] = {}
    for layer in _layers(fun):
        made_by = layer.__code__.co_qualname.partition(".")[0].lstrip("_")
        name = name or made_by
        defaults = _defaults(layer, made_by)
        for variable, value in _cells(layer):
            if variable == _INNER:
                continue
            if _is_function(value):
                functions.append(value)
            elif variable in defaults and not _is_default(value, defaults[variable]):
                options.setdefault(variable, value)
    functions.append(getattr(fun, "__wrapped__", None))
    return _transform(name, options, [one for one in functions if one is not fun])  # one of JAX's may call itself


def residuals_of(fun: Any) -> list[Any] | None:
    """The arrays that a function of `jax.vjp` or `jax.linearize` keeps; None for any other."""
    if not is_of_jax(fun) or isinstance(fun, (types.FunctionType, jax.custom_jvp, jax.custom_vjp)):
        return None
    if isinstance(fun, functools.partial) and not (is_of_jax(fun.func) or is_written_in_jax(fun.func)):
        return None  # `jax.tree_util.Partial` of a function of somebody's
    leaves = jax.tree_util.tree_leaves(fun)
    return None if len(leaves) == 1 and leaves[0] is fun else leaves


def is_written_in_jax(fun: Any) -> bool:
    """Whether the Python of a function stands in JAX's own files."""
    return isinstance(fun, types.FunctionType) and fun.__code__.co_filename.startswith(_OF_JAX)


def is_of_jax(value: Any) -> bool:
    """Whether the class of an object is one of JAX's own, as that of a jitted function is."""
    return type(value).__module__.partition(".")[0] in ("jax", "jaxlib")


def _transform(name: str, options: dict[str, Any], functions: list[Any]) -> Transform | None:
    distinct = {id(one): one for one in functions if _is_function(one)}
    return Transform(name, options, tuple(distinct.values())) if distinct else None


def _layers(fun: types.FunctionType) -> Iterator[types.FunctionType]:
    """The function without JAX's traceback filter, and those inside it that are only a part of the same transform.

    `grad` is a function around that of `value_and_grad`.
    """
    for _ in range(MAX_WRAPPERS):
        cells = dict(_cells(fun))
        if fun.__code__.co_name == _FILTER:
            inner = cells.get("fun")
        else:
            yield fun
            inner = cells.get(_INNER)
        if not isinstance(inner, types.FunctionType):
            return
        fun = inner


def _cells(fun: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(fun.__code__.co_freevars, fun.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _is_function(value: Any) -> bool:
    """Not so a class, nor an object of JAX's that can be called besides, such as a mesh."""
    if not callable(value) or isinstance(value, type):
        return False
    return not is_of_jax(value) or isinstance(value, functools.partial) or hasattr(value, "__wrapped__")


def _defaults(fun: types.FunctionType, made_by: str) -> dict[str, Any]:
    """The parameters of the transform that made a function, with their defaults."""
    transform = fun.__globals__.get(made_by)
    return _parameter_defaults(transform) if callable(transform) else {}


@functools.lru_cache(maxsize=256)
def _parameter_defaults(transform: Callable[..., Any]) -> dict[str, Any]:
    try:
        parameters = inspect.signature(transform).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {one.name: one.default for one in parameters}


def _is_default(value: Any, default: Any) -> bool:
    """By type and value, where that runs nobody's code; an `object()` stands for nothing given."""
    plain = (bool, int, str, type(None))
    return (
        value is default
        or type(value) is object
        or (type(value) is type(default) and type(value) in plain and value == default)
    )
