"""Two recordings compared: what counts as more, and the laws of a comparison."""

from __future__ import annotations

import msgspec
import pytest
from builders import function_stats, key, key_stats, leaf, other, snapshot, stages
from hypothesis import given
from hypothesis import strategies as st
from recorded_pair import after, batches, before, function
from recording_strategies import snapshots

from jitwatch._compare.comparison import Comparison, Pair, compare
from jitwatch._judge.compiled import FunctionName, file_of
from jitwatch._model import CallSite, FunctionStats, Snapshot

ROW = {"train_step": "more", "evaluate": "fewer", "rescale": "new", "old_step": "gone"}


def compared(one: Snapshot, other: Snapshot) -> Comparison:
    return compare(one, other, file_of)


def only_pair(one: FunctionStats, other: FunctionStats) -> Pair:
    found = compared(snapshot(one), snapshot(other))
    (pair,) = (*found.functions, *found.unchanged)
    return pair


def mirrored(pair: Pair) -> Pair:
    if pair.was is None:
        return Pair(pair.name, pair.after, pair.before)
    return Pair(pair.was.name, pair.after, pair.before, FunctionName(pair.name, pair.file))


def move_place(place: str, lines: int) -> str:
    path, _, line = place.rpartition(":")
    return f"{path}:{int(line) + lines}" if line.isdigit() else place


def move_lines(function: FunctionStats, lines: int) -> FunctionStats:
    def sites(found: tuple[CallSite, ...]) -> tuple[CallSite, ...]:
        return tuple(msgspec.structs.replace(site, place=move_place(site.place, lines)) for site in found)

    keys = tuple(msgspec.structs.replace(each, call_sites=sites(each.call_sites)) for each in function.keys)
    builds = tuple(
        msgspec.structs.replace(each, call_site=move_place(each.call_site, lines)) for each in function.builds
    )
    return msgspec.structs.replace(
        function, defined_at=move_place(function.defined_at, lines), keys=keys, call_sites=sites(function.call_sites),
        builds=builds, jitted_at=move_place(function.jitted_at, lines),
    )  # fmt: skip


def test_each_function_has_what_became_of_it() -> None:
    found = compared(before(), after())

    assert {pair.name: pair.status for pair in found.functions} == ROW
    assert [pair.name for pair in found.unchanged] == ["loss"]
    assert {pair.name: pair.status for pair in found.others} == {"convert_element_type": "more", "iota": "new"}
    assert (found.before.compiles, found.after.compiles) == (5, 8)
    assert found.has_increase and found.has_count_difference and not found.is_empty


def test_causes_are_those_of_the_keys() -> None:
    pairs = {pair.name: pair for pair in compared(before(), after()).functions}

    step, rescale = pairs["train_step"], pairs["rescale"]
    assert step.before and step.before.causes == (("first", 1),)
    assert step.after and step.after.causes == (("first", 1), ("shape", 3))
    assert rescale.after and rescale.after.causes == (("first", 1), ("weak_type", 1))


def test_findings_of_the_later_recording_only_are_new() -> None:
    found = compared(before(), after())

    assert {(finding.function, finding.code) for finding in found.new_findings} == {
        ("train_step", "JW101"), ("rescale", "JW103"),
    }  # fmt: skip
    assert {finding.function for finding in found.gone_findings} == {"evaluate"}


def test_same_compiles_for_another_cause_are_a_difference_that_is_no_increase() -> None:
    dtype = [*batches(32), key({"batch": {"x": leaf((32, 8), "int32")}})]

    found = compared(snapshot(function("step", batches(32, 16))), snapshot(function("step", dtype)))

    assert [pair.status for pair in found.functions] == ["causes"]
    assert not found.has_increase and not found.has_count_difference


def test_another_object_of_one_definition_is_no_first_compile() -> None:
    objects = [function("step", batches(32), id=number) for number in (1, 2, 3)]

    (pair,) = compared(snapshot(), snapshot(*objects)).functions

    assert pair.after and pair.after.causes == (("first", 1), ("function_identity", 2))
    assert pair.is_increase


