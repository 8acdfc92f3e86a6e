"""Adds up the recordings of several processes: pure, from plain data to plain data.

What is the same in two processes is told by its content: functions by name, definition and options, keys by what they
say. Where a process has several functions or static values of the same description, the first of one process is taken
with the first of the other, the second with the second, and so on.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from jitwatch._errors import JitwatchError
from jitwatch._model import (
    CacheKey,
    CallSite,
    Captured,
    FunctionStats,
    KeyStats,
    Miss,
    Process,
    Recording,
    Snapshot,
    Stages,
)
from jitwatch._record import merge_programs
from jitwatch._record.sums import sum_counts
from jitwatch._record.tokens import same_statics

T = TypeVar("T")

_STAGES = ("stages", "helpers", "aot", "backward")
_IDENTITY = ("name", "qualname", "defined_at", "options", "hits_counted", "approximate", "bound", "code")


def combine(recordings: Iterable[Recording]) -> Recording:
    """Make one recording of several.

    Counts are exact sums, seconds correctly rounded ones. Neither the order of the recordings nor combining some of
    them before makes a difference, but for the numbers of what is listed, and the last digit of seconds. A process
    that is given twice counts once. Functions, keys and misses are numbered by time.

    Raises:
        JitwatchError: There is no recording, or a process is part of two that each hold others too.
    """
    distinct = _distinct(recordings)
    parts = same_statics([merge_programs.of_process(one.snapshot, one.processes) for one in distinct])
    if len(parts) > 1:
        parts = [_without_identities(part) for part in parts]
    functions = _functions(parts)
    numbers = {
        place: number
        for number, function in enumerate(functions, 1)
        for place in function.places()
    }  # fmt: skip
    key_numbers = [function.key_numbers() for function in functions]
    misses = _Misses(parts, numbers, key_numbers)
    stats = [
        (function.other, function.stats(number, misses, keys))
        for number, (function, keys) in enumerate(zip(functions, key_numbers, strict=True), 1)
    ]
    return Recording(
        processes=tuple(sorted((one for each in distinct for one in each.processes), key=_process_order)),
        snapshot=Snapshot(
            functions=tuple(one for other, one in stats if not other),
            others=tuple(one for other, one in stats if other),
            misses=misses.all,
            dropped_misses=sum(part.dropped_misses for part in parts),
            dropped_functions=sum(part.dropped_functions for part in parts),
            faults=sum(part.faults for part in parts),
            unix_s=max(part.unix_s for part in parts),
            jax_version=_versions(part.jax_version for part in parts),
            python_version=_versions(part.python_version for part in parts),
            wall_s=math.fsum(part.wall_s for part in parts),
            held_programs=sum(part.held_programs for part in parts),
            held_code_bytes=sum(part.held_code_bytes for part in parts),
            programs=merge_programs.programs(parts),
            dropped_programs=sum(part.dropped_programs for part in parts),
        ),
        problems=tuple(sorted({problem for each in distinct for problem in each.problems})),
    )


def _distinct(recordings: Iterable[Recording]) -> list[Recording]:
    """The recordings without those whose processes another one holds."""
    kept: list[Recording] = []
    seen: set[Hashable] = set()
    fullest_first = sorted(
        recordings,
        key=lambda one: (-len(one.processes), -one.snapshot.unix_s, sorted(map(_process_order, one.processes))),
    )
    for recording in fullest_first:
        processes = {_identity(process) for process in recording.processes}
        twice = processes & seen
        if processes and twice == processes:
            continue
        if twice:
            both = next(process for process in recording.processes if _identity(process) in twice)
            raise JitwatchError(
                f"Process {both.pid} of {both.host} is in two of the files, each of which holds other processes too: "
                f"combine the files of the single processes instead."
            )
        seen |= processes
        kept.append(recording)
    if not kept:
        raise JitwatchError("There is nothing to combine; name at least one data file.")
    return kept


def _without_identities(part: Snapshot) -> Snapshot:
    """Numbers of objects mean nothing in another process."""
    functions, others = (
        tuple(
            msgspec.structs.replace(
                one, captured=tuple(msgspec.structs.replace(each, identity=0) for each in one.captured)
            )
            for one in group
        )
        for group in (part.functions, part.others)
    )
    return msgspec.structs.replace(part, functions=functions, others=others)


def _captured_order(captured: tuple[Captured, ...]) -> tuple[Any, ...]:
    """Any order, so that the fullest is taken whatever comes first: a process may not have traced the function."""
    return len(captured), [msgspec.structs.astuple(one) for one in captured]


def _identity(process: Process) -> tuple[str, int, float]:
    return process.host, process.pid, process.started_unix_s


def _process_order(process: Process) -> tuple[Any, ...]:
    index = -1 if process.process_index is None else process.process_index
    return index, *_identity(process), process.argv


def _versions(versions: Iterable[str]) -> str:
    return ", ".join(sorted({one for each in versions for one in each.split(", ") if one}))


class _Place(NamedTuple):
    """Where a function comes from: the number of the snapshot, and the function's number in it."""

    part: int
    id: int


