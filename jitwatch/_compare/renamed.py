"""Tells functions that were renamed, or moved to another file, between two recordings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from jitwatch._judge.compiled import Compiled, FunctionName
from jitwatch._model import Snapshot

_OF_ONE_PROCESS = "~"
"""What the id of a program with host callbacks ends with: it means nothing elsewhere."""

Fingerprints = Mapping[FunctionName, frozenset[str]]


def fingerprints(functions: Mapping[FunctionName, Compiled], snapshot: Snapshot) -> Fingerprints:
    """What tells the programs of each function: their ids, and their texts without names where those are known."""
    texts = {one.id: one.steps[0] for one in snapshot.programs if one.steps and one.comparable}
    builds = {one.id: [build.program for build in one.builds] for one in snapshot.functions}
    found = {}
    for name, compiled in functions.items():
        ids = {each for number in compiled.ids for each in builds.get(number, ()) if each}
        told = {each for each in ids if not each.endswith(_OF_ONE_PROCESS)} | {texts[each] for each in ids & set(texts)}
        found[name] = frozenset(told)
    return found


def renamed(
    gone: Iterable[FunctionName], new: Iterable[FunctionName], before: Fingerprints, after: Fingerprints
) -> dict[FunctionName, FunctionName]:
    """Of functions in one recording only, those with programs in common, the earlier name to the later one.

    Each has the most in common with the other; where several could be meant, none is.
    """
    by_program: dict[str, list[FunctionName]] = {}
    for name in new:
        for program in after.get(name, ()):
            by_program.setdefault(program, []).append(name)
    later: dict[FunctionName, Counter[FunctionName]] = {}
    earlier: dict[FunctionName, Counter[FunctionName]] = {}
    for name in gone:
        for program in before.get(name, ()):
            for other in by_program.get(program, ()):
                later.setdefault(name, Counter())[other] += 1
                earlier.setdefault(other, Counter())[name] += 1
    best = {name: _only_best(counts) for name, counts in later.items()}
    return {
        name: other for name, other in best.items() if other is not None and _only_best(earlier[other]) == name
    }  # fmt: skip


def _only_best(counts: Counter[FunctionName]) -> FunctionName | None:
    """The name with the most programs in common, unless another has as many."""
    (name, number), *others = counts.most_common(2)
    return None if others and others[0][1] == number else name


def same_name_elsewhere(
    listed: Iterable[FunctionName], recorded: Iterable[FunctionName]
) -> dict[FunctionName, FunctionName]:
    """Of names on one side only, those that are in one other file on the other side: the recorded to the listed one.

    Not of lambdas, whose name says nothing.
    """
    left, right = _by_name(listed), _by_name(recorded)
    return {
        names[0]: left[name][0] for name, names in right.items() if len(names) == 1 and len(left.get(name, ())) == 1
    }


def _by_name(names: Iterable[FunctionName]) -> dict[str, list[FunctionName]]:
    found: dict[str, list[FunctionName]] = {}
    for name in names:
        if not name.name.endswith("<lambda>"):
            found.setdefault(name.name, []).append(name)
    return found
