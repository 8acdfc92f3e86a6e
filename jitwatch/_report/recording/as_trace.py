"""The misses of a recording as a trace in Chrome's form, for https://ui.perfetto.dev and other viewers.

A slice for each miss with its stages inside, by process and thread; an arrow from the miss to its compile; counters of
programs over time, and of hits, of which only the sum is known, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from jitwatch._judge.judge import explanations
from jitwatch._model import Change, Miss, Process, Snapshot
from jitwatch._record.merge_programs import digest_of
from jitwatch._record.sums import any_ran, lost_s, program_count
from jitwatch._report.timeline import STAGES, lanes_of, process_of_miss, thread_numbers
from jitwatch._words.safe_text import clean, clean_place

SCHEMA = "jitwatch-trace/1"
_MAX_CHANGES = 8
_MAX_CONTEXT = 8

Event = dict[str, Any]


class _Slice:
    """A miss from its begin to its end, in seconds since the begin of the trace."""

    def __init__(self, miss: Miss, begin_s: float) -> None:
        self.miss, self.end_s = miss, miss.unix_s - begin_s
        self.start_s = self.end_s - lost_s(miss.stages)


def render(snapshot: Snapshot, processes: Sequence[Process] = ()) -> str:
    """The trace of a snapshot, recorded in these processes, as JSON text."""
    made = trace(snapshot, processes)
    events = ",\n".join(msgspec.json.encode(event).decode() for event in made.pop("traceEvents"))
    head = msgspec.json.format(msgspec.json.encode(made), indent=0).decode()
    return f'{head[:-1]}, "traceEvents": [\n{events}\n]}}\n'


def trace(snapshot: Snapshot, processes: Sequence[Process] = ()) -> dict[str, Any]:
    """The trace as data."""
    misses = [miss for miss in snapshot.misses if any_ran(miss.stages) or miss.failed]
    begin_s = min(
        [miss.unix_s - lost_s(miss.stages) for miss in misses] + [one.started_unix_s for one in processes], default=0.0
    )
    return {
        "otherData": {
            "schema": SCHEMA, "jax_version": clean(snapshot.jax_version), "begin_unix_s": begin_s,
            "dropped_misses": snapshot.dropped_misses,
        },
        "displayTimeUnit": "ms",
        "traceEvents": list(_events(snapshot, misses, processes, begin_s)),
    }  # fmt: skip


def _events(
    snapshot: Snapshot, misses: Sequence[Miss], processes: Sequence[Process], begin_s: float
) -> Iterator[Event]:
    numbers = {digest_of(process): number for number, process in enumerate(processes, 1)} if len(processes) > 1 else {}
    for number, process in enumerate(processes, 1):
        name = f"{clean(process.host, 60)}:{process.pid}"
        yield {"ph": "M", "name": "process_name", "pid": number, "tid": 0, "args": {"name": name}}
    functions = {one.id: one for one in (*snapshot.functions, *snapshot.others)}
    names = {number: clean(function.name) for number, function in functions.items()}
    why = {
        (one.id, key): explanation.changes
        for one in functions.values()
        for key, explanation in explanations(one).items()
    }
    explained: set[tuple[int, int]] = set()
    lanes = lanes_of(misses, process_of_miss(snapshot))
    threads = thread_numbers(lanes)
    for lane, of_lane in lanes.items():
        place = {"pid": numbers.get(lane[0], 1), "tid": threads[lane]}
        yield {"ph": "M", "name": "thread_name", **place, "args": {"name": f"thread {threads[lane]}"}}
        slices = [_Slice(miss, begin_s) for miss in of_lane]
        _place(slices)
        drawn: list[Event] = []
        for one in slices:
            which = one.miss.function, one.miss.key or 0
            changes = () if which in explained else why.get(which, ())
            explained.add(which)
            drawn += _slices(one, place, names.get(one.miss.function, "?"), changes)
        yield from _within(drawn)
        for one in slices:
            yield from _arrow(one, place)
    yield from _counters(snapshot, misses, begin_s)


def _place(slices: Sequence[_Slice]) -> None:
    """Move the begins of one thread's slices: only the end of a miss is known exactly.

    A call began when the one before it had ended, and a nested one within the call around it.
    """
    ended_s = 0.0
    for one in slices:
        if one.miss.kind != "nested":
            one.start_s, ended_s = min(max(one.start_s, ended_s), one.end_s), one.end_s
    around: list[_Slice] = []
    for one in reversed(slices):
        while around and around[-1].start_s >= one.end_s:
            around.pop()
        if around:
            one.start_s = max(one.start_s, around[-1].start_s)
        around.append(one)


def _within(slices: Iterable[Event]) -> list[Event]:
    """The slices of one thread, cut so that each lies within another or beside it: viewers refuse what overlaps."""
    ends: list[float] = []
    ordered = sorted(slices, key=lambda one: (one["ts"], -one["dur"]))
    for one in ordered:
        while ends and ends[-1] <= one["ts"]:
            ends.pop()
        if ends:
            one["dur"] = min(one["dur"], round(ends[-1] - one["ts"], 1))
        ends.append(one["ts"] + one["dur"])
    return ordered


def _slices(one: _Slice, place: Event, name: str, changes: Sequence[Change]) -> Iterator[Event]:
    """The slice of a miss, and those of its stages."""
    miss = one.miss
    yield {
        "ph": "X", "name": name, "cat": miss.kind, **place, "ts": _micro_s(one.start_s),
        "dur": _micro_s(one.end_s - one.start_s), "args": _arguments(miss, changes),
    }  # fmt: skip
    start_s = one.start_s
    for stage in STAGES:
        seconds = min(getattr(miss.stages, f"{stage}_s"), one.end_s - start_s)
        if seconds > 0:
            yield {"ph": "X", "name": stage, "cat": "stage", **place, "ts": _micro_s(start_s), "dur": _micro_s(seconds)}
            start_s += seconds


def _arrow(one: _Slice, place: Event) -> Iterator[Event]:
    """From a miss to its compile."""
    if one.miss.stages.compile_s:
        before_s = one.miss.stages.trace_s + one.miss.stages.lower_s
        arrow = {"name": "compile", "cat": "compile", "id": one.miss.number, **place}
        yield {"ph": "s", **arrow, "ts": _micro_s(one.start_s)}
        yield {"ph": "f", "bp": "e", **arrow, "ts": _micro_s(min(one.start_s + before_s, one.end_s))}


def _arguments(miss: Miss, changes: Sequence[Change]) -> Event:
    found = {
        "key": miss.key, "at": clean_place(miss.call_site), "failed": miss.failed and clean(miss.failed),
        **{f"context {clean(name, 40)}": clean(text) for name, text in miss.context[:_MAX_CONTEXT]},
        **{clean(each.where): f"{clean(each.before)} → {clean(each.after)}" for each in changes[:_MAX_CHANGES]},
    }  # fmt: skip
    return {name: value for name, value in found.items() if value not in (None, "")}


def _counters(snapshot: Snapshot, misses: Sequence[Miss], begin_s: float) -> Iterator[Event]:
    sums = dict.fromkeys(("compiles", "loads", "reused"), 0)
    for miss in sorted(misses, key=lambda miss: miss.unix_s):
        if program_count(miss.stages):
            sums = {name: known + getattr(miss.stages, name) for name, known in sums.items()}
            yield {"ph": "C", "name": "programs", "pid": 1, "ts": _micro_s(miss.unix_s - begin_s), "args": sums}
    end = _micro_s(max([miss.unix_s for miss in misses] + [snapshot.unix_s]) - begin_s)
    if misses and any(function.hits for function in snapshot.functions):
        hits, missed = (sum(getattr(each, name) for each in snapshot.functions) for name in ("hits", "misses"))
        for at, args in ((0.0, {"hits": 0, "misses": 0}), (end, {"hits": hits, "misses": missed})):
            yield {"ph": "C", "name": "calls", "pid": 1, "ts": at, "args": args}


def _micro_s(seconds: float) -> float:
    return round(max(seconds, 0.0) * 1e6, 1)
