"""Makes the tokens of static values comparable between processes: pure, from plain data to plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from jitwatch._model import Argument, KeyStats, Snapshot, Static, StaticArgument, Tree

_Rank = tuple[tuple[Any, ...], int]
"""What a value says, and how many values that say the same come before it."""


def same_statics(parts: Sequence[Snapshot]) -> list[Snapshot]:
    """The snapshots of several processes with tokens that mean the same in all of them.

    Values that say the same are paired in the order of their tokens: the first of one process is the first of the
    other. Values that were different stay different.
    """
    ranks = [_static_ranks(part) for part in parts]
    everything = sorted({rank for each in ranks for rank in each.values()})
    tokens = {rank: token for token, rank in enumerate(everything, 1)}
    arguments: dict[Argument, Argument] = {}
    return [
        _Retoken({static: tokens[rank] for static, rank in each.items()}, arguments).snapshot(part)
        for part, each in zip(parts, ranks, strict=True)
    ]


def _static_ranks(snapshot: Snapshot) -> dict[Static, _Rank]:
    """Each static value of a process, by what it says and the how-manieth value it is that says so."""
    found: set[Static] = set()
    visited: set[Tree] = set()
    for function in (*snapshot.functions, *snapshot.others):
        for stats in function.keys:
            _collect_parts((argument.value for argument in stats.key.statics), found)
            for argument in stats.key.arguments:
                _collect(argument.tree, visited, found)
    seen: Counter[tuple[Any, ...]] = Counter()
    ranks = {}
    for says, static in sorted(((_says(one), one) for one in found), key=lambda pair: (pair[1].token, pair[0])):
        ranks[static] = says, seen[says]
        seen[says] += 1
    return ranks


def _says(static: Static) -> tuple[Any, ...]:
    """All of a static value but what means nothing in another process."""
    parts = tuple((path, _says(part)) for path, part in static.parts)
    return static.type, static.text, static.by_identity, parts


def _collect(tree: Tree, visited: set[Tree], found: set[Static]) -> None:
    if tree in visited:
        return
    visited.add(tree)
    if tree.static is not None:
        _collect_parts([tree.static], found)
    for child in tree.children:
        _collect(child, visited, found)


def _collect_parts(statics: Iterable[Static], found: set[Static]) -> None:
    for static in statics:
        if static not in found:
            found.add(static)
            _collect_parts((part for _, part in static.parts), found)


class _Retoken:
    """Replaces the tokens of one process; parts that keys share stay shared.

    Arguments that are equal in several processes become one object, so that comparing keys does not walk their trees.
    """

    def __init__(self, tokens: Mapping[Static, int], shared: dict[Argument, Argument]) -> None:
        self._tokens, self._shared = tokens, shared
        self._trees: dict[Tree, Tree] = {}
        self._arguments: dict[Argument, Argument] = {}

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot with the new tokens."""
        functions, others = (
            tuple(msgspec.structs.replace(one, keys=tuple(map(self._stats, one.keys))) for one in each)
            for each in (snapshot.functions, snapshot.others)
        )
        return msgspec.structs.replace(snapshot, functions=functions, others=others)

    def _stats(self, stats: KeyStats) -> KeyStats:
        key = stats.key
        arguments = tuple(self._argument(argument) for argument in key.arguments)
        statics = tuple(StaticArgument(one.name, one.by_keyword, self._static(one.value)) for one in key.statics)
        return msgspec.structs.replace(stats, key=msgspec.structs.replace(key, arguments=arguments, statics=statics))

    def _argument(self, argument: Argument) -> Argument:
        known = self._arguments.get(argument)
        if known is None:
            known = msgspec.structs.replace(argument, tree=self._tree(argument.tree)) if self._tokens else argument
            known = self._arguments[argument] = self._shared.setdefault(known, known)
        return known

    def _tree(self, tree: Tree) -> Tree:
        known = self._trees.get(tree)
        if known is None:
            static = None if tree.static is None else self._static(tree.static)
            known = Tree(tree.kind, tree.keys, static, tuple(map(self._tree, tree.children)))
            self._trees[tree] = known
        return known

    def _static(self, static: Static) -> Static:
        parts = tuple((path, self._static(part)) for path, part in static.parts)
        return msgspec.structs.replace(static, token=self._tokens[static], parts=parts)
