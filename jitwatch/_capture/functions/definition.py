"""Finds the author's function behind one that a library jits in its place."""

from __future__ import annotations

import functools
import inspect
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from jitwatch._capture import jax_internals, places

MAX_OBJECTS = 1_000


class Function(NamedTuple):
    """A function of the author's, or one of their classes whose objects are called."""

    name: str
    qualname: str
    place: str


def is_of_library(fun: Any) -> bool:
    """Whether the code of a function is a library's own, which may stand for a function of the author's."""
    try:
        inner = inspect.unwrap(fun)
    except ValueError:  # a cycle of `__wrapped__`
        return False
    inner = getattr(inner, "__func__", inner)
    return isinstance(inner, types.FunctionType) and not _is_of_author(inner)


def authors_function(values: Iterable[Any], name: str = "") -> Function | None:
    """The author's function of this name among values and what libraries keep in them; else the nearest one.

    Libraries keep it in a closure (`haiku.transform`), as the object of a method (`flax.linen.Module.apply`), or hand
    it on as a static argument, alone or as a leaf of one (equinox 0.11 to 0.13, `filter_jit`).
    """
    waiting, seen, nearest = deque(values), 0, None
    while waiting and seen < MAX_OBJECTS:
        value, seen = waiting.popleft(), seen + 1
        found = _function(value)
        if found is None:
            waiting.extend(_parts(value))
        elif not name or found.name == name:
            return found
        nearest = nearest or found
    return nearest


def _function(value: Any) -> Function | None:
    if isinstance(value, types.FunctionType):
        if is_of_library(value):
            return None
        return Function(value.__name__, value.__qualname__, jax_internals.source_of(value))
    call = inspect.getattr_static(type(value), "__call__", None)
    if isinstance(value, type) or not isinstance(call, types.FunctionType) or is_of_library(call):
        return None
    kind = type(value)
    return Function(kind.__name__, kind.__qualname__, jax_internals.source_of(call))


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        yield from value[:MAX_OBJECTS]
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif hasattr(value, "__wrapped__") and callable(value):
        yield value.__wrapped__
    elif isinstance(value, types.FunctionType):
        yield from (cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType())


def _is_of_author(fun: types.FunctionType) -> bool:
    return places.is_of_author(fun.__code__.co_filename, fun.__globals__)


class StandIn:
    """Which of the author's functions a library's jitted function stands for, as far as its calls tell."""

    def __init__(self, fun: Callable[..., Any], name: str, qualname: str, place: str) -> None:
        self._name, self._own = name, (qualname, place)
        self._found: set[Function] = set()
        self.is_open = is_of_library(fun)
        """Whether a further call can say more."""

    def called(self, arguments: Iterable[Any]) -> tuple[str, str]:
        """The qualified name and the place of what the calls so far stand for; the library's own where that is unclear.

        Args:
            arguments: Of one more call.
        """
        found = authors_function(arguments, self._name)
        if found is not None:
            self._found.add(found)
        if len(self._found) != 1:
            self.is_open = not self._found
            return self._own
        (one,) = self._found
        self.is_open = one.name != self._name
        return f"{self._name}({one.qualname})" if self.is_open else self._own[0], one.place
