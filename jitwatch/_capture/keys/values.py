"""Static values: how to show one without running the user's code, and which of them JAX takes for equal.

Nothing here keeps a user's object alive: values are told apart by weak references and by tokens.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import re
import types
import weakref
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from jitwatch._capture import jax_internals
from jitwatch._capture.keys.static_parts import (
    EXPANSIONS,
    PRIMITIVES,
    Group,
    Pairs,
    PyTreeDef,
    children,
    holds_arrays,
    stored_attributes,
)
from jitwatch._errors import pass_interrupt
from jitwatch._model import Static

MAX_TEXT = 120
MAX_FUNCTION_TEXT = 400
MAX_STATICS = 100_000
MAX_PARTS = 200
MAX_DEPTH = 6
_PRIMITIVES = PRIMITIVES
_FUNCTIONS = (types.FunctionType, types.MethodType, jax_internals.PjitFunction)
_ADDRESS = re.compile(r"(?: at)? 0x[0-9a-fA-F]{6,}")
_COLLECTIONS = (tuple, list, dict, frozenset, set)


def describe(value: Any, depth: int = 3) -> str:
    """One line of at most `MAX_TEXT` characters; arrays by aval, since their repr would wait for the device.

    A function's text may be longer, so that its line is not cut off.
    """
    text = _describe(value, depth)  # which never raises
    limit = MAX_FUNCTION_TEXT if issubclass(type(value), _FUNCTIONS) else MAX_TEXT
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _describe(value: Any, depth: int) -> str:
    """Its text; where the value's own code fails, or raises to end the program, what it is an object of."""
    try:
        return _text_of(value, depth)
    except BaseException as error:
        pass_interrupt(error)
        return f"{type(value).__name__} object"


def _text_of(value: Any, depth: int) -> str:
    kind = type(value)
    if kind in _PRIMITIVES:
        return repr(value[:MAX_TEXT] if kind in (str, bytes) else value) if _is_short(value) else f"<{kind.__name__}>"
    if isinstance(value, (np.generic, np.dtype)):
        return f"np.{value!r}" if not repr(value).startswith("np.") else repr(value)
    if isinstance(value, (jax.Array, np.ndarray)):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]{_content(value)}"
    if isinstance(value, enum.Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, type):
        return value.__qualname__
    if type(value) is PyTreeDef:
        return f"PyTreeDef({_describe_structure(value, depth)})"
    if jax_internals.is_jaxpr(value):
        return f"{kind.__name__} of {len(value.eqns)} equations"
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
    if isinstance(value, (frozenset, set)):
        return f"{kind.__name__}({', '.join(sorted(_describe(item, depth - 1) for item in _first(value)))})"
    if isinstance(value, tuple):
        comma = "," if kind is tuple and len(value) == 1 else ""
        return f"{'' if kind is tuple else kind.__name__}({_inner(value, {}, depth)}{comma})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_describe(k, 1)}: {_describe(v, depth - 1)}" for k, v in _first(value.items())) + "}"
    if dataclasses.is_dataclass(value):
        stored = stored_attributes(value)
        names = [field.name for field in dataclasses.fields(value) if field.repr and field.name in stored]
        return f"{kind.__name__}({_inner([], {name: stored[name] for name in _first(names)}, depth)})"
    expand = EXPANSIONS.get(f"{kind.__module__}.{kind.__qualname__}")
    whole = expand(value) if expand else []
    return _describe(whole[0][1], depth) if [path for path, _ in whole] == [""] else _describe_object(value)


def _is_short(value: Any) -> bool:
    """Python refuses to print integers of thousands of digits."""
    return not isinstance(value, int) or value.bit_length() < 400


def _first(items: Iterable[Any]) -> list[Any]:
    return list(itertools.islice(items, 12))


def _inner(values: Iterable[Any], named: dict[str, Any], depth: int) -> str:
    parts = [_describe(value, depth - 1) for value in _first(values)]
    return ", ".join(parts + [f"{name}={_describe(value, depth - 1)}" for name, value in _first(named.items())])


def _describe_function(value: Any) -> str:
    inner = value
    for _ in range(10):  # decorators take the name of what they wrap
        if not isinstance(getattr(inner, "__wrapped__", None), types.FunctionType):
            break
        inner = inner.__wrapped__
    code = getattr(inner, "__code__", None)
    place = f" at {code.co_filename}:{code.co_firstlineno}" if code else ""
    if isinstance(code, types.CodeType) and (column := lambda_column(code)):
        place += f":{column}"
    if isinstance(value, types.MethodType):
        return f"bound method {value.__qualname__}{place}"
    wrapped = getattr(value, "__wrapped__", None)
    if isinstance(value, jax_internals.PjitFunction) and wrapped is not None:
        return f"jit of {_describe(wrapped, 1)}"
    return _ADDRESS.sub("", f"{value.__qualname__}{place}")


