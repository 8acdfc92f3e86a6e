"""Static values: how to show one without running the user's code, and which of them JAX takes for equal.

Nothing here keeps a user's object alive: values are told apart by weak references and by tokens.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import threading
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from jitwatch._model import Static

MAX_TEXT = 120
MAX_STATICS = 100_000
_PRIMITIVES = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
_COLLECTIONS = (tuple, list, dict, frozenset, set)
_tokens = itertools.count(1)


def describe(value: Any, depth: int = 3) -> str:
    """One line of at most `MAX_TEXT` characters; arrays by aval, since their repr would wait for the device."""
    text = _describe(value, depth)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _describe(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in _PRIMITIVES:
        return repr(value[:MAX_TEXT] if kind in (str, bytes) else value) if _is_short(value) else f"<{kind.__name__}>"
    if isinstance(value, (np.generic, np.dtype)):
        return f"np.{value!r}" if not repr(value).startswith("np.") else repr(value)
    if isinstance(value, (jax.Array, np.ndarray)):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, type):
        return value.__qualname__
    if isinstance(value, functools.partial):
        return f"partial({_inner([value.func, *value.args], value.keywords, depth)})"
    if callable(value) and hasattr(value, "__qualname__"):
        return _describe_function(value)
    if depth <= 0:
        return "…"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"{kind.__name__}({_inner([], dict(zip(value._fields, value, strict=False)), depth)})"
    if isinstance(value, list):
        return f"[{_inner(value, {}, depth)}]"
    if isinstance(value, (tuple, frozenset, set)):
        comma = "," if kind is tuple and len(value) == 1 else ""
        return f"{'' if kind is tuple else kind.__name__}({_inner(value, {}, depth)}{comma})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_describe(k, 1)}: {_describe(v, depth - 1)}" for k, v in _first(value.items())) + "}"
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.repr and hasattr(value, field.name)]
        return f"{kind.__name__}({_inner([], {name: getattr(value, name) for name in _first(names)}, depth)})"
    return _describe_object(value)


def _is_short(value: Any) -> bool:
    """Python refuses to print integers of thousands of digits."""
    return not isinstance(value, int) or value.bit_length() < 400


def _first(items: Iterable[Any]) -> list[Any]:
    return list(itertools.islice(items, 12))


def _inner(values: Iterable[Any], named: dict[str, Any], depth: int) -> str:
    parts = [_describe(value, depth - 1) for value in _first(values)]
    return ", ".join(parts + [f"{name}={_describe(value, depth - 1)}" for name, value in _first(named.items())])


def _describe_function(value: Any) -> str:
    code = getattr(value, "__code__", None)
    if isinstance(value, types.MethodType):
        return f"bound method {value.__qualname__}"
    return f"{value.__qualname__} at {code.co_filename}:{code.co_firstlineno}" if code else str(value.__qualname__)


def _describe_object(value: Any) -> str:
    """The repr, unless it is Python's default, or could print (and so wait for) an array of the object."""
    kind = type(value)
    holds_arrays = any(isinstance(item, jax.Array) for item in getattr(value, "__dict__", {}).values())
    if _is_inherited(kind, "__repr__") or holds_arrays:
        return f"{kind.__qualname__} object"
    try:
        return " ".join(repr(value).split())
    except Exception:
        return f"{kind.__qualname__} object"


def compares_by_identity(value: Any) -> bool:
    """Whether `==` means "the same object" for this value, so that one made anew never equals it."""
    return _is_inherited(type(value), "__eq__") or isinstance(value, types.FunctionType)


def _is_inherited(kind: type, method: str) -> bool:
    return getattr(kind, method) is getattr(object, method)


class StaticTable:
    """Gives each static value a token: the same for values that JAX takes for equal, another for all others.

    A token is forgotten when its value is gone: JAX's cache keeps its own statics alive, so it holds no entry for that
    value either.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[Any, Static] = {}

    def static(self, value: Any) -> Static:
        """The record of a static argument: JAX compares those by type and `==` (`jax_jit.h`, CallSignature)."""
        return self._record(value, type(value))

    def part(self, value: Any, node: str) -> Static:
        """The record of the static part of a pytree node: JAX compares those by `==` only, be they hashable or not."""
        return self._record(value, node)

    def _record(self, value: Any, scope: type | str) -> Static:
        key: Any = (scope, value) if type(value) in _PRIMITIVES else _Reference(value, scope, self._forget)
        with self._lock:
            known = self._known.get(key)
            if known is None:
                if len(self._known) >= MAX_STATICS:  # endless churn; a value seen before only gets a new token
                    self._known.clear()
                known = Static(type(value).__qualname__, describe(value), next(_tokens), compares_by_identity(value))
                self._known[key] = known
            return known

    def _forget(self, key: Any) -> None:
        with self._lock:
            self._known.pop(key, None)

    def __len__(self) -> int:
        return len(self._known)


class _Reference:
    """Hashes and compares like a value within a scope, without keeping the value alive where Python allows that."""

    __slots__ = ("__weakref__", "_hash", "_scope", "_value")

    def __init__(self, value: Any, scope: type | str, forget: Callable[[Any], None]) -> None:
        self._hash = _hash_of(value) if scope == "" else hash((scope, _hash_of(value)))
        self._scope = scope
        self._value = _weakly(value, lambda _: forget(self))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        mine = self._value()
        if not isinstance(other, _Reference):
            return mine is not None and bool(mine == other)
        if self._hash != other._hash or self._scope != other._scope:
            return False
        theirs = other._value()
        return mine is not None and theirs is not None and bool(mine is theirs or mine == theirs)


def _hash_of(value: Any) -> int:
    """A hash that agrees with `==`, of what Python does not hash too."""
    try:
        return hash(value)
    except TypeError:
        if isinstance(value, (list, tuple)):
            return hash(tuple(map(_hash_of, value)))
        if isinstance(value, dict):
            return hash(frozenset((key, _hash_of(item)) for key, item in value.items()))
        return hash(frozenset(value) if isinstance(value, set) else type(value))


def _weakly(value: Any, gone: Callable[[Any], None]) -> Callable[[], Any]:
    """What gives the value, or something that compares like it; calls `gone` when the value is no more."""
    if type(value) not in _COLLECTIONS:
        try:
            return weakref.ref(value, gone)
        except TypeError:  # no weak references to a named tuple, nor to an object with slots
            pass
    parts = _part(value, gone) if isinstance(value, (*_COLLECTIONS, np.generic)) else describe(value)
    return lambda: parts


def _part(value: Any, gone: Callable[[Any], None]) -> Any:
    """A value in a form that compares like it within a collection, and keeps no object of the user's alive."""
    if type(value) in _PRIMITIVES or isinstance(value, np.generic):
        return value
    if isinstance(value, dict):
        return {_part(key, gone): _part(item, gone) for key, item in value.items()}
    for kind in _COLLECTIONS:
        if isinstance(value, kind):
            return kind(_part(item, gone) for item in value)
    return _Reference(value, "", gone)
