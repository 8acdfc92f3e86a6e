"""View model: when what was compiled, by process and thread, bounded. Pure.

A miss is recorded when it ends; its stages are placed before that moment, in the order in which JAX runs them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from jitwatch._model import Miss, Process, Snapshot, Stages
from jitwatch._record.merge_programs import digest_of
from jitwatch._record.sums import add_stages, lost_s

STAGES = ("trace", "lower", "compile", "load", "reuse")
MAX_SLICES = 3_000
MAX_LANES = 24
MAX_MARKS = 200
_BINS = 400


class Slice(msgspec.Struct, frozen=True, gc=False):
    """One miss that ran a stage, or several of one lane that lie close together."""

    start_s: float
    """Since the timeline's beginning."""
    stages: Stages
    function: int
    """Its id; of several, the one with most seconds."""
    key: int | None
    count: int = 1
    context: tuple[tuple[str, str], ...] = ()

    @property
    def seconds(self) -> float:
        """In all its stages."""
        return lost_s(self.stages)


class Lane(msgspec.Struct, frozen=True):
    """One thread of one process."""

    process: str
    """`host:pid`; empty where there is one process."""
    thread: int
    """Counts the threads of the process from 1, in the order of their first miss."""
    slices: tuple[Slice, ...]


class Timeline(msgspec.Struct, frozen=True):
    """The run from its begin to its end."""

    begin_unix_s: float
    duration_s: float
    lanes: tuple[Lane, ...]
    more_lanes: int
    marks: tuple[tuple[float, tuple[tuple[str, str], ...]], ...]
    """What the program said of moments, by seconds since the beginning."""


def timeline_of(snapshot: Snapshot, processes: Sequence[Process] = ()) -> Timeline | None:
    """Make the timeline; None where no miss ran a stage."""
    misses = [miss for miss in snapshot.misses if lost_s(miss.stages) > 0]
    if not misses:
        return None
    begins = [miss.unix_s - lost_s(miss.stages) for miss in misses]
    begin = min([*begins, *(process.started_unix_s for process in processes if process.started_unix_s)])
    end = max(miss.unix_s for miss in misses)
    # The last sign of life, unless the clock of another machine is far off.
    end = snapshot.unix_s if 0 <= snapshot.unix_s - end < 30 * 86_400 else end
    lanes = lanes_of(misses, process_of_miss(snapshot))
    shown = sorted(lanes, key=lambda lane: -sum(lost_s(miss.stages) for miss in lanes[lane]))[:MAX_LANES]
    limit = MAX_SLICES // max(len(shown), 1)
    numbers = thread_numbers(lanes)
    names = {digest_of(process): f"{process.host}:{process.pid}" for process in processes if len(processes) > 1}
    return Timeline(
        begin_unix_s=begin,
        duration_s=max(end - begin, 1e-6),
        lanes=tuple(
            Lane(names.get(lane[0], ""), numbers[lane], tuple(_slices(lanes[lane], begin, end - begin, limit)))
            for lane in lanes
            if lane in shown
        ),
        more_lanes=len(lanes) - len(shown),
        marks=tuple(_marks(misses, begin)),
    )


def process_of_miss(snapshot: Snapshot) -> dict[int, str]:
    """The process of each miss that brought a program, by the miss's number, where there are several."""
    functions = (*snapshot.functions, *snapshot.others)
    return {build.first: build.process for one in functions for build in one.builds if build.process}


def thread_numbers(lanes: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Counts the threads of each process from 1: what the system calls them says nothing."""
    counts: Counter[str] = Counter()
    numbers: dict[tuple[str, int], int] = {}
    for process, thread in lanes:
        counts[process] += 1
        numbers[process, thread] = counts[process]
    return numbers


Lanes = dict[tuple[str, int], list[Miss]]


def lanes_of(misses: Iterable[Miss], processes: Mapping[int, str]) -> Lanes:
    """Misses by process and thread, in the order of their first. A miss without a program goes with its thread's."""
    known: dict[int, Counter[str]] = defaultdict(Counter)
    for miss in misses:
        if miss.number in processes:
            known[miss.thread][processes[miss.number]] += 1
    usual = {thread: counts.most_common(1)[0][0] for thread, counts in known.items()}
    lanes: Lanes = {}
    for miss in sorted(misses, key=lambda miss: miss.unix_s):
        process = processes.get(miss.number) or usual.get(miss.thread, "")
        lanes.setdefault((process, miss.thread), []).append(miss)
    return lanes


def _slices(misses: Sequence[Miss], begin: float, duration: float, limit: int) -> Iterator[Slice]:
    """The longest misses alone, the others of a stretch of time together."""
    alone = set(map(id, sorted(misses, key=lambda miss: -lost_s(miss.stages))[: max(limit - _BINS, 0)]))
    bins: dict[int, list[Miss]] = {}
    found = []
    for miss in misses:
        start = miss.unix_s - lost_s(miss.stages) - begin
        if len(misses) <= limit or id(miss) in alone:
            found.append(Slice(start, miss.stages, miss.function, miss.key, 1, miss.context))
        else:
            bins.setdefault(int(start / max(duration, 1e-6) * _BINS), []).append(miss)
    for together in bins.values():
        first, longest = together[0], max(together, key=lambda miss: lost_s(miss.stages))
        start = first.unix_s - lost_s(first.stages) - begin
        stages = add_stages(miss.stages for miss in together)
        found.append(Slice(start, stages, longest.function, None, len(together)))
    return iter(sorted(found, key=lambda one: one.start_s))


def _marks(misses: Iterable[Miss], begin: float) -> Iterator[tuple[float, tuple[tuple[str, str], ...]]]:
    """The first miss of each moment that the program told of, evenly thinned out."""
    told: dict[tuple[tuple[str, str], ...], float] = {}
    for miss in misses:
        if miss.context:
            told.setdefault(miss.context, miss.unix_s - lost_s(miss.stages) - begin)
    every = sorted((at, context) for context, at in told.items())
    step = -(-len(every) // MAX_MARKS) or 1
    return iter(every[::step])
