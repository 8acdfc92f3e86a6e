"""Recordings added up: exact, in any order, and only what is the same."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest
from builders import (
    UNIX_S,
    call_sites,
    captured,
    failed_miss,
    function_stats,
    key,
    key_stats,
    leaf,
    snapshot,
    stages,
    static,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording_strategies import recordings

from jitwatch import JitwatchError
from jitwatch._model import CallSite, Captured, FunctionStats, Process, Recording, Snapshot, Stages, Static
from jitwatch._record.merge import combine

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def process(pid: int = 1) -> Process:
    return Process("host", pid, None, "0.10.2", "3.13.1", "cpu", UNIX_S, ("python", "train.py"))


def recording(*functions: FunctionStats, pid: int = 1, **changes: object) -> Recording:
    return Recording((process(pid),), snapshot(*functions, **changes), ())


def combined(*functions: FunctionStats) -> tuple[FunctionStats, ...]:
    """The functions of processes that have one each."""
    return combine(recording(one, pid=pid) for pid, one in enumerate(functions, 1)).snapshot.functions


@given(recordings(1), recordings(2), recordings(3))
@few
def test_order_makes_no_difference(one: Recording, two: Recording, three: Recording) -> None:
    expected = combine([one, two, three])

    assert all(combine(order) == expected for order in permutations([one, two, three]))


@given(recordings(1), recordings(2), recordings(3))
@few
def test_combining_some_before_makes_no_difference(one: Recording, two: Recording, three: Recording) -> None:
    expected = combine([one, two, three])

    assert combine([combine([one, two]), three]) == expected
    assert combine([one, combine([three, two])]) == expected


@given(recordings(1))
@few
def test_one_recording_twice_counts_once(one: Recording) -> None:
    assert combine([one, one]) == combine([one])
    assert combine([combine([one]), one]) == combine([one])


@given(recordings(1), recordings(2))
@few
def test_nothing_is_lost_or_made(one: Recording, two: Recording) -> None:
    stage_names = Stages.__struct_fields__

    def totals(*snapshots: Snapshot) -> list[object]:
        functions = [each for part in snapshots for each in (*part.functions, *part.others)]
        keys = [each for function in functions for each in function.keys]
        sites = [each for function in functions for each in function.call_sites]
        names = ("hits", "misses", "dispatch_only", "nested", "failures")
        return [
            *(sum(getattr(each, name) for each in functions) for name in (*names, "dropped_keys")),
            *(sum(getattr(each, name) for each in keys) for name in names),
            *(
                sum(getattr(getattr(each, part), name) for each in functions)
                for part in ("stages", "helpers", "aot", "backward")
                for name in stage_names
            ),
            sum(site.misses for site in sites),
            sum(site.lost_s for site in sites),
            sum(len(part.misses) for part in snapshots),
            *(sum(getattr(part, name) for part in snapshots) for name in ("dropped_misses", "faults")),
        ]

    assert totals(combine([one, two]).snapshot) == totals(one.snapshot, two.snapshot)


def test_processes_stay_side_by_side() -> None:
    result = combine([recording(pid=2), recording(pid=1)])

    assert result.processes == (process(1), process(2))


def test_the_same_function_and_key_are_added_up() -> None:
    one = function_stats(keys=[key_stats(1, key({"x": leaf((8,))}), hits=9)], call_sites=call_sites(train_88=3))
    two = function_stats(keys=[key_stats(1, key({"x": leaf((8,))}), hits=5)], call_sites=call_sites(train_88=4))

    (function,) = combined(one, two)

    assert [(each.hits, each.misses, each.stages.compiles) for each in function.keys] == [(14, 2, 2)]
    assert (function.hits, function.misses, function.stages.compiles) == (14, 2, 2)
    assert [(site.place, site.misses) for site in function.call_sites] == [("train.py:88", 7)]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"qualname": "Model.step"},
        {"defined_at": "train.py:42"},
        {"options": (("donate_argnums", "0"),)},
        {"hits_counted": False},
    ],
)
def test_different_functions_stay_apart(change: dict[str, object]) -> None:
    assert len(combined(function_stats(), msgspec.structs.replace(function_stats(), **change))) == 2


def test_objects_of_two_processes_are_never_the_same() -> None:
    array = Captured("batch", "array", "float32[3]", 1)
    parts = [snapshot(function_stats(name, captured=(array,))) for name in ("step", "step", "other")]
    one, two, three = (Recording((process(pid),), part, ()) for pid, part in enumerate(parts, 1))

    together = combine([one, two, three]).snapshot.functions

    assert [each.captured for each in together] == [(msgspec.structs.replace(array, identity=0),)] * 2
    assert combine([one]).snapshot.functions[0].captured == (array,)


def test_what_one_process_did_not_trace_is_taken_from_another() -> None:
    parts = [snapshot(function_stats(captured=each)) for each in ((), captured(lr=0.1), ())]

    together = combine(Recording((process(pid),), part, ()) for pid, part in enumerate(parts, 1))

    assert together.snapshot.functions[0].captured == captured(lr=0.1)


def test_function_objects_of_one_line_stay_apart_within_a_process() -> None:
    two = recording(function_stats(id=1, misses=3), function_stats(id=2, misses=4), pid=1)
    one = recording(function_stats(id=7, misses=10), pid=2)

    result = combine([two, one])

    assert [(function.id, function.misses) for function in result.snapshot.functions] == [(1, 13), (2, 4)]


def keys_of(*statics: Static) -> FunctionStats:
    return function_stats(keys=[key_stats(n, key(statics={"n": one})) for n, one in enumerate(statics, 1)])


def test_static_values_are_the_same_by_what_they_say() -> None:
    (function,) = combined(keys_of(static(3, token=5)), keys_of(static(4, token=5), static(3, token=6)))

    assert [(each.key.statics[0].value.text, each.misses) for each in function.keys] == [("3", 2), ("4", 1)]
    assert len({each.key.statics[0].value.token for each in function.keys}) == 2


def test_static_objects_that_look_the_same_stay_apart() -> None:
    first, second = (static("<Config>", token=token, by_identity=True) for token in (3, 8))

    (function,) = combined(keys_of(first, second), keys_of(first))

    assert [each.misses for each in function.keys] == [2, 1]
    assert len({each.key for each in function.keys}) == 2


def test_static_values_with_other_parts_stay_apart() -> None:
    def config(width: int) -> Static:
        return static("Config", token=1, parts=((".width", static(width, token=2)),))

    (function,) = combined(keys_of(config(3)), keys_of(config(4)))

    assert len({each.key.statics[0].value.token for each in function.keys}) == 2


def test_keys_that_share_an_executable_in_one_process_share_one() -> None:
    a, b, c = (key({"x": leaf((size,))}) for size in (1, 2, 3))
    one = function_stats(keys=[key_stats(1, a, executable=4), key_stats(2, b, executable=4)])
    two = function_stats(keys=[key_stats(1, b, executable=1), key_stats(2, c, executable=None)])

    (function,) = combined(one, two)

    assert {each.key: each.executable for each in function.keys} == {a: 1, b: 1, c: None}


def test_misses_are_numbered_by_time_with_the_numbers_of_the_result() -> None:
    late = failed_miss(number=1, function=4, key=2, unix_s=UNIX_S + 9)
    keys = [key_stats(2, key({"x": leaf()}))]
    one = recording(function_stats("a", keys=keys, id=4, last_failure=late), misses=(late,), pid=1)
    gone = failed_miss(number=1, function=9, key=1)
    two = recording(function_stats("b", keys=keys, id=4), misses=(gone,), pid=2)

    result = combine([one, two]).snapshot

    assert [(miss.number, miss.function, miss.key) for miss in result.misses] == [(1, 0, None), (2, 1, 1)]
    assert result.functions[0].last_failure == result.misses[1]


def test_misses_keep_what_the_program_said() -> None:
    parts = [
        recording(misses=(failed_miss(unix_s=UNIX_S + pid, context=(("step", str(pid)),)),), pid=pid) for pid in (2, 1)
    ]

    assert [miss.context for miss in combine(parts).snapshot.misses] == [(("step", "1"),), (("step", "2"),)]


def test_a_failure_that_is_not_listed_has_number_0() -> None:
    result = combine([recording(function_stats(last_failure=failed_miss(number=3)))])

    failure = result.snapshot.functions[0].last_failure
    assert failure is not None
    assert failure.number == 0


def test_versions_that_differ_are_all_named() -> None:
    result = combine([recording(pid=1, jax_version="0.9.0"), recording(pid=2, jax_version="0.10.2")])

    assert result.snapshot.jax_version == "0.10.2, 0.9.0"


def test_a_process_in_two_combined_files_is_refused() -> None:
    one, two, three = (recording(pid=pid) for pid in (1, 2, 3))

    with pytest.raises(JitwatchError, match="Process 2 of host is in two of the files"):
        combine([combine([one, two]), combine([two, three])])


def test_nothing_to_combine_is_refused() -> None:
    with pytest.raises(JitwatchError, match="nothing to combine"):
        combine([])


@given(st.permutations([0.1, 0.2, 0.3, 1e-9, 1e6]))
def test_seconds_are_rounded_once(values: list[float]) -> None:
    functions = [
        function_stats(stages=stages(compile_s=value), call_sites=(CallSite("a.py:1", 1, value),)) for value in values
    ]

    (function,) = combined(*functions)

    assert function.stages.compile_s == function.call_sites[0].lost_s == 1000000.600000001