class _Function:
    """One function of the result: what each process has of it."""

    def __init__(self, other: bool) -> None:
        self.other = other
        self._found: list[tuple[_Place, FunctionStats]] = []

    def add(self, place: _Place, stats: FunctionStats) -> None:
        """What one process has."""
        self._found.append((place, stats))

    def places(self) -> Iterator[_Place]:
        """Where it comes from."""
        return (place for place, _ in self._found)

    def first_unix_s(self) -> float:
        """When the first of its keys came; infinity without one."""
        return min((key.first_unix_s for _, stats in self._found for key in stats.keys), default=math.inf)

    def keys(self) -> list[tuple[CacheKey, list[tuple[_Place, KeyStats]]]]:
        """Its distinct keys by time, each with what the processes have of it."""
        found: dict[CacheKey, list[tuple[_Place, KeyStats]]] = defaultdict(list)
        for place, stats in self._found:
            for key in stats.keys:
                found[key.key].append((place, key))
        say = _Said()
        return _by_time(
            found.items(), lambda item: min(stats.first_unix_s for _, stats in item[1]), lambda item: say.key(item[0])
        )

    def key_numbers(self) -> dict[tuple[_Place, int], int]:
        """The number of each key in the result, by its number in the process."""
        return {
            (place, stats.number): number
            for number, (_, each) in enumerate(self.keys(), 1)
            for place, stats in each
        }  # fmt: skip

    def stats(self, number: int, misses: _Misses, key_numbers: Mapping[tuple[_Place, int], int]) -> FunctionStats:
        """All processes together."""
        every = [stats for _, stats in self._found]
        keys = self.keys()
        executables = _executables(keys)
        return msgspec.structs.replace(
            every[0],
            id=number,
            **sum_counts(every),
            **{name: _stages(getattr(stats, name) for stats in every) for name in _STAGES},
            keys=tuple(
                _key(position, key, [stats for _, stats in each], executables.get(position))
                for position, (key, each) in enumerate(keys, 1)
            ),
            dropped_keys=sum(stats.dropped_keys for stats in every),
            call_sites=_call_sites(stats.call_sites for stats in every),
            processes=sum(stats.processes for stats in every),
            stale=tuple(sorted({change for stats in every for change in stats.stale}, key=msgspec.structs.astuple)),
            last_failure=misses.last((place, stats.last_failure) for place, stats in self._found),
            captured=max((stats.captured for stats in every), key=_captured_order),
            builds=merge_programs.builds(
                msgspec.structs.replace(
                    build,
                    first=misses.number(place.part, build.first),
                    key=None if build.key is None else key_numbers.get((place, build.key)),
                )
                for place, stats in self._found
                for build in stats.builds
            ),
            dropped_builds=sum(stats.dropped_builds for stats in every),
        )


def _functions(parts: Sequence[Snapshot]) -> list[_Function]:
    """The functions of all snapshots, those of one description next to each other, in order of time."""
    groups: dict[tuple[Any, ...], list[_Function]] = defaultdict(list)
    for part, snapshot in enumerate(parts):
        seen: Counter[tuple[Any, ...]] = Counter()
        for other, functions in ((False, snapshot.functions), (True, snapshot.others)):
            for stats in functions:
                says = (other, *(getattr(stats, name) for name in _IDENTITY))
                if seen[says] == len(groups[says]):
                    groups[says].append(_Function(other))
                groups[says][seen[says]].add(_Place(part, stats.id), stats)
                seen[says] += 1
    ordered = sorted(
        groups.items(), key=lambda item: (item[0][0], min(one.first_unix_s() for one in item[1]), item[0])
    )  # fmt: skip
    return [function for _, group in ordered for function in group]


def _key(number: int, key: CacheKey, every: Sequence[KeyStats], executable: int | None) -> KeyStats:
    counts: dict[str, Any] = sum_counts(every)
    return KeyStats(
        number=number,
        key=key,
        **counts,
        stages=_stages(stats.stages for stats in every),
        first_unix_s=min(stats.first_unix_s for stats in every),
        last_miss_unix_s=max(stats.last_miss_unix_s for stats in every),
        slow_path=any(stats.slow_path for stats in every),
        executable=executable,
        call_sites=_call_sites(stats.call_sites for stats in every),
        declared=any(stats.declared for stats in every),
        warmed=sum(stats.warmed for stats in every),
        outlived=max(stats.outlived for stats in every),
        single_start=all(stats.single_start for stats in every),
        state=tuple(sorted(set.intersection(*(set(stats.state) for stats in every)))),
    )


