"""Static values as text, made without running the user's code where that can be helped."""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import re
import types
import zlib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jitwatch._capture import jax_internals
from jitwatch._capture.keys.static_parts import (
    EXPANSIONS,
    PRIMITIVES,
    PyTreeDef,
    holds_arrays,
    stored_attributes,
)
from jitwatch._errors import pass_interrupt
from jitwatch._words.safe_text import within_library

MAX_TEXT = 120
MAX_FUNCTION_TEXT = 400
_PRIMITIVES = PRIMITIVES
_FUNCTIONS = (types.FunctionType, types.MethodType, jax_internals.PjitFunction)
_ADDRESS = re.compile(r"(?: at)? 0x[0-9a-fA-F]{6,}")


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
        return jax_internals.traced_function(value) or f"{kind.__name__} of {len(value.eqns)} equations"
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
        if not isinstance(getattr(inner, "__wrapped__", None), (types.FunctionType, types.MethodType)):
            break
        inner = inner.__wrapped__
    code = getattr(inner, "__code__", None)
    place = f" at {within_library(code.co_filename)}:{code.co_firstlineno}" if code else ""
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