@functools.lru_cache(maxsize=1024)
def lambda_column(code: types.CodeType) -> int:
    """The first column of a lambda's body, counted from 1, as several can stand on a line; 0 where it is not known."""
    if code.co_name != "<lambda>":
        return 0
    columns = [column for line, _, column, _ in code.co_positions() if line is not None and column]
    return min(columns, default=-1) + 1


def _content(array: Any) -> str:
    """What tells two NumPy arrays of one shape apart; a `jax.Array` may be on a device, where reading it waits."""
    if type(array) is not np.ndarray or array.dtype.kind not in "biufc" or array.nbytes > 1 << 20:
        return ""
    return f" {array.tolist()}" if array.size <= 8 else f" crc {zlib.crc32(array.tobytes()):08x}"


def _describe_structure(treedef: Any, depth: int) -> str:
    data = treedef.node_data()
    if data is None:
        return "*"
    if depth <= 0:
        return "…"
    inner = [_describe_structure(node, depth - 1) for node in _first(treedef.children())]
    if data[0] is dict:
        return "{" + ", ".join(f"{_describe(key, 1)}: {one}" for key, one in zip(data[1], inner, strict=False)) + "}"
    return "None" if data[0] is type(None) else f"{data[0].__qualname__}({', '.join(inner)})"


def _describe_object(value: Any) -> str:
    """The repr, unless it is Python's default, or could print (and so wait for) an array of the object."""
    kind = type(value)
    if _is_inherited(kind, "__repr__") or holds_arrays(value):
        return f"{kind.__qualname__} object"
    return " ".join(_ADDRESS.sub("", repr(value)).split())


def compares_by_identity(value: Any) -> bool:
    """Whether `==` means "the same object" for this value, so that one made anew never equals it."""
    if isinstance(value, (types.MethodType, jax.Array, np.ndarray)):  # a method's object is compared by identity
        return True
    return type(value) not in _PRIMITIVES and _is_inherited(type(value), "__eq__")


def compares_by_value(value: Any) -> bool:
    """Whether the type defines a `==` of its own."""
    return not compares_by_identity(value)


def _is_inherited(kind: type, method: str) -> bool:
    return getattr(kind, method) is getattr(object, method)


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

    A token is forgotten when its value is gone: JAX's cache keeps its own statics alive, so it holds no entry for that
    value either.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Static] = {}
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
        key: Any = (scope, value) if type(value) in _PRIMITIVES else _Reference(value, scope, self._forget)
        known = self._known.get(key)  # no lock: this runs the user's `==`, and the building of a record their `repr`
        if known is None:
            if len(self._known) >= MAX_STATICS:  # endless churn; a value seen before only gets a new token
                self._known.clear()
            built = Static(
                type(value).__qualname__, describe(value), next(self._tokens), compares_by_identity(value),
                self._parts(value, _Budget(), MAX_DEPTH, parts),
            )  # fmt: skip
            known = self._known.setdefault(key, built)
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
        if type(value) in _PRIMITIVES:
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
        self._known.pop(key, None)
        self._part_tokens.pop(key, None)

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
        if mine is None or theirs is None or isinstance(mine, (jax.Array, np.ndarray)):
            return mine is not None and mine is theirs
        return bool(mine is theirs or mine == theirs)


class _Same(_Reference):
    """Compares like `is`, for a part whose own `==` might wait for a device."""

    __slots__ = ()

    def __init__(self, value: Any, forget: Callable[[Any], None]) -> None:
        self._hash, self._scope = id(value), "is"
        try:
            self._value = weakref.ref(value, lambda _: forget(self))
        except TypeError:
            self._value = lambda: None

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _Same) and self._value() is other._value() is not None)

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
    if type(value) in _PRIMITIVES or isinstance(value, np.generic):
        return value
    if isinstance(value, dict):
        return {_part(key, gone): _part(item, gone) for key, item in value.items()}
    for kind in _COLLECTIONS:
        if isinstance(value, kind):
            return kind(_part(item, gone) for item in value)
    return _Reference(value, "", gone)
