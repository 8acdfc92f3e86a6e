"""What each function compiled, and why, under a name that holds across recordings. Pure.

A function is told by its qualified name and the file of its definition, without the line: several function objects
and records of one name in one file are added up.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from jitwatch._judge.judge import explanations
from jitwatch._model import Change, Explanation, FunctionStats, KeyStats
from jitwatch._record.sums import lost_s, program_count
from jitwatch._words.safe_text import clean

FIRST = "first"
"""The first program of a function."""
REPEAT = "repeat"
"""A key that had a program is compiled again."""
BACKWARD = "backward"
"""JAX compiled for the function outside a call, such as the backward pass of an eager `grad`."""
UNKNOWN = "unknown"
"""The key is not known: beyond the bound on keys, or JAX did not say."""


class FunctionName(NamedTuple):
    """What tells a function from others in every recording of a project; safe text."""

    name: str
    file: str
    """Empty where Python does not know the definition."""


class Program(msgspec.Struct, frozen=True):
    """One program of a function, or several for one reason."""

    causes: tuple[str, ...]
    """As in explanations, or one of `first`, `repeat`, `backward`, `unknown`."""
    changes: tuple[Change, ...]
    """To the nearest earlier key."""
    more_changes: int
    call_site: str
    count: int


class Compiled(msgspec.Struct, frozen=True):
    """All that one function compiled in one recording."""

    function: FunctionName
    ids: tuple[int, ...]
    """Of the function objects in the snapshot."""
    compiles: int
    """Programs: XLA compilations, and what was loaded or reused in their place."""
    processes: int
    """In how many the function was used; each of them compiles it once by right."""
    lost_s: float
    programs: tuple[Program, ...]
    """In order of time."""


class DatedProgram(NamedTuple):
    """A program, and when it was compiled; infinite where that is not known."""

    unix_s: float
    program: Program


def compiled_functions(
    functions: Iterable[FunctionStats], file_name: Callable[[str], str]
) -> dict[FunctionName, Compiled]:
    """What functions compiled, by name.

    Args:
        functions: Those of one snapshot, in order of time.
        file_name: Makes the stable name of the file of a `file:line`.
    """
    groups: dict[FunctionName, list[FunctionStats]] = {}
    for function in functions:
        name = clean(function.qualname or function.name)
        groups.setdefault(FunctionName(name, file_name(function.defined_at)), []).append(function)
    return {name: _compiled(name, objects) for name, objects in groups.items()}


def file_of(place: str) -> str:
    """A place, `file:line`, without its line."""
    path, _, line = place.rpartition(":")
    return path if line.isdigit() else place


def count_causes(programs: Iterable[Program]) -> Counter[str]:
    """How many programs each cause has; one with two causes counts for both."""
    counts: Counter[str] = Counter()
    for program in programs:
        for cause in program.causes:
            counts[cause] += program.count
    return counts


def _compiled(name: FunctionName, objects: Sequence[FunctionStats]) -> Compiled:
    dated = sorted(programs_made(objects), key=lambda one: one.unix_s)
    return Compiled(
        function=name, ids=tuple(one.id for one in objects),
        compiles=sum(program_count(one.stages) for one in objects),
        processes=max(1, *(one.processes for one in objects)),
        lost_s=math.fsum(lost_s(one.stages) for one in objects),
        programs=tuple(one.program for one in dated),
    )  # fmt: skip


def programs_made(objects: Sequence[FunctionStats]) -> Iterator[DatedProgram]:
    """All programs of the function objects of one definition, from their totals."""
    definitions = set[str]()
    for function in objects:
        # A later object of one definition starts with empty caches: its first program is no first one.
        first = "function_identity" if function.defined_at in definitions else FIRST
        found = list(_keyed_programs(function, first))
        if found and function.defined_at:
            definitions.add(function.defined_at)
        yield from found
        yield from _unkeyed_programs(function, sum(one.program.count for one in found))


def _keyed_programs(function: FunctionStats, first: str) -> Iterator[DatedProgram]:
    why = explanations(function)
    for key in function.keys:
        count = program_count(key.stages)
        once = min(count, max(function.processes, 1))
        if once:
            yield DatedProgram(key.first_unix_s, _explained(key, why[key.number], once, first))
        if count > once:
            again = Program((REPEAT,), (), 0, _call_site(key), count - once)
            yield DatedProgram(key.last_miss_unix_s, again)


def _unkeyed_programs(function: FunctionStats, keyed: int) -> Iterator[DatedProgram]:
    rest = max(program_count(function.stages) - keyed, 0)
    backward = min(program_count(function.backward), rest)
    for cause, count in ((BACKWARD, backward), (UNKNOWN, rest - backward)):
        if count:
            yield DatedProgram(math.inf, Program((cause,), (), 0, "", count))


def _explained(key: KeyStats, explanation: Explanation, count: int, first: str) -> Program:
    causes = tuple(dict.fromkeys(change.cause for change in explanation.changes)) or (first,)
    return Program(causes, explanation.changes, explanation.more, _call_site(key), count)


def _call_site(key: KeyStats) -> str:
    return key.call_sites[0].place if key.call_sites else ""
