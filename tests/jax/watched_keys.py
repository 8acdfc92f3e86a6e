"""The keys of watched functions, for tests of what libraries wrap."""

from __future__ import annotations

from collections.abc import Callable

from jitwatch._explain.explain import changes
from jitwatch._model import CacheKey, FunctionStats, Static, Tree

Watching = Callable[[str], FunctionStats]


def keys_of(stats: FunctionStats) -> list[CacheKey]:
    return [each.key for each in stats.keys]


def paths(key: CacheKey) -> list[str]:
    return [path for argument in key.arguments for path in argument.paths]


def statics(key: CacheKey) -> dict[str, str]:
    """Every static value of a key with its path: static arguments, static nodes of trees, and their parts."""
    found: dict[str, str] = {one.name: one.value.text for one in key.statics}

    def of_static(static: Static, path: str) -> None:
        for name, part in static.parts:
            found[path + name] = part.text
            of_static(part, path + name)

    def of_tree(tree: Tree, path: str) -> None:
        if tree.static is not None:
            if tree.kind == "static":
                found[path] = tree.static.text
            of_static(tree.static, path)
        for name, child in zip(tree.keys, tree.children, strict=True):
            of_tree(child, path + name)

    for one in key.statics:
        of_static(one.value, one.name)
    for argument in key.arguments:
        of_tree(argument.tree, argument.name)
    return found


def change(before: CacheKey, after: CacheKey) -> list[tuple[str, str]]:
    return [(one.cause, one.where) for one in changes(before, after)]


def same_leaf_count(key: CacheKey) -> bool:
    return len(paths(key)) == sum(len(chunk) for chunk in key.leaf_chunks)
