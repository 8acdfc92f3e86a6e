"""The programs of a process and the builds of a function: bounded, compared when asked for, taken apart again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from builders import build, failed_miss, function_stats, key, leaf, program, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from jitwatch import _faults
from jitwatch._explain.earlier_programs import EarlierPrograms, closest_earlier
from jitwatch._explain.programs import equal_up_to
from jitwatch._model import EQUALITIES, FunctionStats, Process, Program, Recording, Stages
from jitwatch._record import builds, programs
from jitwatch._record.difference import function_difference, snapshot_difference
from jitwatch._record.merge import combine
from jitwatch._record.recorder import FunctionRecord, Recorder
from jitwatch._store import Writer, load

COMPILED = Stages(1, 1, 1, 0, 0.25, 0.25, 0.5)
numbers = count(1)


def known(number: int, **changes: Any) -> Program:
    """A program that has not been compared."""
    return program(number, steps=(), **changes)


def stored(recorder: Recorder, *numbers: int) -> Recorder:
    recorder.programs.steps_of = lambda text: tuple(f"{step}{text}" for step in range(7))
    for number in numbers:
        recorder.programs.add(known(number), bytes([number]) * 10, lambda data: str(data[0]))
    return recorder


def function(recorder: Recorder, name: str = "step") -> FunctionRecord:
    return recorder.add_function(
        name=name, qualname=name, defined_at="train.py:41", options=(), approximate=False, hits_counted=True,
    )  # fmt: skip


def give(record: FunctionRecord, size: int, program: str = "", stages: Stages = COMPILED, **changes: Any) -> Any:
    """A call of a size that brings a program; the live record of its key."""
    live = record.record_of(key({"x": leaf((size,))}))
    fields: dict[str, Any] = {"failed": None, "failed_at": None, "kind": "call", **changes}
    miss = failed_miss(
        number=next(numbers), function=record.id, key=live.number, stages=stages, program=program, **fields
    )
    record.add(miss, live)
    return live


def test_steps_are_made_when_asked_for_and_once() -> None:
    recorder, made = stored(Recorder(), 1, 2), []
    of, recorder.programs.steps_of = recorder.programs.steps_of, lambda text: made.append(text) or of(text)

    assert recorder.programs.as_known(["program 1"])[0].steps == ()
    (one,) = recorder.programs.with_steps(["program 1"])
    recorder.programs.with_steps(["program 1"])

    assert one.steps[0] == "01" and made == ["1"]


def test_lock_is_free_while_a_text_is_compared() -> None:
    recorder = stored(Recorder(), 1)

    def steps_of(text: str) -> tuple[str, ...]:
        thread = threading.Thread(target=lambda: recorder.programs.add(known(2), b"", str))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        return ("x",) * 7

    recorder.programs.steps_of = steps_of

    assert recorder.programs.with_steps(["program 1"])[0].steps == ("x",) * 7


def test_oldest_programs_and_texts_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "MAX_PROGRAMS", 3)
    monkeypatch.setattr(programs, "MAX_TEXT_BYTES", 25)

    store = stored(Recorder(), 1, 2, 3, 4).programs

    assert (store.dropped, store.dropped_texts) == (1, 2)  # three texts of ten bytes, twice
    assert [bool(one.steps) for one in store.with_steps([f"program {n}" for n in (1, 2, 3, 4)])] == [0, 0, 1, 1]
    assert store.as_known(["program 1"]) == (Program("program 1"),)


def test_comparing_ends_when_its_time_is_over() -> None:
    store = stored(Recorder(), 1, 2).programs

    assert not any(one.steps for one in store.with_steps(["program 1", "program 2"], within_s=-1.0))


def test_text_that_cannot_be_read_is_a_fault_and_not_tried_again() -> None:
    store, before = stored(Recorder()).programs, _faults.count()

    def broken(_: bytes) -> str:
        raise ValueError("broken")

    store.add(known(1), b"x", broken)
    store.with_steps(["program 1"]), store.with_steps(["program 1"])

    assert _faults.count() == before + 1


def test_snapshot_has_steps_only_where_a_definition_has_several_programs() -> None:
    recorder = stored(Recorder(), 1, 2, 3)
    give(function(recorder), 1, "program 1"), give(function(recorder), 1, "program 2")
    give(function(recorder, "alone"), 1, "program 3")

    found = {one.id: bool(one.steps) for one in recorder.snapshot().programs}

    assert found == {"program 1": True, "program 2": True, "program 3": False}


def test_builds_are_added_up_in_order_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "MAX_BUILDS", 2)
    record = function(Recorder())
    for name in ("a", "b", "a", "c", "c"):
        give(record, 1, name)
    give(record, 1, "a", Stages(traces=1))

    stats = record.stats()

    assert [(one.program, one.count, one.lost_s) for one in stats.builds] == [("a", 2, 2.0), ("b", 1, 1.0)]
    assert stats.dropped_builds == 2


def test_key_that_is_used_again_has_outlived_what_came_in_between() -> None:
    record = function(Recorder())
    first, second = give(record, 1), give(record, 2)
    first.hits.add_one()
    give(record, 3), give(record, 4)
    assert [one.outlived for one in record.stats().keys] == [1, 0, 0, 0]

    second.hits.add_one()
    assert [one.outlived for one in record.stats().keys] == [1, 2, 0, 0]

    give(record, 1)
    assert [one.outlived for one in record.stats().keys] == [3, 2, 0, 0]


def test_own_hits_before_the_next_program_outlive_nothing() -> None:
    record = function(Recorder())
    for size in range(5):
        give(record, size).hits.add_one()

    assert [one.outlived for one in record.stats().keys] == [0] * 5


def test_key_that_had_served_one_call_when_the_next_program_came_stays_told() -> None:
    record = function(Recorder())
    give(record, 1)
    give(record, 2).hits.add_one()
    give(record, 3)
    give(record, 1), give(record, 2)

    assert [one.single_start for one in record.stats().keys] == [True, False, True]


def test_difference_has_the_builds_since_and_their_programs() -> None:
    before = function_stats(builds=(build(1, count=2, lost_s=1.0), build(2, "program 2")), dropped_builds=1)
    now = function_stats(
        builds=(build(1, count=3, lost_s=1.5), build(2, "program 2"), build(3, "program 3")), dropped_builds=3
    )
    every = (program(1), program(2), program(3))

    since = function_difference(now, before)

    assert since.builds == (build(1, count=1, lost_s=0.5), build(3, "program 3")) and since.dropped_builds == 2
    both = snapshot_difference(snapshot(now, programs=every), snapshot(before, programs=every))
    assert [one.id for one in both.programs] == ["program 1", "program 3"]


def recording_of(pid: int, *functions: FunctionStats, **changes: Any) -> Recording:
    process = Process("host", pid, None, "0.10.2", "3.13.1", "cpu", 1.0, ())
    return Recording((process,), snapshot(*functions, **changes), ())


def test_ids_with_callbacks_are_of_their_process_and_others_of_all() -> None:
    one, other = (
        recording_of(
            pid, function_stats(builds=(build(1), build(2, "program 2~"))),
            programs=(program(1, steps=() if pid == 1 else program(1).steps), program(2, id="program 2~")),
        )
        for pid in (1, 2)
    )  # fmt: skip

    both = combine([one, other]).snapshot

    builds = both.functions[0].builds  # what each process compiles is its own, whatever the id
    assert [each.count for each in builds] == [1, 1, 1, 1]
    assert len({(each.program, each.process) for each in builds}) == 4
    assert len(both.programs) == 3 and both.programs[0] == program(1)
    assert combine([combine([one]), other]).snapshot == both


programs_with_steps = st.builds(
    lambda number, target, comparable, steps, common: Program(
        f"p{number}", target, (*(f"{number} {step}" for step in range(steps)), *(f"{common}",) * (7 - steps))[:7],
        0, comparable,
    ) if steps < 9 else Program(f"p{number}"),
    st.integers(0, 30), st.sampled_from(["t", "u"]), st.booleans(), st.integers(0, 9), st.sampled_from("ab"),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(programs_with_steps, max_size=6), programs_with_steps)
def test_closest_of_many_is_the_closest_of_each(before: list[Program], one: Program) -> None:
    earlier = EarlierPrograms()
    for each in before:
        earlier.add(each)

    pairs = [equal_up_to(one, each) for each in before]
    equal = [each for each in pairs if each not in ("", "different")]
    unknown = "" if not pairs or "" in pairs else "different"
    assert earlier.closest(one) == (min(equal, key=EQUALITIES.index) if equal else unknown)


def test_closest_earlier_goes_over_the_objects_of_a_definition() -> None:
    every = (program(1), program(2, same_up_to="constants", of=program(1)), program(3))
    functions = [
        function_stats(id=number, builds=(build(number, f"program {number}"),)) for number in (1, 2, 3)
    ]  # fmt: skip
    again = failed_miss(number=9, function=1, program="program 1")

    found = closest_earlier(snapshot(*functions, programs=every, misses=(again,)))

    assert {number: how for (_, number, _), how in found.items()} == {
        1: "",
        2: "constants",
        3: "different",
        9: "identical",
    }


def test_file_of_a_process_that_is_killed_has_its_builds_and_programs(
    tmp_path: Path, recorder: Recorder, make_writer: Callable[..., Writer]
) -> None:
    writer = make_writer()
    record = function(stored(recorder, 1, 2))
    for number in (1, 2, 1):
        give(record, number, f"program {number}")

    of_killed = load(writer.path).snapshot
    writer.close()
    of_ended = load(writer.path).snapshot

    assert of_killed.functions[0].builds == of_ended.functions[0].builds == record.stats().builds
    assert [bool(one.steps) for one in of_killed.programs] == [False, False]
    assert [bool(one.steps) for one in of_ended.programs] == [True, True]
    assert of_ended.functions[0].keys[0].outlived == 1


def test_builds_after_a_round_of_counts_come_on_top(recorder: Recorder, make_writer: Callable[..., Writer]) -> None:
    writer = make_writer(interval_s=0.0)
    record = function(stored(recorder, 1, 2))
    for number in (1, 2, 1, 1):
        give(record, 1, f"program {number}")

    assert load(writer.path).snapshot.functions[0].builds == record.stats().builds
