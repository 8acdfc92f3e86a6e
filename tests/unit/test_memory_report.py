"""The memory of compiled programs: by function, in text where it is worth a word, and in JSON."""

from __future__ import annotations

from typing import Any

from builders import build, function_stats, key_stats, program, snapshot

from jitwatch._model import Snapshot
from jitwatch._report.memory import memory_of
from jitwatch._report.parts.printing import printed
from jitwatch._report.recording.as_json import report
from jitwatch._report.recording.memory_text import memory_block

BIG = program(1, code_bytes=2_000, temp_bytes=30_000_000)
SMALL = program(2, code_bytes=1_000, temp_bytes=5)


def run(**changes: Any) -> Snapshot:
    builds = (build(1, BIG.id, key=1), build(2, SMALL.id, key=2), build(3, BIG.id, key=1))
    keys = [key_stats(1), key_stats(2)]
    return snapshot(function_stats("step", keys=keys, builds=builds), programs=(BIG, SMALL), **changes)


def text(data: Snapshot) -> str:
    return printed(memory_block(memory_of(data)), color=False, columns=120)


def test_code_is_added_up_and_the_largest_need_told() -> None:
    (one,) = memory_of(run()).functions

    assert (one.programs, one.code_bytes, one.temp_bytes) == (2, 3_000, 30_000_000)


def test_text_names_who_needs_much() -> None:
    said = text(run(held_programs=7, held_code_bytes=12_000_000))

    assert "Memory of compiled programs: 7 executables alive at the end, 12.0 MB of code" in said
    assert "step (train.py:41): up to 30.0 MB of temporaries, 3.0 kB of code in 2 programs" in said


def test_thousands_of_executables_are_said_and_little_is_not() -> None:
    assert "1,000 executables alive" in text(snapshot(held_programs=1_000))
    assert text(snapshot(held_programs=999)) == ""


def test_json_has_it_for_functions_keys_and_builds() -> None:
    data = report(run(held_programs=7))
    (function,) = data.functions

    assert data.held_programs == 7 and (function.code_bytes, function.temp_bytes) == (3_000, 30_000_000)
    assert [(key.code_bytes, key.temp_bytes) for key in function.keys] == [(2_000, 30_000_000), (1_000, 5)]
    assert [each.temp_bytes for each in function.builds] == [30_000_000, 5, 30_000_000]
