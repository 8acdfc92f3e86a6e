"""The one view model: from a snapshot to the rows that every renderer shows.

Adds, sorts, groups and cuts; it words nothing, lays out nothing and computes no fact that the snapshot does not hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from jitwatch._model import CacheKey, CallSite, Finding, FunctionStats, KeyStats, Miss, Snapshot, Stages
from jitwatch._policy.verdict import verdict
from jitwatch._record.kinds import recompiles
from jitwatch._record.sums import add_stages, any_ran, lost_s, program_count, sum_counts, was_used
from jitwatch._report.sorting import ordered

T = TypeVar("T")


class Cut(msgspec.Struct, Generic[T], frozen=True):
    """The head of a list, and how many entries follow it."""

    shown: tuple[T, ...]
    more: int


class KeyRow(msgspec.Struct, frozen=True):
    """One key of a row's function objects, and what happened with it."""

    number: int
    """Of the key within its function; for several objects counted anew, in order of first appearance."""
    key: CacheKey
    objects: int
    """Function objects that met this key."""
    hits: int
    misses: int
    dispatch_only: int
    nested: int
    failures: int
    stages: Stages
    lost_s: float
    slow_path: bool
    executable: int | None
    """None where it is not known, and in a row of several objects: each numbers its own."""
    call_sites: tuple[CallSite, ...]


class Moment(msgspec.Struct, frozen=True):
    """When a miss ran a stage, in the program's own words."""

    context: tuple[tuple[str, str], ...]
    kind: str
    """Of the miss."""
    key: int | None
    """As the row numbers its keys."""


class FunctionRow(msgspec.Struct, frozen=True):
    """All function objects of one name made at one definition line, by the same code."""

    name: str
    qualname: str
    defined_at: str
    """With the column, `file:line:column`, where a row of another function has the same name and line."""
    ids: tuple[int, ...]
    options: tuple[tuple[str, str], ...]
    """Of the first object."""
    hits: int
    hits_counted: bool
    misses: int
    dispatch_only: int
    nested: int
    failures: int
    stages: Stages
    helpers: Stages
    aot: Stages
    backward: Stages
    lost_s: float
    """Seconds in the function's own stages; helpers are not in it, as some of theirs lie inside a trace."""
    recompiles: int
    """Programs beyond the first of their kind (`_record.kinds`), so that a function made again and again shows as what
    it is, and another function of a factory does not."""
    keys: Cut[KeyRow]
    slow_keys: tuple[int, ...]
    """Numbers of the keys, shown or not, that never get an entry in the dispatch cache."""
    shared: tuple[tuple[int, ...], ...]
    """Numbers of the keys, shown or not, that one executable serves, for each executable with several."""
    dropped_keys: int
    call_sites: tuple[CallSite, ...]
    moments: tuple[Moment, ...]
    """Of the misses that ran a stage and have a context, the newest first."""
    last_failure: Miss | None
    approximate: bool

    @property
    def calls(self) -> int:
        """Calls from outside any trace; nested ones are counted apart."""
        return self.hits + self.misses

    @property
    def objects(self) -> int:
        """How many function objects the row stands for."""
        return len(self.ids)


class LineRow(msgspec.Struct, frozen=True):
    """A line of the user's, and the programs that were compiled there for no watched function."""

    place: str
    """Empty where no frame of the user's was found."""
    lost_s: float
    programs: tuple[tuple[str, int], ...]
    """Names as JAX has them, and how often each was compiled."""


class Headline(msgspec.Struct, frozen=True):
    """The answer in numbers."""

    lost_s: float
    """In trace, lower, compile and load of the watched functions."""
    others_s: float
    """The same for programs of no watched function."""
    functions: int
    """Rows, shown or not."""
    compiles: int
    loads: int
    recompiles: int
    worst: FunctionRow | None
    """The row with most seconds lost; None where no second was lost."""
    worst_line: LineRow | None
    """Likewise of programs of no watched function."""


class Summary(msgspec.Struct, frozen=True):
    """What a report shows, in the order in which it is shown."""

    headline: Headline
    findings: tuple[Finding, ...]
    """What to change, the most costly first."""
    acknowledged: int
    """Findings that their author said to be as it should be."""
    obsolete: tuple[str, ...]
    """Acknowledgements of what does not happen any more."""
    notes: tuple[Finding, ...]
    """What is worth knowing and no fault."""
    functions: Cut[FunctionRow]
    others: Cut[LineRow]
    """Eager operations and functions that were not watched, by the user's line."""
    inner: tuple[str, ...]
    """Names of the functions that ran only inside others and cost nothing of their own; put aside, they have no row."""
    idle: int
    """Functions that were not called, traced or compiled; they have no row."""
    dropped_misses: int
    dropped_functions: int
    faults: int
    unix_s: float
    jax_version: str
    python_version: str


