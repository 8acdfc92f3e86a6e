"""Finds the user's function behind one that a library jits in its place."""

from __future__ import annotations

import functools
import inspect
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from jitwatch._capture import jax_internals
from jitwatch._capture.functions.call_site import LIBRARIES

MAX_OBJECTS = 1_000


def is_of_library(fun: Callable[..., Any]) -> bool:
    """Whether the code that is jitted is a library's own, which may stand for a function of the user's."""
    try:
        inner = inspect.unwrap(fun)
    except ValueError:  # a cycle of `__wrapped__`
        return False
    names = getattr(inner, "__globals__", {})
    return str(names.get("__name__", "")).partition(".")[0] in LIBRARIES


def definition_among(name: str, arguments: tuple[Any, ...]) -> str:
    """`file:line` of the user's function of this name among the arguments of a call; empty if there is none.

    Libraries that jit one function for all of the user's hand the user's on as a static argument, alone or as a leaf
    of one, and give theirs its name (equinox 0.11 to 0.13, `filter_jit`).
    """
    waiting, seen = deque(arguments), 0
    while waiting and seen < MAX_OBJECTS:
        value, seen = waiting.popleft(), seen + 1
        if isinstance(value, types.FunctionType) and value.__name__ == name and not is_of_library(value):
            return jax_internals.source_of(value)
        waiting.extend(_parts(value))
    return ""


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        yield from value[:MAX_OBJECTS]
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, types.MethodType):
        yield value.__func__
    elif hasattr(value, "__wrapped__") and callable(value):
        yield value.__wrapped__
