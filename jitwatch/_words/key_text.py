"""Text forms of a cache key: one line for tables and logs, all lines, and lines for several keys side by side.

A traced argument reads `x f32[64,784]`, passed by keyword `x=f32[64,784]`; a pytree `params {['b'] f32[10]}` or, where
it is big, `params {12 leaves: ['b'] f32[10], …}`; a static argument `n=2`. Transforms stand in front (`vmap: x f32[]`),
a context that is not JAX's default behind (`with jax_enable_x64=True`). Everything is safe to print. The forms of one
leaf are in `_leaf_text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

from jitwatch._model import Argument, CacheKey, Leaf, Static, StaticArgument, Tree
from jitwatch._words.key_diff import (
    ABSENT,
    PATH_LIMIT,
    Differing,
    all_arguments,
    children,
    differing_lines,
    named_leaves,
)
from jitwatch._words.part_text import dtype_text, full_leaf_text, leaf_text, node_text, static_text, transform_text
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import ELLIPSIS, clean, clean_place, cut

__all__ = [
    "ABSENT",
    "Differing",
    "differing_lines",
    "distinct_lines",
    "dtype_text",
    "key_line",
    "key_lines",
    "leaf_text",
]

NO_ARGUMENTS = "no arguments"
_NONE_KINDS = ("None", "NoneType")
_DETAILS = ((4, 60), (2, 60), (1, 60), (0, 60), (0, 24))
"""From much to little: leaves of a pytree that are named, and the length of a static value's text."""
_NAME_LIMIT = 60
_RELATIVE_PATH_LIMIT = 40
_SETTINGS = 4
_DIFFERENCES = 3


def key_line(key: CacheKey, max_width: int) -> str:
    """Say a key on one line of at most `max_width` characters, in less and less detail until it fits."""
    return _fitted(key, max_width)[0]


def key_lines(key: CacheKey) -> list[str]:
    """Say all of a key, one line for each leaf, static value, default and setting."""
    lines = [f"under {transform_text(key.transform)}"] if key.transform else []
    lines += [f"{clean(path, PATH_LIMIT)}: {full_leaf_text(leaf)}" for path, leaf in named_leaves(key)]
    lines += [f"{clean(where, PATH_LIMIT)}: {node_text(node)}" for where, node in _telling_nodes(key)]
    lines += [f"{clean(one.name)}: static {_value_text(one.value)}" for one in key.statics]
    lines += [f"{clean(one.name)}: passed by keyword" for one in all_arguments(key) if one.by_keyword]
    lines += [f"{clean(name)}: left to its default" for name in key.omitted]
    lines += [f"with {clean(name)}={clean(value)}" for name, value in key.context]
    return lines or [NO_ARGUMENTS]


def distinct_lines(keys: Sequence[tuple[int, CacheKey]], max_width: int, *, wrapped_width: int = 0) -> list[str]:
    """Say numbered keys of one function on a line each, so that the lines tell them apart.

    Where a line would read like an earlier one, or would not be whole, it says how the key differs from an earlier one.
    Text that is not whole in `max_width` may take `wrapped_width`, where that is more.
    """
    wrapped_width = max(wrapped_width, max_width)
    seen: dict[str, tuple[int, CacheKey]] = {}
    lines = []
    for number, key in keys:
        line, whole = _fitted(key, max_width)
        if not whole:
            line, whole = _fitted(key, wrapped_width)
        first_number, first = seen.setdefault(line, (number, key)) if whole or not seen else keys[0]
        differing = [] if first is key else differing_lines(first, key)
        lines.append(cut(_as_before(first_number, differing), wrapped_width) if differing else line)
    return lines


def _fitted(key: CacheKey, max_width: int) -> tuple[str, bool]:
    """Give the line of a key, and whether every argument is on it."""
    heads = _heads(key, _DETAILS[0][0])
    traced: list[str] = []
    statics: list[str] = []
    for leaves, static_limit in _DETAILS:
        traced = [_argument_text(argument, head, leaves) for argument, head in heads]
        statics = [_static_argument_text(one, static_limit) for one in key.statics]
        line = _line(key, traced + statics)
        if len(line) <= max_width:
            return line, True
    return _shortened(key, traced, statics, max_width), False


