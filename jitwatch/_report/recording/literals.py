"""Python source for the parts of a recorded call: a leaf, a pytree of built-in containers, a static value.

Each is None where no source makes the same again. What is recorded is untrusted: only what was parsed as a literal, or
matched in full, gets into the source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from jitwatch._model import Leaf, Static, Tree

_NUMBERS = {"bool": "False", "int": "0", "float": "0.0", "complex": "0j"}
_NUMBER_DTYPE = re.compile(r"(bool|int|float|complex)(32|64|128)?")
_DTYPE = re.compile(r"[a-z][a-z0-9_]*")
_KEY_DTYPES = {"key<fry>": "threefry2x32", "key<rbg>": "rbg", "key<urbg>": "unsafe_rbg"}
_STATIC_TYPES = (bool, int, float, complex, str, bytes, type(None), tuple)
_SHARDED = re.compile(r"\w*Sharding\(")
_ROW_MAJOR = re.compile(r"\{([\d,]*)[:}].*")
_MAX_DEPTH = 30


def shape_source(shape: Sequence[int]) -> str:
    """A shape as a tuple."""
    return repr(tuple(shape))


def leaf_source(leaf: Leaf) -> str | None:
    """What stands for a leaf in a declared call."""
    if leaf.source == "python":
        kind = _NUMBER_DTYPE.fullmatch(leaf.dtype)
        return _NUMBERS[kind[1]] if kind else None
    dtype = _dtype_source(leaf.dtype)
    if dtype is None or leaf.committed or _SHARDED.match(leaf.sharding or "") or not is_usual_layout(leaf.layout):
        return None
    shape = shape_source(leaf.shape)
    if leaf.source == "numpy":
        return f"np.zeros({shape}, {dtype})"
    weak = ", weak_type=True" if leaf.weak_type else ""
    return f"jax.ShapeDtypeStruct({shape}, {dtype}{weak})" if leaf.source == "jax" else None


def is_usual_layout(layout: str | None) -> bool:
    """Whether arrays have this layout unless another one is asked for: the last axis is the innermost."""
    if layout is None:
        return True
    found = _ROW_MAJOR.fullmatch(layout)
    axes = found[1].split(",") if found and found[1] else []
    return found is not None and axes == [str(axis) for axis in reversed(range(len(axes)))]


def _dtype_source(dtype: str) -> str | None:
    if dtype in _KEY_DTYPES:
        return f"jax.random.key(0, impl={_KEY_DTYPES[dtype]!r}).dtype"
    return f'"{dtype}"' if _DTYPE.fullmatch(dtype) and dtype != "float0" else None


def tree_source(tree: Tree, leaves: Sequence[Leaf]) -> str | None:
    """What stands for an argument in a declared call."""
    try:
        return _node_source(tree, iter(leaves), _MAX_DEPTH)
    except (ValueError, SyntaxError, StopIteration, RecursionError, MemoryError):
        return None


def _node_source(node: Tree, leaves: Iterator[Leaf], depth: int) -> str | None:
    if node.kind == "*":
        return leaf_source(next(leaves))
    if node.static is not None or depth == 0:
        return None
    parts = [_node_source(child, leaves, depth - 1) for child in node.children]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if node.kind == "dict":
        keys = [repr(ast.literal_eval(key[1:-1])) for key in node.keys]
        return "{" + ", ".join(f"{key}: {part}" for key, part in zip(keys, known, strict=True)) + "}"
    if node.kind == "tuple":
        return f"({known[0]},)" if len(known) == 1 else f"({', '.join(known)})"
    return {"None": "None", "list": f"[{', '.join(known)}]"}.get(node.kind)


def static_source(static: Static) -> str | None:
    """A static value as a literal of the same type, where its text is all of it."""
    try:
        value = ast.literal_eval(static.text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    whole = type(value).__name__ == static.type and repr(value) == static.text and _is_whole(value, static)
    return repr(value) if whole else None


def _is_whole(value: Any, static: Static) -> bool:
    """Whether no items of a tuple were left out of the text."""
    if type(value) is not tuple:
        return type(value) in _STATIC_TYPES
    parts = dict(static.parts)
    return len(parts) == len(value) and all(
        (part := parts.get(f"[{i}]")) is not None and type(each).__name__ == part.type and _is_whole(each, part)
        for i, each in enumerate(value)
    )
