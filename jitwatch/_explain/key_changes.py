"""Every typed difference of two cache keys: the first half of explain. Pure: no JAX, no I/O.

`where` is in the user's words: `batch['x']` for a leaf or a node of a pytree, `static n`, `config jax_enable_x64`, the
parameter's name for the form of a call.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from jitwatch._explain.part_changes import ABSENT, leaf_causes, leaf_texts, static_changes
from jitwatch._model import Argument, CacheKey, Change, Leaf, StaticArgument, Tree
from jitwatch._words.part_text import (
    differing_node_texts,
    leaf_text,
    node_text,
    static_text,
    transform_kinds,
    transform_text,
)
from jitwatch._words.safe_text import clean

CAUSES = (
    "transform", "config_context", "arg_kind", "tree_structure", "static_value", "static_identity", "key_impl",
    "dtype", "weak_type", "shape", "sharding", "committed", "layout", "other",
)  # fmt: skip
"""Causes that two keys can tell, in the order in which changes are listed: what brings others with it first."""
_TRANSFORM_LIMIT = 120
_MAX_NAMED = 4
_RANK = {cause: rank for rank, cause in enumerate(CAUSES)}


class _Passed(NamedTuple):
    """All that a key says of one parameter."""

    traced: Sequence[tuple[Argument, Sequence[Leaf]]]
    statics: Sequence[StaticArgument]
    omitted: bool


class _Subtree(NamedTuple):
    """A node of a pytree with the leaves below it, and their paths."""

    where: str
    tree: Tree
    leaves: Sequence[Leaf]
    paths: Sequence[str]


def changes(before: CacheKey, after: CacheKey) -> tuple[Change, ...]:
    """Say in what two keys of one function differ: all differences, by cause, shortest paths first.

    Equal keys give none, different ones at least one; how leaves are cut into chunks is no difference. Where something
    else differs, changes that need no new trace (cause `other`) are left out.
    """
    return first_changes(before, after, None)[0]


def first_changes(before: CacheKey, after: CacheKey, limit: int | None) -> tuple[tuple[Change, ...], int]:
    """Say the first so many changes, and how many there are in all; the others cost no text."""
    found = [change for part in _PARTS for change in part(before, after)]
    found = [change for change in found if change.cause != "other"] or found
    if not found and _ordered(before) != _ordered(after):
        found = [Change("other", "order of arguments", _order_text(before), _order_text(after))]
    found.sort(key=lambda change: (_RANK[change.cause], len(change.where)))
    return tuple(one if isinstance(one, Change) else one.change() for one in found[:limit]), len(found)


class _LeafChange(NamedTuple):
    """A change of a leaf, to be worded."""

    cause: str
    where: str
    before: Leaf
    after: Leaf

    def change(self) -> Change:
        return Change(self.cause, self.where, *leaf_texts(self.cause, self.before, self.after))


def transform_changes(before: CacheKey, after: CacheKey) -> Iterator[Change]:
    """Say the transforms that two calls ran under, if they differ; of the same ones, the sizes that `vmap` maps."""
    if transform_kinds(before.transform) != transform_kinds(after.transform):
        yield Change("transform", "transform", _under(before), _under(after))
        return
    kinds = transform_kinds(before.transform)
    for place, (one, other) in enumerate(zip(before.transform, after.transform, strict=True)):
        if one != other:
            size, rest = _mapped(one)
            other_size, other_rest = _mapped(other)
            sizes = size.isdecimal() and other_size.isdecimal() and rest == other_rest
            cause = "shape" if sizes else "transform"
            outside = kinds[place + 1 :].count(kinds[place])
            where = f"{kinds[place]} #{outside + 1}" if kinds.count(kinds[place]) > 1 else kinds[place]
            named = _traced_names(after) if cause == "shape" and len(kinds) == 1 else ()
            for name in named or (where,):
                yield Change(cause, clean(name), clean(one, _TRANSFORM_LIMIT), clean(other, _TRANSFORM_LIMIT))


def _traced_names(key: CacheKey) -> tuple[str, ...]:
    """The arguments that a transform passes on, which are those that it maps; some of them, if they are many."""
    leaves = chain.from_iterable(key.leaf_chunks)
    traced = (
        one.name for one in key.arguments if any([leaf.source == "tracer" for leaf in islice(leaves, len(one.paths))])
    )
    return tuple(traced)[:_MAX_NAMED]


def _mapped(transform: str) -> tuple[str, str]:
    """The mapped size of a `vmap`, and all else: that is another program for other reasons."""
    size, comma, rest = transform.partition("[")[2].rstrip("]").partition(", ")
    return size, comma + rest


def _context_changes(before: CacheKey, after: CacheKey) -> Iterator[Change]:
    lefts, rights = dict(before.context), dict(after.context)
    for name in dict.fromkeys((*lefts, *rights)):
        one, other = lefts.get(name), rights.get(name)
        if one != other:
            texts = ["default" if value is None else clean(value, 120) for value in (one, other)]
            yield Change("config_context", f"config {clean(name)}", texts[0], texts[1])


def _argument_changes(before: CacheKey, after: CacheKey) -> Iterator[_Found]:
    if before.arguments == after.arguments:  # the usual case, and a thousand leaves are many
        yield from _same_arguments(before, after)
        traced: tuple[Iterable[Argument], Iterable[Argument]] = ((), ())
    else:
        traced = before.arguments, after.arguments
    lefts, rights = _passed(before, traced[0]), _passed(after, traced[1])
    for name in dict.fromkeys((*lefts, *rights)):
        yield from _parameter_changes(name, lefts.get(name, _NOT_PASSED), rights.get(name, _NOT_PASSED))


def _same_arguments(before: CacheKey, after: CacheKey) -> Iterator[_LeafChange]:
    lefts, rights = _all_leaves(before), _all_leaves(after)
    paths = chain.from_iterable(argument.paths for argument in before.arguments)
    yield from _leaf_changes(paths, lefts, rights)


def _leaf_changes(paths: Iterable[str], before: Iterable[Leaf], after: Iterable[Leaf]) -> Iterator[_LeafChange]:
    for path, one, other in zip(paths, before, after, strict=False):
        if one is not other and one != other:
            where = clean(path)
            for cause in leaf_causes(where, one, other):
                yield _LeafChange(cause, where, one, other)


_Found = Change | _LeafChange
_NOTHING = ("None", ABSENT)
_NOT_PASSED = _Passed((), (), omitted=False)


def _passed(key: CacheKey, arguments: Iterable[Argument]) -> dict[str, _Passed]:
    traced: defaultdict[str, list[tuple[Argument, Sequence[Leaf]]]] = defaultdict(list)
    statics: defaultdict[str, list[StaticArgument]] = defaultdict(list)
    leaves = _all_leaves(key) if arguments else []
    start = 0
    for argument in arguments:
        traced[argument.name].append((argument, leaves[start : start + len(argument.paths)]))
        start += len(argument.paths)
    for one in key.statics:
        statics[one.name].append(one)
    names = dict.fromkeys((*traced, *statics, *key.omitted))
    return {name: _Passed(traced[name], statics[name], name in key.omitted) for name in names}


def _parameter_changes(name: str, before: _Passed, after: _Passed) -> Iterator[_Found]:
    """Compare what is passed for one parameter; a name can stand twice in the key of a call that JAX refuses."""
    traced = list(zip(before.traced, after.traced, strict=False))
    statics = list(zip(before.statics, after.statics, strict=False))
    yield from _presence_changes(name, _rest(before, traced, statics), _rest(after, traced, statics))
    for (one, one_leaves), (other, other_leaves) in traced:
        yield from _form_changes(one, other)
        left = _Subtree(name, one.tree, one_leaves, one.paths)
        yield from _tree_changes(left, _Subtree(name, other.tree, other_leaves, other.paths))
    for before_static, after_static in statics:
        yield from _form_changes(before_static, after_static)
        yield from static_changes(f"static {clean(name)}", before_static.value, after_static.value)


def _rest(passed: _Passed, traced: Sequence[object], statics: Sequence[object]) -> _Passed:
    return _Passed(passed.traced[len(traced) :], passed.statics[len(statics) :], passed.omitted)


def _presence_changes(name: str, before: _Passed, after: _Passed) -> Iterator[Change]:
    """Say an argument that only one call passed: in place of a default, or one more of `*args` and `**kwargs`."""
    if any(before[:2]) or any(after[:2]) or before.omitted != after.omitted:
        is_default = before.omitted or after.omitted
        is_traced = bool(before.traced or after.traced) and not (before.statics or after.statics)
        cause = "tree_structure" if is_traced and not is_default else "arg_kind"
        yield Change(cause, clean(name), _passed_text(before), _passed_text(after))


def _passed_text(passed: _Passed) -> str:
    texts = [f"{_form(one)}, {_subtree_text(one.tree, leaves)}" for one, leaves in passed.traced]
    texts += [f"{_form(one)}, static {static_text(one.value)}" for one in passed.statics]
    if passed.omitted:
        texts.append("left to its default")
    return clean(" and ".join(texts) or ABSENT)


def _form_changes(before: Argument | StaticArgument, after: Argument | StaticArgument) -> Iterator[Change]:
    if before.by_keyword != after.by_keyword:
        yield Change("arg_kind", clean(before.name), _form(before), _form(after))


def _form(argument: Argument | StaticArgument) -> str:
    return "by keyword" if argument.by_keyword else "positional"


def _tree_changes(before: _Subtree, after: _Subtree) -> Iterator[_Found]:
    """Compare two pytrees down to the smallest subtrees that differ; in a loop, as pytrees can be very deep."""
    pairs = _differing_nodes(before, after)
    if pairs is not None:
        yield from _leaf_changes(after.paths, before.leaves, after.leaves)
        for where, one, other in pairs:
            yield from _node_static_changes(where, one, other)
        return
    structure: list[Change] = []
    rest: list[_Found] = []
    pending = [(before, after)]
    while pending:
        left, right = pending.pop()
        if left.tree == right.tree:
            rest += _leaf_changes(right.paths, left.leaves, right.leaves)
        elif not _is_same_node(left.tree, right.tree):
            structure.append(_node_change(left, right))
        else:
            rest += _node_static_changes(left.where, left.tree, right.tree)
            lefts, rights = dict(_children(left)), dict(_children(right))
            for step in dict.fromkeys((*lefts, *rights)):
                one_child, other_child = lefts.get(step), rights.get(step)
                if one_child is not None and other_child is not None:
                    pending.append((one_child, other_child))
                else:
                    texts = [_subtree_text(child.tree, child.leaves) if child else ABSENT
                             for child in (one_child, other_child)]  # fmt: skip
                    structure.append(Change("tree_structure", clean(left.where + step[0]), texts[0], texts[1]))
    yield from _merged(structure, rest)


def _merged(structure: list[Change], rest: list[_Found]) -> Iterator[_Found]:
    """A static field that became an array is one change, though node and child both tell of it."""
    statics = {change.where: change for change in rest if isinstance(change, Change)}
    for change in structure:
        static = statics.pop(change.where, None)
        if static is None:
            yield change
        else:
            texts = [f"static {value}" if node in _NOTHING and value not in _NOTHING else node
                     for node, value in ((change.before, static.before), (change.after, static.after))]  # fmt: skip
            yield Change(change.cause, change.where, texts[0], texts[1])
    yield from (change for change in rest if not isinstance(change, Change) or change.where in statics)


def _is_same_node(left: Tree, right: Tree) -> bool:
    """Whether two nodes differ at most in their static part, in which keys they have, and below."""
    if left.kind != right.kind or left.kind == "*":
        return False
    if left.keys == right.keys and len(left.children) == len(right.children):
        return True
    by_key = left.kind not in ("list", "tuple") and _has_clear_keys(left) and _has_clear_keys(right)
    # The same keys in another order are another structure, which no single key shows.
    return by_key and [key for key in left.keys if key in right.keys] == [key for key in right.keys if key in left.keys]


def _has_clear_keys(tree: Tree) -> bool:
    return len(set(tree.keys)) == len(tree.keys) == len(tree.children)


def _differing_nodes(before: _Subtree, after: _Subtree) -> list[tuple[str, Tree, Tree]] | None:
    """The nodes that differ, themselves or below, if they differ in static parts only, so that leaves stand in the same
    places; else None."""
    found = []
    pending = [(before.where, before.tree, after.tree)]
    while pending:
        where, left, right = pending.pop()
        if left == right:
            continue
        if left.kind != right.kind or left.keys != right.keys or len(left.children) != len(right.children):
            return None
        found.append((where, left, right))
        for index, (one, other) in enumerate(zip(left.children, right.children, strict=True)):
            if one is not other:
                pending.append((where + _step(left, index), one, other))
    return found


def _step(tree: Tree, index: int) -> str:
    return tree.keys[index] if index < len(tree.keys) else f"[{index}]"


def _node_static_changes(where: str, left: Tree, right: Tree) -> list[Change]:
    one, other = left.static, right.static
    if one is not None and other is not None:
        return static_changes(clean(where), one, other)
    if one is other:
        return []
    texts = [ABSENT if static is None else static_text(static) for static in (one, other)]
    return [Change("static_value", clean(where), texts[0], texts[1])]


def _node_change(left: _Subtree, right: _Subtree) -> Change:
    if "*" in (left.tree.kind, right.tree.kind):
        texts = _subtree_text(left.tree, left.leaves), _subtree_text(right.tree, right.leaves)
    else:
        texts = differing_node_texts(left.tree, right.tree)
    return Change("tree_structure", clean(left.where), *texts)


def _subtree_text(tree: Tree, leaves: Sequence[Leaf]) -> str:
    return leaf_text(leaves[0]) if tree.kind == "*" and leaves else node_text(tree)


def _children(subtree: _Subtree) -> Iterator[tuple[tuple[str, int], _Subtree]]:
    """Each child by its key, and by how often that key stood before."""
    seen: Counter[str] = Counter()
    start = 0
    for index, child in enumerate(subtree.tree.children):
        step = _step(subtree.tree, index)
        stop = start + _leaf_count(child)
        below = _Subtree(subtree.where + step, child, subtree.leaves[start:stop], subtree.paths[start:stop])
        yield (step, seen[step]), below
        seen[step] += 1
        start = stop


def _leaf_count(tree: Tree) -> int:
    count = 0
    pending = [tree]
    while pending:
        node = pending.pop()
        count += node.kind == "*"
        pending.extend(node.children)
    return count


def _all_leaves(key: CacheKey) -> list[Leaf]:
    return list(chain.from_iterable(key.leaf_chunks))


def _under(key: CacheKey) -> str:
    return transform_text(key.transform) or "none"


def _ordered(key: CacheKey) -> tuple[object, ...]:
    return key.arguments, _all_leaves(key), key.statics, key.omitted, key.context, key.transform


def _order_text(key: CacheKey) -> str:
    arguments = (*(one.name for one in key.arguments), *(one.name for one in key.statics))
    return clean(", ".join((*arguments, *key.omitted, *(name for name, _ in key.context))))


_PARTS = (transform_changes, _context_changes, _argument_changes)
