"""Gives each static value a token, and keeps no object of the user's alive for that.

Values are told apart by weak references. Nothing of the user's runs in the callback of one: what is gone equals itself
alone.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jitwatch._capture.keys.static_parts import (
    PRIMITIVES,
    Group,
    Pairs,
    PyTreeDef,
    children,
    holds_arrays,
)
from jitwatch._capture.keys.values import compares_by_identity, compares_by_value, describe
from jitwatch._errors import pass_interrupt
from jitwatch._model import Static

MAX_STATICS = 100_000
MAX_PARTS = 200
MAX_DEPTH = 6
MAX_HELD = 8
"""Equal values that keep one token."""
_COLLECTIONS = (tuple, list, dict, frozenset, set)


class _Budget:
    """How many parts one static value may still have; the attributes of a library's model count little."""

    def __init__(self) -> None:
        self._left: float = MAX_PARTS

    def take(self, value: Any, part: Any) -> bool:
        """Whether `value` may have one part more."""
        self._left -= 0.1 if isinstance(value, Group) or isinstance(part, Group) else 1
        return self._left >= 0


class StaticTable:
    """Gives each static value a token: the same for values that JAX takes for equal, another for all others.

    A token is forgotten when its value, and those that equal it, are gone: JAX's cache keeps its own statics alive, so
    it holds no entry for that value either.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Static] = {}
        self._references: dict[int, _Reference] = {}
        """Of the keys of what is known, by token."""
        self._tokens = itertools.count(1)
        self._part_tokens: dict[Any, int] = {}
        self._shared: dict[Any, Any] = {}

    def static(self, value: Any) -> Static:
        """The record of a static argument: JAX compares those by type and `==` (`jax_jit.h`, CallSignature)."""
        return self._record(value, type(value), None)

    def part(self, value: Any, node: str, parts: Callable[[], Pairs] | None = None) -> Static:
        """The record of the static part of a pytree node: JAX compares those by `==` only, be they hashable or not.

        Args:
            value: The static part.
            node: The class of the node.
            parts: What gives the parts of the static part, where the class tells more than the value does.
        """
        return self._record(value, node, parts)

    def _record(self, value: Any, scope: type | str, parts: Callable[[], Pairs] | None) -> Static:
        key: Any = (scope, value) if type(value) in PRIMITIVES else _Reference(value, scope, self._forget)
        known = self._known.get(key)  # no lock: this runs the user's `==`, and the building of a record their `repr`
        if known is None:
            if len(self._known) >= MAX_STATICS:  # endless churn; a value seen before only gets a new token
                self._known.clear()
                self._references.clear()
            built = Static(
                type(value).__qualname__, describe(value), next(self._tokens), compares_by_identity(value),
                self._parts(value, _Budget(), MAX_DEPTH, parts),
            )  # fmt: skip
            known = self._known.setdefault(key, built)
            if known is built and isinstance(key, _Reference):
                self._references[known.token] = key
        elif (reference := self._references.get(known.token)) is not None:
            reference.hold(value)
        return known

    def _parts(
        self, value: Any, budget: _Budget, depth: int, pairs: Callable[[], Pairs] | None = None
    ) -> tuple[tuple[str, Static], ...]:
        try:
            found = children(value) if pairs is None else pairs()
            result = []
            for path, child in found:
                if depth <= 0 or not budget.take(value, child):
                    break
                pair = (path, self._part(child, budget, depth - (not isinstance(child, Group))))
                result.append(self._share(pair))
            return tuple(result)
        except BaseException as error:  # an object that does not let itself be looked at; the token is enough
            pass_interrupt(error)
            return ()

    def _part(self, value: Any, budget: _Budget, depth: int) -> Static:
        parts = self._parts(value, budget, depth)
        if isinstance(value, Group):
            token = self._part_token((value.kind, tuple((path, part.token) for path, part in parts)))
            static = Static("", value.kind, token, False, parts)
        else:
            token = self._part_token(self._part_key(value))
            static = Static(type(value).__qualname__, describe(value), token, compares_by_identity(value), parts)
        shared: Static = self._share(static)
        return shared

    def _part_key(self, value: Any) -> Any:
        if type(value) in PRIMITIVES:
            return type(value), value
        if not _is_hashable(value) and not isinstance(value, _COLLECTIONS) and holds_arrays(value):
            return _Same(value, self._forget)
        return _Reference(value, type(value), self._forget)

    def _part_token(self, key: Any) -> int:
        if len(self._part_tokens) >= MAX_STATICS:
            self._part_tokens.clear()
        token = self._part_tokens.get(key)
        return self._part_tokens.setdefault(key, next(self._tokens)) if token is None else token

    def _share(self, value: Any) -> Any:
        if len(self._shared) >= MAX_STATICS:
            self._shared.clear()
        return self._shared.setdefault(value, value)

    def _forget(self, key: Any) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._references.pop(known.token, None)
        self._part_tokens.pop(key, None)

    def __len__(self) -> int:
        return len(self._known)


class _Reference:
    """Hashes and compares like a value within a scope, without keeping the value alive where Python allows that.

    It lasts as long as one of the equal values that it holds: JAX keeps the one that it saw first with each entry of
    its caches, and that need not be the first that was seen here.
    """

    __slots__ = ("__weakref__", "_forget", "_hash", "_held", "_scope")

    def __init__(self, value: Any, scope: type | str, forget: Callable[[Any], None]) -> None:
        self._hash = _hash_of(value) if scope == "" else hash((scope, _hash_of(value)))
        self._scope, self._forget = scope, forget
        self._held: tuple[_Held, ...] = ()
        self.hold(value)

    def hold(self, value: Any) -> None:
        """Last as long as this value too, which equals those before."""
        if any(held.value() is value for held in self._held):
            return
        held = _Held()
        held.value = _weakly(value, lambda _: self._lose(held))
        first, others = self._held[:1], self._held[1:]
        self._held = (*first, *others[-(MAX_HELD - 2) :], held)

    def _lose(self, gone: _Held) -> None:
        """A value is no more. This may run anywhere, so nothing is compared but by identity."""
        self._held = tuple(held for held in self._held if held is not gone)
        if not self._held:  # from now on it equals itself alone, so that the table finds it
            self._forget(self)

    def _value(self) -> Any:
        return next((value for held in self._held if (value := held.value()) is not None), None)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: Any) -> bool:
        if self is other:
            return True
        # `__class__`, for at exit the name of this class may be gone before the last value that is compared.
        is_reference = isinstance(other, __class__)  # type: ignore[name-defined]
        if not self._held or (is_reference and not other._held):  # asked within `_lose`
            return False
        mine = self._value()
        if not is_reference:
            return mine is not None and bool(mine == other)
        if self._hash != other._hash or self._scope != other._scope:
            return False
        theirs = other._value()
        if mine is None or theirs is None or isinstance(mine, (jax.Array, np.ndarray)):
            return mine is not None and mine is theirs
        return bool(mine is theirs or mine == theirs)


class _Held:
    """One value that a reference stands for."""

    __slots__ = ("value",)
    value: Callable[[], Any]


class _Same(_Reference):
    """Compares like `is`, for a part whose own `==` might wait for a device."""

    __slots__ = ()

    def __init__(self, value: Any, forget: Callable[[Any], None]) -> None:
        self._hash, self._scope, self._forget, self._held = id(value), "is", forget, ()
        held = _Held()
        try:
            held.value = weakref.ref(value, lambda _: self._lose(held))
        except TypeError:
            return
        self._held = (held,)

    def __eq__(self, other: Any) -> bool:
        if self is other:
            return True
        is_same = isinstance(other, __class__)  # type: ignore[name-defined]  # as above
        return is_same and self._value() is other._value() is not None

    __hash__ = _Reference.__hash__


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except BaseException as error:
        pass_interrupt(error)
        return False
    return True


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
    parts = _part(value, gone) if isinstance(value, (*_COLLECTIONS, np.generic)) else _inside(value, gone)
    return lambda: parts


def _inside(value: Any, gone: Callable[[Any], None]) -> Any:
    """What an object is made of, where Python gives no weak reference to it."""
    if type(value) is PyTreeDef:
        data = value.node_data()
        nodes = [_inside(node, gone) for node in value.children()]
        return "*" if data is None else (_part(data[0], gone), _part(data[1], gone), *nodes)
    found = children(value) if compares_by_value(value) else []
    return [(path, _part(part, gone)) for path, part in found] or describe(value)


def _part(value: Any, gone: Callable[[Any], None]) -> Any:
    """A value in a form that compares like it within a collection, and keeps no object of the user's alive."""
    if type(value) in PRIMITIVES or isinstance(value, np.generic):
        return value
    if isinstance(value, dict):
        return {_part(key, gone): _part(item, gone) for key, item in value.items()}
    for kind in _COLLECTIONS:
        if isinstance(value, kind):
            return kind(_part(item, gone) for item in value)
    return _Reference(value, "", gone)
