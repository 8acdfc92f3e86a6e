"""What static values are made of, by path from each: items, fields, bound arguments, attributes.

Only what an object stores is read; no property and no method of it runs.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

MAX_ITEMS = 200
PRIMITIVES = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
PyTreeDef: Any = type(jax.tree_util.tree_structure(0))
_ARRAYS = (jax.Array, np.ndarray, np.generic, np.dtype)
_WITHOUT_PARTS = (
    *_ARRAYS, *PRIMITIVES, type, enum.Enum, types.ModuleType, types.FunctionType, types.BuiltinFunctionType,
)  # fmt: skip
_OPAQUE_MODULES = ("jax", "jaxlib", "numpy", "threading", "weakref")

Pairs = list[tuple[str, Any]]
EXPANSIONS: dict[str, Callable[[Any], Pairs]] = {}
"""How to take a library's own classes apart, by module and name."""


class Group(NamedTuple):
    """Parts that belong together although no value holds just them: a node of a pytree, a module's attributes."""

    kind: str
    children: Pairs


def children(value: Any) -> Pairs:
    """The parts of a static value, each with its path from the value; none for what has no parts."""
    if isinstance(value, Group):
        return value.children
    if isinstance(value, _WITHOUT_PARTS):
        return []
    if type(value) is PyTreeDef:
        return treedef_group(value).children
    if isinstance(value, functools.partial):
        named = [(f".keywords[{name!r}]", item) for name, item in value.keywords.items()]
        return [(".func", value.func), *((f".args[{i}]", item) for i, item in enumerate(value.args)), *named]
    if isinstance(value, types.MethodType):
        return [(".__self__", value.__self__)]
    if expand := EXPANSIONS.get(f"{type(value).__module__}.{type(value).__qualname__}"):
        return expand(value)
    if isinstance(value, (tuple, list)):
        return [(f".{name}" if name else f"[{i}]", item) for i, (name, item) in enumerate(_named_items(value))]
    if isinstance(value, dict):
        return [(f"[{key!r}]" if type(key) in PRIMITIVES else f"[<key {i}>]", item) for i, (key, item) in
                enumerate(list(value.items())[:MAX_ITEMS])]  # fmt: skip
    if isinstance(value, (set, frozenset)):
        plain = [item for item in value if type(item) in PRIMITIVES]
        return [(f"{{{item!r}}}", item) for item in sorted(plain, key=repr)[:MAX_ITEMS]]
    return _attributes(value)


def _named_items(value: Any) -> list[tuple[str, Any]]:
    items = list(value[:MAX_ITEMS]) if type(value) in (tuple, list) else list(value)[:MAX_ITEMS]
    fields = getattr(type(value), "_fields", ())
    names = fields if isinstance(fields, tuple) and len(fields) == len(items) else [""] * len(items)
    return list(zip(map(str, names), items, strict=True))


def _attributes(value: Any) -> Pairs:
    if type(value).__module__.partition(".")[0] in _OPAQUE_MODULES:
        return []
    stored = stored_attributes(value)
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.compare or _has_default_eq(value)]
        if _has_default_eq(value):
            names += [name for name in stored if name not in names]
        return [(f".{name}", stored[name]) for name in names if name in stored]
    return [(f".{name}", item) for name, item in list(stored.items())[:MAX_ITEMS]]


def stored_attributes(value: Any) -> dict[str, Any]:
    """What an object holds in its `__dict__` and its slots, and the plain defaults of a dataclass's fields."""
    stored: dict[str, Any] = {}
    kind = type(value)
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            default = field.default
            if default is not dataclasses.MISSING and not hasattr(type(default), "__get__"):
                stored[field.name] = default
    for each in kind.__mro__:
        for name, descriptor in vars(each).items():
            if isinstance(descriptor, types.MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
                try:
                    stored[name] = descriptor.__get__(value, kind)
                except AttributeError:
                    continue
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return stored
    return stored | own if isinstance(own, dict) else stored


def holds_arrays(value: Any, depth: int = 4) -> bool:
    """Whether an object, or what it holds nearby, is an array: then its repr or its `==` may wait for a device."""
    if isinstance(value, (jax.Array, np.ndarray)):
        return True
    if depth <= 0 or isinstance(value, _WITHOUT_PARTS) or type(value) is PyTreeDef:
        return False
    if isinstance(value, (tuple, list, set, frozenset)):
        items: Any = value
    elif isinstance(value, dict):
        items = value.values()
    elif isinstance(value, functools.partial):
        items = (*value.args, *value.keywords.values())
    else:
        items = stored_attributes(value).values()
    return any(holds_arrays(item, depth - 1) for item in list(items)[:MAX_ITEMS])


def _has_default_eq(value: Any) -> bool:
    return getattr(type(value), "__eq__") is getattr(object, "__eq__")  # noqa: B009 - mypy takes them for two types


def treedef_group(treedef: Any) -> Group:
    """The inner nodes of a PyTreeDef with their static parts."""
    data = treedef.node_data()
    if data is None:
        return Group("*", [])
    kind, aux = data
    nodes = treedef.children()
    pairs = [(f"<aux>{path}", part) for path, part in (children(aux) or [("", aux)])] if _says_more(kind, aux) else []
    for i, (name, node) in enumerate(zip(child_names(kind, aux, len(nodes)), nodes, strict=True)):
        if node.node_data() is not None:
            pairs.append((name or f"[<child {i}>]", treedef_group(node)))
    return Group(kind.__qualname__, pairs)


def _says_more(kind: type, aux: Any) -> bool:
    return aux is not None and kind is not dict


def child_names(kind: type, aux: Any, count: int) -> list[str]:
    """How the children of a pytree node are reached, as far as the class tells; empty where it does not."""
    if kind is dict:
        return [f"[{key!r}]" if type(key) in PRIMITIVES else "" for key in aux]
    if kind in (list, tuple):
        return [f"[{i}]" for i in range(count)]
    fields = getattr(kind, "_fields", ())
    if not fields and dataclasses.is_dataclass(kind):
        fields = [field.name for field in dataclasses.fields(kind) if not is_static_field(field)]
    return [f".{name}" for name in fields] if len(fields) == count else [""] * count


def is_static_field(field: Any) -> bool:
    """Whether a field of a pytree dataclass is marked as static, as jax, equinox and flax have it."""
    return bool(field.metadata.get("static", False)) or not field.metadata.get("pytree_node", True)
