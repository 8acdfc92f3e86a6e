"""Pytree structures in readable form: nodes with their static parts, and each leaf's path as the user writes it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import jax

from jitwatch import _state
from jitwatch._capture import jax_internals
from jitwatch._capture.keys import libraries, static_parts
from jitwatch._capture.keys.static_parts import PRIMITIVES
from jitwatch._capture.keys.static_table import StaticTable
from jitwatch._model import Static, Tree

T = TypeVar("T")
LEAF = Tree("*")
MAX_INTERNED = 200_000


class _Shared:
    """What trees and keys have in common."""

    def __init__(self) -> None:
        self.parts: dict[Any, Any] = {}
        self.safe_trees: dict[Any, TreeInfo] = {}
        """Of treedefs whose static parts are all names and numbers, so that they keep no object of the user's."""
        self.kind_names: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()
        self.kinds_named: dict[str, int] = {}


def statics() -> StaticTable:
    """The table of static values of the state in force."""
    return _state.part(StaticTable)


def interned(value: T) -> T:
    """The first object equal to `value`, so that keys share their equal parts."""
    parts = _state.part(_Shared).parts
    if len(parts) >= MAX_INTERNED:  # endless churn; only sharing is lost
        parts.clear()
    known: T = parts.setdefault(value, value)
    return known


class TreeInfo(NamedTuple):
    """A treedef in readable form."""

    tree: Tree
    paths: tuple[str, ...]
    """Relative to the argument."""
    prng_leaves: dict[int, str]
    """Index of each leaf that is a typed PRNG key, with its dtype."""


def tree_of(treedef: Any, value: Any) -> TreeInfo:
    """The readable form of the treedef of `value`."""
    trees = _state.part(_Shared).safe_trees
    known = trees.get(treedef)
    if known is None:
        known, safe = read_tree(treedef, value)
        if safe and len(trees) < MAX_INTERNED:
            trees[jax_internals.lone_treedef(treedef)] = known
    return known


def is_kept(treedef: Any) -> bool:
    """Whether the readable form of a treedef is kept, since that keeps no object of the user's."""
    return treedef in _state.part(_Shared).safe_trees


def read_tree(treedef: Any, value: Any) -> tuple[TreeInfo, bool]:
    """A treedef in readable form, and whether it may be kept as a dict key."""
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(value)[0]]
    prng: dict[int, str] = {}
    safe = True
    renamed = False
    position = 0

    def read(node: Any, depth: int) -> Tree:
        nonlocal position, renamed, safe
        data = node.node_data()
        if data is None:
            position += 1
            return LEAF
        kind, aux = data
        if kind is jax_internals.PRNGKeyArray:
            prng[position] = f"key<{jax_internals.prng_name(aux)}>"
            position += node.num_leaves
            return LEAF
        if kind is type(None):
            return interned(Tree("None"))
        keys: list[str] = []
        children: list[Tree] = []
        nodes = node.children()
        for i, child in enumerate(nodes):
            path = paths[position] if position < len(paths) else ()
            keys.append(_child_key(kind, aux, i, len(nodes), path, depth, child))
            children.append(read(child, depth + 1))
        static, plain = _node_static(kind, aux, keys)
        safe = safe and plain
        tree = Tree(_kind_name(kind), tuple(keys), static, tuple(children))
        if kind in (dict, list, tuple):
            return interned(tree)
        shown = libraries.renamed(kind, aux, tree, node)
        renamed = renamed or shown is not tree
        return interned(shown)

    tree = read(treedef, 0)
    texts = _leaf_paths(tree) if renamed else (jax.tree_util.keystr(path) for path in paths)
    return TreeInfo(tree, interned(tuple(texts)), prng), safe


def _leaf_paths(tree: Tree, path: str = "") -> Iterator[str]:
    if tree.kind == "*":
        yield path
    for key, child in zip(tree.keys, tree.children, strict=True):
        yield from _leaf_paths(child, path + key)


def _kind_name(kind: type) -> str:
    """The class of a node; `Name#2` for a second class of the same name, which JAX takes for another structure."""
    shared = _state.part(_Shared)
    name = shared.kind_names.get(kind)
    if name is None:
        number = shared.kinds_named[kind.__qualname__] = shared.kinds_named.get(kind.__qualname__, 0) + 1
        name = shared.kind_names[kind] = kind.__qualname__ if number == 1 else f"{kind.__qualname__}#{number}"
    return name


def _node_static(kind: type, aux: Any, keys: list[str]) -> tuple[Static | None, bool]:
    """The static part of one node, and whether it is made of names and numbers only."""
    if aux is None and hasattr(kind, "_fields"):
        return None, _is_lasting(kind)
    if kind in (dict, list, tuple):
        if kind is not dict or all(type(key) in PRIMITIVES for key in aux):
            return None, True
        return statics().part(tuple(aux), "dict"), False
    if aux is None:
        return None, True
    return statics().part(aux, _kind_name(kind), lambda: libraries.aux_parts(kind, aux, keys)), False


def _is_lasting(kind: type) -> bool:
    """Whether a class of named tuples is that of a module; one that a function made must not live on in our table."""
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


def _child_key(kind: type, aux: Any, i: int, count: int, path: Any, depth: int, child: Any) -> str:
    """How the user reaches child `i` of a node; `path` is that of the child's first leaf."""
    if kind is dict:
        return f"[{aux[i]!r}]" if type(aux[i]) in PRIMITIVES else f"[{statics().part(aux[i], 'dict key').text}]"
    if kind in (list, tuple):
        return f"[{i}]"
    if hasattr(kind, "_fields"):
        return f".{kind._fields[i]}"
    if child.num_leaves and depth < len(path):
        return str(jax.tree_util.keystr((path[depth],)))
    names = static_parts.child_names(kind, aux, count)
    return names[i] or f"[<child {i}>]"
