"""What a function object brings along, value by value: closure, defaults, a partial's arguments, attributes it reads.

Looked at once for each function object, when it is first traced. Of the user's code only a `repr` of their own may
run; no `jax.Array` is read, and nothing is kept alive.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np

from jitwatch._capture.functions.brought_text import text_of
from jitwatch._capture.functions.definition import is_of_library
from jitwatch._capture.functions.object_numbers import number_of
from jitwatch._capture.functions.reads import attribute_chains
from jitwatch._capture.jax_internals import transforms
from jitwatch._capture.keys.static_parts import PRIMITIVES, children, stored_attributes
from jitwatch._model import Captured

MAX_CAPTURED = 64
MAX_VISITED = 200
MAX_DEPTH = 8
MAX_CHILDREN = 16
_ARRAYS = (jax.Array, np.ndarray)
_PLAIN = (*PRIMITIVES, np.generic, np.dtype)
_CONTAINERS = (tuple, list, dict)
_NUMBERS = (int, float, complex, np.number)
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
_WITHOUT_ATTRIBUTES = (*_PLAIN, *_ARRAYS, types.ModuleType, types.FunctionType, type)
_STORED = (types.MemberDescriptorType, types.GetSetDescriptorType)


class Given(NamedTuple):
    """A value that is there for a parameter before any call, and what the user calls it."""

    name: str
    value: Any


class _Visit(NamedTuple):
    """A function or a container whose parts are still to be looked at."""

    value: Any
    name: str
    """Of the variable that holds it; empty for the function itself and what is around and in it."""
    owner: str
    """The user's variable through which it was reached."""
    depth: int
    given: tuple[Given, ...] = ()
    """For its first parameters."""
    named: tuple[tuple[str, Given], ...] = ()
    """For parameters by name."""
    library: bool = False
    """Whether it stands in a library's code: there only the values inside are told, as those of the owner."""


def captured_by(fun: Callable[..., Any]) -> tuple[Captured, ...]:
    """What a function object brings along now, the nearest first."""
    walk = _Walk()
    walk.visit(_Visit(fun, "", "", 0))
    return walk.run()