def _heads(key: CacheKey, count: int) -> list[tuple[Argument, list[Leaf]]]:
    leaves = chain.from_iterable(key.leaf_chunks)
    return [(argument, list(islice(leaves, len(argument.paths)))[:count]) for argument in key.arguments]


def _argument_text(argument: Argument, head: Sequence[Leaf], leaves: int) -> str:
    name = clean(argument.name, _NAME_LIMIT)
    is_leaf = argument.tree.kind == "*" and head
    value = leaf_text(head[0]) if is_leaf else _tree_text(argument, head[:leaves])
    return f"{name}{'=' if argument.by_keyword else ' '}{value}"


def _static_argument_text(argument: StaticArgument, limit: int) -> str:
    return f"{clean(argument.name, _NAME_LIMIT)}={static_text(argument.value, limit=limit)}"


def _tree_text(argument: Argument, head: Sequence[Leaf]) -> str:
    count = len(argument.paths)
    if count == 0:
        return "None" if argument.tree.kind in _NONE_KINDS else "{0 leaves}"
    pairs = zip(argument.paths, head, strict=False)
    named = ", ".join(f"{_relative(argument, path)} {leaf_text(leaf)}" for path, leaf in pairs)
    if len(head) == count:
        return f"{{{named}}}"
    leaves = count_text(count, "leaf", "leaves")
    return f"{{{leaves}: {named}, {ELLIPSIS}}}" if named else f"{{{leaves}}}"


def _relative(argument: Argument, path: str) -> str:
    return clean_place(path.removeprefix(argument.name), _RELATIVE_PATH_LIMIT)


def _line(key: CacheKey, parts: Sequence[str]) -> str:
    prefix = f"{transform_text(key.transform)}: " if key.transform else ""
    settings = [f"{clean(name, _NAME_LIMIT)}={clean(value, 40)}" for name, value in key.context[:_SETTINGS]]
    if len(key.context) > _SETTINGS:
        settings.append(f"{ELLIPSIS} {len(key.context) - _SETTINGS} more")
    suffix = f" with {', '.join(settings)}" if settings else ""
    return f"{prefix}{', '.join(parts) or NO_ARGUMENTS}{suffix}"


def _shortened(key: CacheKey, traced: Sequence[str], statics: Sequence[str], max_width: int) -> str:
    """Leave out traced arguments from the end: statics and settings are short and tell keys apart more often."""
    for kept in range(min(len(traced) - 1, max_width // 3), -1, -1):
        line = _line(key, [*traced[:kept], f"{ELLIPSIS} {len(traced) - kept:,} more", *statics])
        if len(line) <= max_width:
            return line
    return cut(_line(key, [*traced[:max_width], *statics]), max_width)


def _telling_nodes(key: CacheKey) -> Iterator[tuple[str, Tree]]:
    """Give the nodes of which the leaves' lines tell nothing: those with a static part, and those without children."""
    pending = [(argument.name, argument.tree) for argument in reversed(key.arguments)]
    while pending:
        where, node = pending.pop()
        if node.static is not None or (not node.children and node.kind != "*"):
            yield where, node
        pending.extend((where + name, child) for name, child in reversed(list(children(node))))


def _value_text(value: Static) -> str:
    compared = ", compared by identity" if value.by_identity else ""
    return f"{static_text(value, limit=400)} ({clean(value.type, 80)}{compared})"


def _as_before(number: int, differing: Sequence[Differing]) -> str:
    changes = [f"{change.where}: {change.right}" for change in differing[:_DIFFERENCES]]
    if len(differing) > _DIFFERENCES:
        changes.append(f"{ELLIPSIS} {len(differing) - _DIFFERENCES:,} more")
    return f"as key {number}, but {', '.join(changes)}"