def _executables(keys: Sequence[tuple[CacheKey, Sequence[tuple[_Place, KeyStats]]]]) -> dict[int, int]:
    """The executable of each key, by position: keys that shared one in any process share one here."""
    group = list(range(len(keys) + 1))

    def root(position: int) -> int:
        while group[position] != position:
            group[position] = position = group[group[position]]
        return position

    first: dict[tuple[_Place, int], int] = {}
    known = set()
    for position, (_, each) in enumerate(keys, 1):
        for place, stats in each:
            if stats.executable is not None:
                known.add(position)
                low, high = sorted((root(first.setdefault((place, stats.executable), position)), root(position)))
                group[high] = low
    numbers = {position: number for number, position in enumerate(sorted({root(one) for one in known}), 1)}
    return {position: numbers[root(position)] for position in known}


def _stages(every: Iterable[Stages]) -> Stages:
    columns: Iterable[Any] = zip(*(msgspec.structs.astuple(stages) for stages in every), strict=True)
    named = zip(Stages.__struct_fields__, columns, strict=True)
    fields: dict[str, Any] = {name: (math.fsum if name.endswith("_s") else sum)(column) for name, column in named}
    return Stages(**fields)


def _call_sites(lists: Iterable[Iterable[CallSite]]) -> tuple[CallSite, ...]:
    found: dict[str, list[CallSite]] = defaultdict(list)
    for sites in lists:
        for site in sites:
            found[site.place].append(site)
    added = (
        CallSite(
            place,
            sum(site.misses for site in sites),
            math.fsum(site.lost_s for site in sites),
            max(site.library for site in sites),
        )
        for place, sites in found.items()
    )
    return tuple(sorted(added, key=lambda site: (-site.misses, site.place)))


class _Misses:
    """The misses of all processes in order of time, with the numbers of the result."""

    def __init__(
        self, parts: Sequence[Snapshot], functions: Mapping[_Place, int],
        keys: Sequence[Mapping[tuple[_Place, int], int]],
    ) -> None:  # fmt: skip
        self._functions, self._keys = functions, keys
        where = [(part, miss.number) for part, each in enumerate(parts) for miss in each.misses]
        placed = [self._moved(part, miss) for part, each in enumerate(parts) for miss in each.misses]
        moved = _by_time(placed, lambda miss: miss.unix_s, lambda miss: miss)
        self.all = tuple(msgspec.structs.replace(miss, number=number) for number, miss in enumerate(moved, 1))
        self._numbers: dict[Miss, int] = {}
        for number, miss in enumerate(moved, 1):
            self._numbers.setdefault(miss, number)
        self._placed = {one: self._numbers[miss] for one, miss in zip(where, placed, strict=True)}

    def number(self, part: int, number: int) -> int:
        """The number in the result of a miss of a process; 0 where it is not on the list."""
        return self._placed.get((part, number), 0)

    def last(self, found: Iterable[tuple[_Place, Miss | None]]) -> Miss | None:
        """The last of some misses of processes; its number is 0 where it is not on the list."""
        moved = (self._moved(place.part, miss) for place, miss in found if miss is not None)
        last = max(moved, key=lambda miss: (miss.unix_s, repr(miss)), default=None)
        return None if last is None else msgspec.structs.replace(last, number=self._numbers.get(last, 0))

    def _moved(self, part: int, miss: Miss) -> Miss:
        place = _Place(part, miss.function)
        function = self._functions.get(place, 0)
        key = None if miss.key is None or not function else self._keys[function - 1].get((place, miss.key))
        return msgspec.structs.replace(miss, number=0, function=function, key=key)


class _Said:
    """What keys say, as text that is the same for equal keys in every process; of parts that they share only once."""

    def __init__(self) -> None:
        self._known: dict[Hashable, str] = {}

    def key(self, key: CacheKey) -> tuple[Any, ...]:
        """The content of a key."""
        rest = repr((key.statics, key.omitted, key.context, key.transform))
        return (*map(self._digest, key.arguments), *map(self._digest, key.leaf_chunks), rest)

    def _digest(self, part: Hashable) -> str:
        known = self._known.get(part)
        if known is None:
            known = self._known[part] = hashlib.blake2b(repr(part).encode("utf-8", "backslashreplace")).hexdigest()
        return known


def _by_time(items: Iterable[T], unix_s: Callable[[T], float], content: Callable[[T], Any]) -> list[T]:
    """Sort by time, and by what they say where several have one time."""
    timed = [(unix_s(item), item) for item in items]
    ties = Counter(time for time, _ in timed)
    timed.sort(key=lambda pair: (pair[0], repr(content(pair[1])) if ties[pair[0]] > 1 else ""))
    return [item for _, item in timed]
