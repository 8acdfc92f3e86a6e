"""The bill: what a run spent on compiling, what of it was not needed, in parts, and the limits on it."""

from __future__ import annotations

from typing import Any

import click
import msgspec
import pytest
from builders import build, call_sites, function_stats, key_stats, other, snapshot, stages

from jitwatch._cli.thresholds import Seconds, failures
from jitwatch._model import CallSite, Finding, Process, Stages
from jitwatch._record.merge_programs import digest_of
from jitwatch._report.bill import bill_of, breakdown_of
from jitwatch._report.recording.bill_json import json_bill
from jitwatch._report.recording.bill_text import needless_text, reusable_text, spent_text


def finding(evidence: str, seconds: float, cause: str = "shape", function: str = "step") -> Finding:
    return Finding(
        "JW101", cause, function, "train.py:41", "train.py:88", ("x",), 3, seconds, "message", "", "advice", evidence,
    )  # fmt: skip


def step(seconds: float = 90.0, **changes: Any) -> Any:
    sites = (CallSite("train.py:88", 3, seconds),)
    return function_stats(keys=[key_stats(1, stages=stages(3, seconds), hits=0)], call_sites=sites, **changes)


def process(pid: int) -> Process:
    return Process("host", pid, None, "0.10.2", "3.13.1", "cpu", 100.0 + pid, ())


def spent(function: Any) -> float:
    ran = function.stages
    return float(ran.trace_s + ran.lower_s + ran.compile_s)


def test_bill_adds_up() -> None:
    data = snapshot(step(), others=(other("sin", "train.py:9", compiles=2, compile_s=4.0),), wall_s=200.0)
    bill = bill_of(data, [finding("proved", 50.0), finding("likely", 10.0), finding("possible", 5.0)])

    assert bill.spent_s == spent(data.functions[0]) + spent(data.others[0])
    assert bill.needless_s == 60.0 and bill.avoidable_s == 65.0
    assert bill.needed_s == bill.spent_s - 65.0
    assert bill.rest_s == 200.0 - bill.spent_s


def test_findings_never_claim_more_than_was_spent() -> None:
    data = snapshot(step(2.0))
    bill = bill_of(data, [finding("proved", 50.0), finding("likely", 10.0)])

    assert bill.avoidable_s == bill.spent_s and bill.needed_s == 0.0


@pytest.mark.parametrize(
    ("wall_s", "text"),
    [
        (200.0, "1 min 30 s of 3 min 20 s (45%) went into tracing, lowering and compiling"),
        (0.0, "1 min 30 s went into tracing, lowering and compiling"),
        (20.0, "1 min 30 s went into tracing, lowering and compiling"),  # on several threads
    ],
)
def test_what_was_spent_is_said_as_a_share_of_the_run(wall_s: float, text: str) -> None:
    function = function_stats(stages=Stages(compiles=3, compile_s=90.0))

    assert spent_text(bill_of(snapshot(function, wall_s=wall_s), [])) == text


@pytest.mark.parametrize(
    ("findings", "compiles", "text"),
    [
        ([], 0, ""),
        ([("proved", 61.0), ("likely", 19.0)], 6, "6 compiles, 1 min 20 s, were not needed: proved 1 min 1 s, likely 19.0 s."),
        ([("likely", 3.0)], 1, "1 compile, 3.0 s, was not needed (likely)."),
        ([("proved", 3.0)], 0, "3.0 s of it was not needed (proved)."),
        ([("possible", 3.0)], 3, "3 compiles, 3.0 s, were possibly not needed."),
    ],
)  # fmt: skip
def test_what_was_not_needed_is_said_with_its_evidence(
    findings: list[tuple[str, float]], compiles: int, text: str
) -> None:
    function = function_stats(stages=Stages(compiles=3, compile_s=90.0))

    assert needless_text(bill_of(snapshot(function), [finding(*one) for one in findings]), compiles) == text


def test_parts_are_those_of_functions_lines_and_causes() -> None:
    data = snapshot(step(), others=(other("sin", "train.py:9", compiles=2, compile_s=4.0),))
    parts = breakdown_of(data, [finding("proved", 50.0), finding("likely", 10.0, "dtype")], [])

    assert [(line.name, line.place) for line in parts.functions] == [("step", "train.py:41"), ("sin", "")]
    assert [line.place for line in parts.places] == ["train.py:88", "train.py:9"]
    assert dict(parts.places[0].saved_s) == {"proved": 50.0, "likely": 10.0, "possible": 0.0}
    assert [(line.name, line.spent_s) for line in parts.causes] == [("shape", 50.0), ("dtype", 10.0)]
    assert parts.processes == ()


