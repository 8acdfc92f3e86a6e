"""Short text forms of a key's parts: leaf, static value, pytree node, transform. All are safe to print, on one line.

A leaf reads as in JAX, `f32[64,784]`, with its marks behind it: `i32[] weak`, `f32[3] numpy`, `f32[3] committed`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jitwatch._model import Leaf, Static, Tree
from jitwatch._words.safe_text import clean, cut

_SHORT_DTYPES = {"bfloat": "bf", "float": "f", "uint": "u", "int": "i", "complex": "c"}
_SOURCES = {"jax": "jax.Array", "tracer": "traced"}
"""Where a value comes from, as the user knows it."""
_PYTHON_TYPES = ("bool", "int", "float", "complex")
_NUMBERED_DTYPE = re.compile(r"(bfloat|float|uint|int|complex)(\d\w*)")
_STATIC_LIMIT = 60
_NODE_LIMIT = 60
_SHARDING_LIMIT = 120
_SHAPE_LIMIT = 60
_TRANSFORM_LIMIT = 8
_ONE_TRANSFORM_LIMIT = 100


def dtype_text(dtype: str) -> str:
    """Abbreviate a dtype as JAX does: `float32` is `f32`; what has no short form stays (`bool`, `key<fry>`)."""
    match = _NUMBERED_DTYPE.fullmatch(dtype)
    return _SHORT_DTYPES[match[1]] + match[2] if match else clean(dtype, 40)


def leaf_text(leaf: Leaf, *, source: bool = False, placement: bool = False) -> str:
    """Say the aval, `f32[64,784]` or `i32[] weak`; on request also where the value comes from and where it lies."""
    shape = cut(",".join(map(str, leaf.shape)), _SHAPE_LIMIT)
    marks = [f"{dtype_text(leaf.dtype)}[{shape}]"]
    if leaf.weak_type and not (source and leaf.source == "python"):
        marks.append("weak")
    if source:
        marks.append(source_text(leaf))
    if placement:
        marks.append(_placement_text(leaf))
    return " ".join(marks)


def source_text(leaf: Leaf) -> str:
    """Say where a value comes from: `Python int`, which is why it is weakly typed, `numpy`, `jax.Array`."""
    if leaf.source == "python":
        return next((f"Python {name}" for name in _PYTHON_TYPES if leaf.dtype.startswith(name)), "Python value")
    return _SOURCES.get(leaf.source, clean(leaf.source, 20))


def full_leaf_text(leaf: Leaf) -> str:
    """Say all of a leaf but what is ordinary: a `jax.Array` that is committed to no device."""
    return leaf_text(leaf, source=leaf.source != "jax", placement=leaf.committed or leaf.layout is not None)


def differing_leaf_texts(left: Leaf, right: Leaf) -> tuple[str, str]:
    """Say two different leaves, with those marks in which they differ."""
    source = left.source != right.source
    # A NumPy value lies on no device and an uncommitted array on the default one: the source says both.
    placement = _placement(left) != _placement(right) and (not source or left.committed or right.committed)
    texts = [leaf_text(leaf, source=source, placement=placement) for leaf in (left, right)]
    return texts[0], texts[1]


def static_text(static: Static, *, limit: int = _STATIC_LIMIT) -> str:
    """Say a static value by its text."""
    return clean(static.text, limit)


def differing_static_texts(left: Static, right: Static, *, limit: int = _STATIC_LIMIT) -> tuple[str, str]:
    """Say two different static values so that the texts differ too."""
    texts = static_text(left, limit=limit), static_text(right, limit=limit)
    if left.type != right.type:
        return f"{texts[0]} ({clean(left.type, 40)})", f"{texts[1]} ({clean(right.type, 40)})"
    if texts[0] == texts[1] and left.token != right.token:
        return f"{texts[0]} (object {left.token})", f"{texts[1]} (object {right.token})"
    return texts


def node_text(tree: Tree) -> str:
    """Say one pytree node without what lies below its children: `dict of ['b'], ['w']`, `tuple of 2`."""
    if tree.kind == "*":
        return "one leaf"
    text = clean(tree.kind, 40)
    if tree.children:
        text += f" of {_children_text(tree)}"
    if tree.static is not None:
        text += f" with {static_text(tree.static)}"
    return text


def differing_node_texts(left: Tree, right: Tree) -> tuple[str, str]:
    """Say two nodes that differ in kind, children or static part."""
    texts = node_text(left), node_text(right)
    if texts[0] != texts[1] or left.static is None or right.static is None:
        return texts
    return differing_static_texts(left.static, right.static)


def transform_text(transform: Sequence[str]) -> str:
    """Say under what a call ran, outermost first: `grad of vmap[8]`; empty for a plain call."""
    return " of ".join(clean(one, _ONE_TRANSFORM_LIMIT) for one in reversed(transform[-_TRANSFORM_LIMIT:]))


def transform_kinds(transform: Sequence[str]) -> tuple[str, ...]:
    """The transforms without what they were given: `vmap` for `vmap[8]`."""
    return tuple(one.partition("[")[0] for one in transform)


def _placement(leaf: Leaf) -> tuple[bool, str | None, str | None]:
    return leaf.committed, leaf.sharding, leaf.layout


def _placement_text(leaf: Leaf) -> str:
    text = "committed" if leaf.committed else "uncommitted"
    if leaf.sharding is not None:
        text += f" on {clean(leaf.sharding, _SHARDING_LIMIT)}"
    if leaf.layout is not None:
        text += f" layout {clean(leaf.layout, 40)}"
    return text


def _children_text(tree: Tree) -> str:
    # Sequences say how many they are; their keys are known.
    if tree.kind in ("tuple", "list") or len(tree.keys) != len(tree.children):
        return f"{len(tree.children):,}"
    return clean(", ".join(tree.keys[:20]), _NODE_LIMIT)
