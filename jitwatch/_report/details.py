"""View model of one function, seen closely: why keys missed, how programs are the same, which sizes churn. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from jitwatch._explain.earlier_programs import Closest
from jitwatch._explain.explain import History, explain
from jitwatch._judge.buckets import Buckets, best_buckets
from jitwatch._model import EQUALITIES, Explanation, Finding, FunctionStats
from jitwatch._record.sums import programs_of
from jitwatch._report.summary import FunctionRow
from jitwatch._words.key_diff import named_leaves

FIRST, UNKNOWN = "first", "unknown"
_MAX_SIZES = 200
_BUCKETS = (1, 2, 4)
_ENOUGH_PADDING = 25.0
"""Percent of padding from which on more buckets are looked at."""


class Programs(msgspec.Struct, frozen=True):
    """Programs of a function that are the same as an earlier one up to one thing."""

    equality: str
    """As in `EQUALITIES`; `first` for the first, `unknown` where it cannot be told."""
    programs: int
    builds: int
    """How often they were compiled or loaded."""
    lost_s: float


class Sizes(msgspec.Struct, frozen=True):
    """The sizes that one axis of an argument took, and what to pad them to."""

    where: str
    axis: int
    calls: tuple[tuple[int, int], ...]
    """Calls by size, the smallest first."""
    buckets: Buckets


class Details(msgspec.Struct, frozen=True):
    """One function, seen closely."""

    findings: tuple[Finding, ...]
    why: dict[int, Explanation]
    """Of the keys that were given a program, by their numbers in the row."""
    programs: tuple[Programs, ...]
    """The first, then the rest, the closest to it before the others."""
    sizes: tuple[Sizes, ...]


def details_of(
    row: FunctionRow, objects: Sequence[FunctionStats], findings: Sequence[Finding], closest: Closest, *,
    max_keys: int, max_sizes: int,
) -> Details:  # fmt: skip
    """Look closely at a row of all its keys.

    Args:
        row: The function; a key that was cut off from it is not compared with.
        objects: Its function objects.
        findings: On it.
        closest: How far each program is the same as an earlier one (`earlier_programs.closest_earlier`).
        max_keys: How many keys to explain, the most costly first.
        max_sizes: Of how many arguments to give the sizes.
    """
    shapes = (where for finding in findings if finding.cause == "shape" for where in finding.where)
    found = (_sizes(row, where) for where in dict.fromkeys(shapes)) if max_sizes else ()
    return Details(
        findings=tuple(findings), why=_why(row, max_keys), programs=_programs(objects, closest),
        sizes=tuple(one for one in found if one is not None)[:max_sizes],
    )  # fmt: skip


def _why(row: FunctionRow, max_keys: int) -> dict[int, Explanation]:
    wanted = {key.number for key in row.keys.shown[:max_keys]}
    history, why = History(), {}
    for key in sorted(row.keys.shown, key=lambda key: key.number):
        if programs_of(key):
            if key.number in wanted:
                why[key.number] = explain(key.key, history)
            history.add(key.number, key.key)
    return why


def _programs(objects: Sequence[FunctionStats], closest: Closest) -> tuple[Programs, ...]:
    builds = sorted(((build, one.id) for one in objects for build in one.builds), key=lambda each: each[0].first)
    groups: dict[str, Programs] = {}
    for build, function in builds:
        equality = closest.get((function, build.first, build.program)) or (UNKNOWN if groups else FIRST)
        known = groups.get(equality, Programs(equality, 0, 0, 0.0))
        groups[equality] = Programs(
            equality, known.programs + 1, known.builds + build.count, known.lost_s + build.lost_s
        )
    return tuple(sorted(groups.values(), key=lambda group: _ORDER.index(group.equality)))


_ORDER = (FIRST, *EQUALITIES, UNKNOWN)


def _sizes(row: FunctionRow, where: str) -> Sizes | None:
    """The sizes of the one axis of an argument that varies; None where that is not one, or they are too many."""
    calls: Counter[tuple[int, ...]] = Counter()
    for key in row.keys.shown:
        if not key.key.transform:
            shape = next((leaf.shape for path, leaf in named_leaves(key.key) if path == where), None)
            if shape is not None:
                calls[shape] += key.hits + key.misses
    if len({len(shape) for shape in calls}) != 1:
        return None
    axes = [axis for axis, sizes in enumerate(zip(*calls, strict=True)) if len(set(sizes)) > 1]
    if len(axes) != 1 or not 3 <= len(calls) <= _MAX_SIZES:
        return None
    sizes = {shape[axes[0]]: max(count, 1) for shape, count in calls.items()}
    return Sizes(where, axes[0], tuple(sorted(sizes.items())), _buckets(sizes))


def _buckets(sizes: Mapping[int, int]) -> Buckets:
    """As few as keep the padding small."""
    tried = best_buckets(sizes, [count for count in _BUCKETS if count < len(sizes)])
    return next((one for one in tried if one.padding_percent <= _ENOUGH_PADDING), tried[-1])