def test_functions_of_one_name_at_two_lines_are_added_up_and_each_has_a_first_compile() -> None:
    lambdas = [function("<lambda>", batches(32), id=line, line=line) for line in (3, 9)]

    (pair,) = compared(snapshot(), snapshot(*lambdas)).functions

    assert pair.after and (pair.after.compiles, pair.after.causes) == (2, (("first", 2),))


def test_repeats_backward_passes_and_unknown_keys_have_causes_of_their_own() -> None:
    again = key_stats(1, batches(32)[0], stages=stages(3))
    stats = function_stats(keys=[again], stages=stages(6), backward=stages(2))

    (pair,) = compared(snapshot(), snapshot(stats)).functions

    assert pair.after and dict(pair.after.causes) == {"first": 1, "repeat": 2, "backward": 2, "unknown": 1}


def test_more_processes_are_no_increase() -> None:
    def in_processes(count: int, compiles: int) -> FunctionStats:
        keys = [key_stats(1, batches(32)[0], stages=stages(compiles))]
        return function_stats(keys=keys, processes=count)

    assert only_pair(in_processes(1, 1), in_processes(8, 8)).status == "same"
    assert only_pair(in_processes(1, 1), in_processes(8, 9)).is_increase
    assert only_pair(in_processes(8, 9), in_processes(1, 1)).status == "fewer"


def test_new_function_is_an_increase_only_if_it_recompiles() -> None:
    once = compared(snapshot(), snapshot(function("step", batches(32))))

    assert (once.has_increase, once.has_count_difference) == (False, True)
    assert compared(snapshot(), snapshot(function("step", batches(32, 16)))).has_increase


def test_eager_operations_fail_no_increase() -> None:
    found = compared(snapshot(), snapshot(others=(other(compiles=4),)))

    assert (found.has_increase, found.has_count_difference) == (False, True)


def test_function_that_compiled_nothing_is_not_compared() -> None:
    assert compared(snapshot(), snapshot(function_stats())).is_empty


@pytest.mark.parametrize(("files", "statuses"), [
    (["old/train.py", "new/train.py"], ["same"]), (["old/train.py", "new/other.py"], ["gone", "new"]),
    (["a/train.py", "c/train.py", "d/train.py"], ["gone", "new", "new"]),
])  # fmt: skip
def test_function_is_found_again_in_another_checkout(files: list[str], statuses: list[str]) -> None:
    one, *others = (
        function("step", batches(32), id=number, defined_at=f"{file}:4") for number, file in enumerate(files, 1)
    )

    found = compared(snapshot(one), snapshot(*others))

    assert sorted(pair.status for pair in (*found.functions, *found.unchanged)) == statuses


@given(snapshots())
def test_recording_does_not_differ_from_itself(data: Snapshot) -> None:
    found = compared(data, data)

    assert found.is_empty
    assert not found.has_increase and not found.has_count_difference
    assert found.before == found.after


@given(snapshots(), snapshots())
def test_comparison_is_the_mirror_of_the_other_way_round(one: Snapshot, other: Snapshot) -> None:
    there, back = compared(one, other), compared(other, one)

    assert (there.before, there.after) == (back.after, back.before)
    for name in ("functions", "unchanged", "others"):
        assert {mirrored(pair) for pair in getattr(there, name)} == set(getattr(back, name))
    assert (there.new_findings, there.gone_findings) == (back.gone_findings, back.new_findings)
    assert there.has_count_difference == back.has_count_difference


@given(snapshots(), st.integers(1, 50))
def test_moved_lines_change_nothing(data: Snapshot, lines: int) -> None:
    functions, others = (tuple(move_lines(one, lines) for one in each) for each in (data.functions, data.others))
    moved = msgspec.structs.replace(data, functions=functions, others=others)

    assert compared(data, moved).is_empty


@given(snapshots(), snapshots())
def test_compiles_of_the_pairs_are_those_of_the_recordings(one: Snapshot, other: Snapshot) -> None:
    found = compared(one, other)

    sides = [pair.after for pair in (*found.functions, *found.unchanged) if pair.after]
    assert sum(side.compiles for side in sides) == found.after.compiles
    assert found.after.compiles == sum(each.stages.compiles + each.stages.loads for each in other.functions)