def test_processes_have_their_own_part() -> None:
    one, two = process(1), process(2)
    builds = (build(1, process=digest_of(one), lost_s=3.0), build(2, process=digest_of(two), lost_s=4.0))
    data = snapshot(step(7.0, builds=builds))

    parts = breakdown_of(data, [], [two, one])

    assert [(line.name, line.spent_s) for line in parts.processes] == [("host:1", 3.0), ("host:2", 4.0)]
    assert breakdown_of(data, [], [one]).processes[0].spent_s == spent(data.functions[0])


def test_what_reuse_spared_was_not_spent() -> None:
    ran = Stages(compiles=1, compile_s=1.0, reused=4, reuse_s=0.5, saved_s=3.5)
    bill = json_bill(snapshot(function_stats(stages=ran)), [], [])

    assert (bill.spent_s, bill.reused, bill.spared_s) == (1.5, 4, 3.5)


def test_what_reuse_would_spare_is_told_by_process_and_program() -> None:
    builds = (
        build(1, "a", compile_s=2.0), build(2, "a", key=2, count=3, compile_s=6.0, reused=1),
        build(3, "a", key=3, count=2, loaded=2), build(4, "a", key=4, process="other", compile_s=5.0),
        build(5, "b", key=5, compile_s=5.0), build(6, "c~", key=6, count=3, compile_s=9.0),
        build(7, "", key=7, count=3, compile_s=9.0),
    )  # fmt: skip
    bill = bill_of(snapshot(function_stats(stages=stages(9, 40.0), builds=builds)), [])

    assert (bill.reusable, bill.reusable_s) == (2, 8.0 * 2 / 3)
    assert reusable_text(bill) == "jitwatch run --reuse would spare 5.3 s: the process had 2 programs already"
    assert reusable_text(msgspec.structs.replace(bill, reusable_s=0.5)) == ""
    assert reusable_text(msgspec.structs.replace(bill, reused=1)) == ""


def test_reuse_is_not_advised_where_processes_run_programs_together() -> None:
    data = snapshot(function_stats(builds=(build(1, "a", count=3, compile_s=6.0),)))
    two = msgspec.structs.replace(process(2), process_index=1)

    assert bill_of(data, [], [process(1)]).reusable == 2 and bill_of(data, [], [process(1), two]).reusable == 0


def made_anew() -> Any:
    keys = [key_stats(1, hits=0, stages=stages(1, 6.0))]
    return snapshot(*(
        function_stats("f", id=number, defined_at="loop.py:7", keys=keys, call_sites=call_sites(loop_8=1))
        for number in range(1, 6)
    ))  # fmt: skip


def test_limits_say_what_is_over_them() -> None:
    data = made_anew()
    needless = bill_of(data, [finding("likely", 24.0)]).needless_s

    assert needless == 24.0
    assert failures(data, [], over_s=None, proved=False) == []
    assert failures(data, [], over_s=1e6, proved=True) == []  # without fingerprints nothing is proved
    (text,) = failures(data, [], over_s=10.0, proved=False)
    assert "of compiling was not needed; --fail-over is 10.0 s" in text


def test_proved_findings_are_named() -> None:
    builds = [(build(number, "one program", lost_s=6.0),) for number in range(1, 6)]
    keys = [key_stats(1, hits=0, stages=stages(1, 6.0))]
    functions = [
        function_stats("f\x1b", id=number, defined_at="loop.py:7", keys=keys, builds=own)
        for number, own in enumerate(builds, 1)
    ]

    (text,) = failures(snapshot(*functions), [], over_s=None, proved=True)

    assert "1 finding proved, which --fail-proved forbids: JW301 f" in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10.0), ("500ms", 0.5), ("2min", 120.0), ("1.5 h", 5400.0), ("0", 0.0)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "10 d", "1e400", "9" * 400])
def test_what_is_no_duration_is_said(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no duration; write 10s"):
        Seconds().convert(text, None, None)
