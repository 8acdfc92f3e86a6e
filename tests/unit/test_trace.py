"""The trace in Chrome's form: a whole one against a file, the fields that viewers need, and how slices lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from builders import snapshot, stages
from hypothesis import given
from hypothesis import strategies as st
from pages import PROCESS, hostile, hostile_process, large, miss, small

from jitwatch._model import Snapshot
from jitwatch._report.recording.as_trace import render, trace

NEEDED = {
    "X": {"name", "cat", "ts", "dur", "pid", "tid"}, "M": {"name", "pid", "args"}, "C": {"name", "ts", "pid", "args"},
    "s": {"name", "cat", "id", "ts", "pid", "tid"}, "f": {"name", "cat", "id", "ts", "pid", "tid", "bp"},
}  # fmt: skip


def events(data: Snapshot, phase: str) -> list[dict[str, Any]]:
    return [event for event in trace(data)["traceEvents"] if event["ph"] == phase]


def overlapping(slices: list[dict[str, Any]]) -> list[Any]:
    """Pairs of slices of one thread of which neither holds the other."""
    found, open_ends = [], dict[tuple[int, int], list[float]]()
    for one in sorted(slices, key=lambda one: (one["ts"], -one["dur"])):
        ends = open_ends.setdefault((one["pid"], one["tid"]), [])
        while ends and ends[-1] <= one["ts"] + 0.11:  # what is rounded to 0.1 µs
            ends.pop()
        if ends and one["ts"] + one["dur"] > ends[-1] + 0.11:
            found.append(one)
        ends.append(one["ts"] + one["dur"])
    return found


def test_trace_says_what_it_did_before(check_golden: Callable[[str, str], None]) -> None:
    check_golden("trace.json", render(small(), [PROCESS]).rstrip("\n"))


@pytest.mark.parametrize(
    "data", [small(), hostile(), large(5, 5), snapshot()], ids=["small", "hostile", "large", "none"]
)
def test_events_have_the_fields_that_viewers_need(data: Snapshot) -> None:
    made = json.loads(render(data, [hostile_process()]))

    for event in made["traceEvents"]:
        assert NEEDED[event["ph"]] <= event.keys()
        assert all(
            isinstance(event[name], (int, float)) and event[name] >= 0 for name in ("ts", "dur") if name in event
        )
        assert isinstance(event["pid"], int) and isinstance(event.get("tid", 0), int)
    assert all(text.isprintable() for text in _texts(made))


def test_each_compile_has_its_miss_and_the_arrow_from_it() -> None:
    data = small()

    begins, ends = ({event["id"]: event["ts"] for event in events(data, phase)} for phase in "sf")

    assert begins.keys() == ends.keys() == {one.number for one in data.misses}
    assert all(begins[number] < ends[number] for number in begins)
    assert [event["name"] for event in events(data, "X")][:4] == ["decode", "trace", "lower", "compile"]
    assert events(data, "X")[4]["args"]["tokens"] == "i32[8,510] → i32[8,511]"
    assert events(data, "X")[4]["args"]["context step"] == "200"


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.001, 3), st.sampled_from(["call", "nested", "aot"]))))
def test_slices_of_a_thread_never_overlap_in_part(calls: list[tuple[float, float, str]]) -> None:
    misses = tuple(
        miss(number, 1, 1, 20 + at_s, stages=stages(1, seconds), kind=kind)
        for number, (at_s, seconds, kind) in enumerate(calls, 1)
    )

    slices = events(msgspec.structs.replace(small(), misses=misses), "X")

    assert overlapping(slices) == []


def _texts(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [text for item in data.items() for one in item for text in _texts(one)]
    if isinstance(data, list):
        return [text for one in data for text in _texts(one)]
    return [data] if isinstance(data, str) else []