class _Walk:
    """Goes through a function breadth first, so that what is near the user comes first and is cut last."""

    def __init__(self) -> None:
        self._found: dict[str, Captured] = {}
        self._waiting: deque[_Visit] = deque()
        self._seen: dict[tuple[int, int], _Visit] = {}

    def visit(self, visit: _Visit) -> None:
        """Look at this too, later."""
        place = id(visit.value), id(visit.given[0].value) if visit.given else 0
        if visit.depth <= MAX_DEPTH and len(self._seen) < MAX_VISITED and place not in self._seen:
            self._seen[place] = visit  # which keeps the object, so that its place stays its own
            self._waiting.append(visit)

    def run(self) -> tuple[Captured, ...]:
        """Until all is seen, or enough."""
        while self._waiting and len(self._found) < MAX_CAPTURED:
            visit = self._waiting.popleft()
            if isinstance(visit.value, _CONTAINERS):
                self._look_into_container(visit)
            else:
                self._look_into_function(visit)
        return tuple(self._found.values())[:MAX_CAPTURED]

    def _look_into_container(self, visit: _Visit) -> None:
        parts = [(path, part) for path, part in children(visit.value) if not isinstance(part, _PLAIN)]
        for path, part in parts[:MAX_CHILDREN]:
            if isinstance(part, _CONTAINERS):  # the text of the whole says what it is
                self.visit(visit._replace(value=part, name=visit.name + path, depth=visit.depth + 1))
            else:
                self._put(visit.name + path, part, visit)

    def _look_into_function(self, visit: _Visit) -> None:
        fun = visit.value
        if (residuals := transforms.residuals_of(fun)) is not None:
            for i, array in enumerate(residuals[:MAX_CHILDREN]):
                self._put(f"residuals[{i}]", array, visit)
        elif isinstance(fun, functools.partial):
            self._look_into_partial(visit, fun)
        elif isinstance(fun, types.MethodType):
            self._inside(visit, fun.__func__, given=(Given("", fun.__self__), *visit.given))
        elif (transform := transforms.transform_around(fun)) is not None:
            for name, value in transform.options.items():
                self._put(f"{name} of {transform.name}", value, visit)
            for inner in transform.functions:
                self._inside(visit, inner, given=visit.given)
        elif isinstance(fun, types.FunctionType):
            self._look_into_python(visit, fun)
        elif isinstance(wrapped := _attribute(fun, "__wrapped__")[0], types.FunctionType):
            self._inside(visit, wrapped, given=visit.given)
        elif isinstance(call := inspect.getattr_static(type(fun), "__call__", None), types.FunctionType):
            self._inside(visit, call, given=(Given(visit.name, fun), *visit.given))

    def _inside(self, visit: _Visit, value: Any, *, given: tuple[Given, ...]) -> None:
        """Look at what a function is made of: the same function to the user."""
        self.visit(visit._replace(value=value, depth=visit.depth + 1, given=given))

    def _look_into_partial(self, visit: _Visit, fun: functools.partial[Any]) -> None:
        given = tuple(Given(f"partial args[{i}]", value) for i, value in enumerate(fun.args))
        named = tuple((name, Given(f"partial {name}", value)) for name, value in fun.keywords.items())
        for name, value in (*given, *(each for _, each in named)):
            self._put(name, value, visit)
        inner = visit._replace(value=fun.func, depth=visit.depth + 1)
        self.visit(inner._replace(given=(*given, *visit.given), named=(*named, *visit.named)))

    def _look_into_python(self, visit: _Visit, fun: types.FunctionType) -> None:
        visit = visit._replace(library=is_of_library(fun))
        code, variables = fun.__code__, dict(visit.named)
        positional = code.co_varnames[: code.co_argcount]
        for parameter, (name, value) in zip(positional, visit.given, strict=False):
            variables[parameter] = Given(name or parameter, value)
            if not name:
                self._put(parameter, value, visit)
        defaults = dict(zip(reversed(positional), reversed(fun.__defaults__ or ()), strict=False))
        for name, value in (dict(reversed(defaults.items())) | (fun.__kwdefaults__ or {})).items():
            self._put(f"default {name}", value, visit)
        for name, value in _cells(fun):
            variables[name] = Given(name, value)
            self._put(name, value, visit)
        for chain in attribute_chains(code):
            if chain[0] in variables:
                self._follow(*variables[chain[0]], chain[1:], visit)
        if isinstance(wrapped := vars(fun).get("__wrapped__"), types.FunctionType):
            self._inside(visit, wrapped, given=visit.given)

    def _follow(self, name: str, value: Any, attributes: tuple[str, ...], visit: _Visit) -> None:
        """Look at the attributes of a value that the code reads, one of the other."""
        for attribute in attributes:
            if isinstance(value, _WITHOUT_ATTRIBUTES):
                return
            stored, of_class = _attribute(value, attribute)
            stored = stored.fget if isinstance(stored, property) else stored
            if of_class and _is_method(stored):
                self.visit(_Visit(stored, "", visit.owner or name, visit.depth + 1, (Given(name, value),)))
                return
            if stored is _MISSING:
                return
            name = f"{name}.{attribute}"
            value = stored.__func__ if isinstance(stored, (staticmethod, classmethod)) else stored
            self._put(name, value, visit)

    def _put(self, name: str, value: Any, visit: _Visit) -> None:
        if isinstance(value, types.ModuleType):
            return
        is_function = callable(value) and not isinstance(value, (type, *_ARRAYS))
        inside = visit.library and visit.owner and not name.startswith(visit.owner)
        if not (inside and (is_function or value is None or isinstance(value, _CONTAINERS))):
            self._add(Captured(f"{name} of {visit.owner}" if inside else name, _kind(value), text_of(value),
                               _identity(value)), visit)  # fmt: skip
        if is_function or isinstance(value, _CONTAINERS):
            self.visit(_Visit(value, name, visit.owner or name, visit.depth + 1, library=visit.library))

    def _add(self, captured: Captured, visit: _Visit) -> None:
        if self._found.setdefault(captured.name, captured) != captured:  # another variable of the same name
            inside = visit.owner or str(getattr(visit.value, "__name__", ""))  # a function: only those have no owner
            captured = msgspec.structs.replace(captured, name=f"{captured.name} of {inside}")
            self._found.setdefault(captured.name, captured)


_MISSING: Any = object()


def _attribute(value: Any, name: str) -> tuple[Any, bool]:
    """What an object, or its class, stores under a name, without running a property; and whether the class does."""
    fields = getattr(type(value), "_fields", ()) if isinstance(value, tuple) else ()
    if name in fields:
        return tuple.__getitem__(value, fields.index(name)), False
    stored = stored_attributes(value).get(name, _MISSING)
    if stored is not _MISSING:
        return stored, False
    stored = inspect.getattr_static(type(value), name, _MISSING)
    if isinstance(stored, _STORED):
        try:
            return stored.__get__(value, type(value)), False
        except AttributeError:
            return _MISSING, False
    return stored, True


def _is_method(stored: Any) -> bool:
    return isinstance(stored, types.FunctionType) or transforms.transform_around(stored) is not None


def _kind(value: Any) -> str:
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return "number"
    if isinstance(value, _ARRAYS):
        return "array"
    if isinstance(value, _FUNCTIONS) or (callable(value) and transforms.is_of_jax(value)):
        return "function"
    return "object"


def _identity(value: Any) -> int:
    """Of a bound method, the number of its object: the method itself is made anew with each look at it."""
    if isinstance(value, _PLAIN):
        return 0
    return number_of(value.__self__ if isinstance(value, types.MethodType) else value)


def _cells(fun: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(fun.__code__.co_freevars, fun.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
