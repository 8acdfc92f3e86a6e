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

    JAX compares static arguments by type and `==` (`jax_jit.h`, CallSignature). A token is forgotten when its value is
    gone: JAX's cache keeps its own statics alive, so it holds no entry for that value either.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[Any, Static] = {}

    def static(self, value: Any) -> Static:
        """The record of one value; equal values get equal records."""
        key = _IdentityKey.of(value, self._forget)
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


class _IdentityKey:
    """Hashes and compares as JAX does with the value, without keeping the value alive where Python allows that."""

    __slots__ = ("__weakref__", "_hash", "_reference", "_type")
    _hash: int
    _type: type
    _reference: Callable[[], Any]

    @staticmethod
    def of(value: Any, forget: Any) -> Any:
        """A dict key for `value`; `forget(key)` is called when the value is gone."""
        if type(value) in _PRIMITIVES:
            return (type(value), value)
        key = _IdentityKey()
        key._hash = hash((type(value), value))
        key._type = type(value)
        try:
            key._reference = weakref.ref(value, lambda _: forget(key))
        except TypeError:  # no weak references to tuples and the like: keep what they are made of
            is_collection = isinstance(value, (tuple, frozenset))
            parts = _parts(value, lambda _: forget(key)) if is_collection else describe(value)
            key._reference = lambda: parts
        return key

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, _IdentityKey) or self._hash != other._hash or self._type is not other._type:
            return False
        mine, theirs = self._reference(), other._reference()
        return mine is not None and theirs is not None and bool(mine is theirs or mine == theirs)


def _parts(values: Iterable[Any], forget: Any) -> Any:
    """The elements of a tuple or frozenset, each in a form that compares like it and keeps no object alive."""
    kind = tuple if isinstance(values, tuple) else frozenset
    return kind(
        value
        if type(value) in _PRIMITIVES
        else _parts(value, forget)
        if type(value) in (tuple, frozenset)
        else _IdentityKey.of(value, forget)
        for value in values
    )