def summarize(
    snapshot: Snapshot,
    *,
    max_functions: int | None = None,
    max_keys: int | None = None,
    max_others: int | None = None,
    with_inner: bool = True,
    sort: str = "spent",
) -> Summary:
    """Make the view model of a snapshot; a bound of None shows all.

    Args:
        snapshot: What to show.
        max_functions: Rows of functions.
        max_keys: Keys in each.
        max_others: Lines of other programs.
        with_inner: Whether functions that ran only inside others have rows as well.
        sort: The order of functions, as in the option of this name.
    """
    used = [function for function in snapshot.functions if was_used(function)]
    misses: dict[int, list[Miss]] = {}
    for miss in snapshot.misses:
        misses.setdefault(miss.function, []).append(miss)
    columns = {one.id: one.code.partition(":")[0] or "0" for one in used}
    rows = [
        function_row(group, max_keys=max_keys, misses=[miss for one in group for miss in misses.get(one.id, ())])
        for group in _groups(used)
    ]
    rows = ordered(_with_columns(rows, columns), sort)
    others = line_rows(snapshot.others)
    inner = [] if with_inner else [row for row in rows if _is_inner(row)]
    judged = verdict(snapshot)
    return Summary(
        headline=_headline(rows, others),
        findings=sort_findings(judged.all_findings()),
        acknowledged=len(judged.acknowledged),
        obsolete=tuple(f"{one.code} {one.function} ({one.place})" for one in judged.obsolete),
        notes=sort_findings(judged.notes),
        functions=cut_list([row for row in rows if row not in inner] if inner else rows, max_functions),
        others=cut_list(others, max_others),
        inner=tuple(sorted({row.name for row in inner})),
        idle=len(snapshot.functions) - len(used),
        dropped_misses=snapshot.dropped_misses,
        dropped_functions=snapshot.dropped_functions,
        faults=snapshot.faults,
        unix_s=snapshot.unix_s,
        jax_version=snapshot.jax_version,
        python_version=snapshot.python_version,
    )


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in the order in which they are shown."""
    return tuple(sorted(findings, key=lambda finding: (-finding.lost_s, finding.function, finding.code)))


def _is_inner(row: FunctionRow) -> bool:
    """Whether a function did nothing but be traced inside others, whose time that is."""
    silent = not (row.calls or row.failures or row.slow_keys or row.dropped_keys) and row.helpers == Stages()
    return silent and msgspec.structs.replace(row.stages, traces=0) == Stages()


def function_row(
    objects: Sequence[FunctionStats], *, max_keys: int | None = None, misses: Sequence[Miss] = ()
) -> FunctionRow:
    """Add up function objects of one name and definition line, at least one of them, with these misses of theirs."""
    first = objects[0]
    stages = add_stages(one.stages for one in objects)
    keys = sorted(_key_rows(objects), key=lambda row: (-row.lost_s, row.number))
    return FunctionRow(
        name=first.name,
        qualname=first.qualname,
        defined_at=first.defined_at,
        ids=tuple(one.id for one in objects),
        options=first.options,
        **sum_counts(objects),
        hits_counted=any(one.hits_counted for one in objects),
        stages=stages,
        helpers=add_stages(one.helpers for one in objects),
        aot=add_stages(one.aot for one in objects),
        backward=add_stages(one.backward for one in objects),
        lost_s=lost_s(stages),
        recompiles=recompiles(objects),
        keys=cut_list(keys, max_keys),
        slow_keys=tuple(sorted(row.number for row in keys if row.slow_path)),
        shared=_shared(objects),
        dropped_keys=sum(one.dropped_keys for one in objects),
        call_sites=_merged_call_sites(one.call_sites for one in objects),
        moments=_moments(objects, misses),
        last_failure=_latest_failure(objects),
        approximate=any(one.approximate for one in objects),
    )


def cut_list(items: Sequence[T], limit: int | None) -> Cut[T]:
    """Keep the first `limit` items and count the rest; None keeps all."""
    shown = tuple(items if limit is None else items[: max(limit, 0)])
    return Cut(shown, len(items) - len(shown))


def line_rows(others: Sequence[FunctionStats]) -> list[LineRow]:
    """Turn programs with their lines into lines with their programs, the most costly first."""
    lines: dict[str, dict[str, tuple[int, float]]] = {}
    for other in others:
        nowhere = CallSite("", program_count(other.stages), lost_s(other.stages))
        for site in other.call_sites or (nowhere,):
            programs = lines.setdefault(site.place, {})
            name = _program_name(other)
            count, seconds = programs.get(name, (0, 0.0))
            programs[name] = count + site.misses, seconds + site.lost_s
    rows = (
        LineRow(
            place, sum(seconds for _, seconds in programs.values()),
            tuple((name, n) for _, name, n in sorted((-spent, name, n) for name, (n, spent) in programs.items())),
        )
        for place, programs in lines.items()
    )  # fmt: skip
    return sorted(rows, key=lambda row: (-row.lost_s, row.place))


def _program_name(other: FunctionStats) -> str:
    """With the definition, in short, of a function that is jitted without being watched."""
    file = other.defined_at.replace("\\", "/").rpartition("/")[2]
    return f"{other.name} ({file})" if file else other.name


def _headline(rows: Sequence[FunctionRow], others: Sequence[LineRow]) -> Headline:
    return Headline(
        lost_s=sum(row.lost_s for row in rows),
        others_s=sum(other.lost_s for other in others),
        functions=len(rows),
        compiles=sum(row.stages.compiles for row in rows),
        loads=sum(row.stages.loads for row in rows),
        recompiles=sum(row.recompiles for row in rows),
        worst=max((row for row in rows if row.lost_s > 0), key=lambda row: row.lost_s, default=None),
        worst_line=others[0] if others and others[0].lost_s > 0 else None,
    )


def _groups(functions: Iterable[FunctionStats]) -> list[list[FunctionStats]]:
    """Gather the objects made at one line. Where the line is not known, each object stands alone."""
    groups: dict[tuple[str, str, str, str, int], list[FunctionStats]] = {}
    for function in functions:
        alone = 0 if function.defined_at else function.id
        place = function.name, function.qualname, function.defined_at, function.code, alone
        groups.setdefault(place, []).append(function)
    return list(groups.values())


def _key_rows(objects: Sequence[FunctionStats]) -> list[KeyRow]:
    rows: dict[int, list[KeyStats]] = {}
    numbers = _key_numbers(objects)
    for one in objects:
        for stats in one.keys:
            rows.setdefault(numbers[one.id, stats.number], []).append(stats)
    alone = len(objects) == 1
    return [_key_row(group, number=number, with_executable=alone) for number, group in rows.items()]


def _key_numbers(objects: Sequence[FunctionStats]) -> dict[tuple[int, int], int]:
    """The number in the row of each object's keys, by the object's id and its own number of the key."""
    if len(objects) == 1:
        return {(objects[0].id, stats.number): stats.number for stats in objects[0].keys}
    numbers: dict[CacheKey, int] = {}
    return {
        (one.id, stats.number): numbers.setdefault(stats.key, len(numbers) + 1) for one in objects for stats in one.keys
    }


def _moments(objects: Sequence[FunctionStats], misses: Sequence[Miss]) -> tuple[Moment, ...]:
    told = [miss for miss in misses if miss.context and any_ran(miss.stages)]
    numbers = _key_numbers(objects) if told else {}
    return tuple(
        Moment(miss.context, miss.kind, None if miss.key is None else numbers.get((miss.function, miss.key)))
        for miss in sorted(told, key=lambda miss: -miss.number)
    )


def _key_row(group: Sequence[KeyStats], *, number: int, with_executable: bool) -> KeyRow:
    stages = add_stages(stats.stages for stats in group)
    return KeyRow(
        number=number,
        key=group[0].key,
        objects=len(group),
        **sum_counts(group),
        stages=stages,
        lost_s=lost_s(stages),
        slow_path=any(stats.slow_path for stats in group),
        executable=group[0].executable if with_executable else None,
        call_sites=_merged_call_sites(stats.call_sites for stats in group),
    )


def _shared(objects: Sequence[FunctionStats]) -> tuple[tuple[int, ...], ...]:
    """Each object has executables of its own, so that a number says nothing of another object's."""
    numbers = _key_numbers(objects)
    served: dict[tuple[int, int], set[int]] = {}
    for one in objects:
        for stats in one.keys:
            if stats.executable is not None:
                served.setdefault((one.id, stats.executable), set()).add(numbers[one.id, stats.number])
    return tuple(sorted({tuple(sorted(each)) for each in served.values() if len(each) > 1}))


def _with_columns(rows: Sequence[FunctionRow], columns: Mapping[int, str]) -> list[FunctionRow]:
    """Rows of one name and line, such as of two lambdas, with the column that tells them apart."""
    places = Counter((row.name, row.qualname, row.defined_at) for row in rows if row.defined_at)
    return [
        msgspec.structs.replace(row, defined_at=f"{row.defined_at}:{columns[row.ids[0]]}")
        if places[row.name, row.qualname, row.defined_at] > 1 and columns[row.ids[0]] != "0"
        else row
        for row in rows
    ]


def _merged_call_sites(lists: Iterable[Iterable[CallSite]]) -> tuple[CallSite, ...]:
    merged: dict[str, CallSite] = {}
    for sites in lists:
        for site in sites:
            known = merged.get(site.place, CallSite(site.place, 0, 0.0))
            merged[site.place] = CallSite(
                site.place, known.misses + site.misses, known.lost_s + site.lost_s, site.library
            )
    return tuple(sorted(merged.values(), key=lambda site: (-site.misses, site.place)))


def _latest_failure(objects: Iterable[FunctionStats]) -> Miss | None:
    failures = [one.last_failure for one in objects if one.last_failure is not None]
    return max(failures, key=lambda miss: miss.unix_s, default=None)
