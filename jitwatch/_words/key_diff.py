"""What two keys differ in, as text side by side. It words differences; why they matter is for later stages to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, TypeVar

from jitwatch._model import Argument, CacheKey, Leaf, Static, StaticArgument, Tree
from jitwatch._words.part_text import (
    differing_leaf_texts,
    differing_node_texts,
    differing_static_texts,
    full_leaf_text,
    node_text,
    static_text,
    transform_text,
)
from jitwatch._words.safe_text import clean

ABSENT = "—"
PATH_LIMIT = 120

V = TypeVar("V")


class Differing(NamedTuple):
    """One place where two keys differ, and what each has there (`ABSENT` for nothing)."""

    where: str
    left: str
    right: str


def differing_lines(left: CacheKey, right: CacheKey) -> list[Differing]:
    """List where two keys differ: leaves by path, statics, defaults, form of call, tree, context, transform.

    Different keys give at least one line and equal keys none; how leaves are cut into chunks is no difference.
    """
    lines = [line for part in _PARTS for line in part(left, right)]
    if not lines and _ordered(left) != _ordered(right):
        lines.append(Differing("order of arguments", _names_text(left), _names_text(right)))
    return lines


def named_leaves(key: CacheKey) -> Iterator[tuple[str, Leaf]]:
    """Give each leaf with its path: the chunks know no paths and the arguments no leaves."""
    paths = chain.from_iterable(argument.paths for argument in key.arguments)
    return zip(paths, chain.from_iterable(key.leaf_chunks), strict=False)


def all_arguments(key: CacheKey) -> tuple[Argument | StaticArgument, ...]:
    """Give traced and static arguments, in that order."""
    return (*key.arguments, *key.statics)


def _leaf_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    yield from _compared(named_leaves(left), named_leaves(right), full_leaf_text, differing_leaf_texts)


def _static_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    yield from _compared(_values(left.statics), _values(right.statics), static_text, differing_static_texts)


def _default_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    lefts, rights = (((name, "left to its default") for name in key.omitted) for key in (left, right))
    yield from _compared(lefts, rights, str, absent="given")


def _form_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    for name, one, other in _paired(_forms(left), _forms(right)):
        if one and other and one != other:
            yield Differing(clean(name, PATH_LIMIT), one, other)


def _tree_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    for name, one, other in _paired(_by_name(left), _by_name(right)):
        if one and other:
            yield from _node_lines(name, one.tree, other.tree)
        elif not (one.paths if one else other and other.paths):
            texts = [node_text(argument.tree) if argument else ABSENT for argument in (one, other)]
            yield Differing(clean(name, PATH_LIMIT), *texts)


def _node_lines(where: str, left: Tree, right: Tree) -> Iterator[Differing]:
    """Compare two trees node by node; a loop, as pytrees can be deeper than Python's stack."""
    pending = [(where, left, right)]
    while pending:
        where, left, right = pending.pop()
        if left == right:
            continue
        if _node(left) != _node(right):
            yield Differing(clean(where, PATH_LIMIT), *differing_node_texts(left, right))
        pairs = list(_paired(children(left), children(right)))
        pending.extend((where + key, one, other) for key, one, other in reversed(pairs) if one and other)


def _context_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    for line in _compared(left.context, right.context, clean, absent="default"):
        yield line._replace(where=f"config {line.where}")


def _transform_lines(left: CacheKey, right: CacheKey) -> Iterator[Differing]:
    if left.transform != right.transform:
        texts = [transform_text(key.transform) or ABSENT for key in (left, right)]
        yield Differing("transform", *texts)


_PARTS = (_leaf_lines, _static_lines, _default_lines, _form_lines, _tree_lines, _context_lines, _transform_lines)


def _compared(
    left: Iterable[tuple[str, V]],
    right: Iterable[tuple[str, V]],
    text: Callable[[V], str],
    both: Callable[[V, V], tuple[str, str]] | None = None,
    *,
    absent: str = ABSENT,
) -> Iterator[Differing]:
    """Pair entries by name and word those that differ; `both` words two that are there on both sides."""
    for name, one, other in _paired(left, right):
        if one == other:
            continue
        if both and one is not None and other is not None:
            texts = both(one, other)
        else:
            texts = absent if one is None else text(one), absent if other is None else text(other)
        yield Differing(clean(name, PATH_LIMIT), *texts)


def _paired(left: Iterable[tuple[str, V]], right: Iterable[tuple[str, V]]) -> Iterator[tuple[str, V | None, V | None]]:
    """Pair entries by name, and the n-th of a repeated name with the n-th: left's order, then what only right has."""
    lefts, rights = _numbered(left), _numbered(right)
    for place, value in lefts.items():
        yield place[0], value, rights.pop(place, None)
    for place, value in rights.items():
        yield place[0], None, value


def _numbered(entries: Iterable[tuple[str, V]]) -> dict[tuple[str, int], V]:
    seen: Counter[str] = Counter()
    numbered = {}
    for name, value in entries:
        numbered[name, seen[name]] = value
        seen[name] += 1
    return numbered


def _by_name(key: CacheKey) -> Iterator[tuple[str, Argument]]:
    return ((argument.name, argument) for argument in key.arguments)


def _values(statics: Iterable[StaticArgument]) -> Iterator[tuple[str, Static]]:
    return ((static.name, static.value) for static in statics)


def _forms(key: CacheKey) -> Iterator[tuple[str, str]]:
    for argument in all_arguments(key):
        yield argument.name, "by keyword" if argument.by_keyword else "positional"


def children(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Give each child of a pytree node with how it is reached from there."""
    for index, child in enumerate(tree.children):
        yield tree.keys[index] if index < len(tree.keys) else f"[{index}]", child


def _node(tree: Tree) -> tuple[object, ...]:
    return tree.kind, tree.keys, tree.static, len(tree.children)


def _ordered(key: CacheKey) -> tuple[object, ...]:
    leaves = tuple(chain.from_iterable(key.leaf_chunks))
    return key.arguments, leaves, key.statics, key.omitted, key.context, key.transform


def _names_text(key: CacheKey) -> str:
    names = (*(one.name for one in all_arguments(key)), *key.omitted, *(name for name, _ in key.context))
    return clean(", ".join(names))
