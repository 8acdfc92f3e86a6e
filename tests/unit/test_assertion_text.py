"""The messages of failed test assertions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jitwatch._model import Change
from jitwatch._report.assertions.assertion_text import failure_text, never_called_note
from jitwatch._testing.verdict import Bounds, Event, Failure

SHAPE = Change("shape", "batch['x']", "f32[8]", "f32[9]")


def event(*changes: Change, **fields: Any) -> Event:
    known: dict[str, Any] = {
        "function": "train_step", "defined_at": "train.py:41", "place": "test_train.py:13", "kind": "call",
        "loaded": False, "key_is_known": True, "cause": changes[0].cause if changes else "", "advice": "",
    }  # fmt: skip
    return Event(changes=changes, **known | fields)


def failure(*events: Event, **fields: Any) -> Failure:
    known: dict[str, Any] = {
        "verb": "compiled", "function": "train_step", "defined_at": "train.py:41", "expected": "exactly 1",
        "count": len(events), "loads": 0, "reused": 0, "notes": (),
    }  # fmt: skip
    return Failure(events=events, **known | fields)


def test_failures_read_as_they_should(check_golden: Callable[[str, str], None]) -> None:
    fix = {"advice": "Keep the shape of batch['x'] the same in every call."}
    failures = [
        failure(event(), event(SHAPE, **fix), event(SHAPE, loaded=True, **fix), loads=1),
        failure(expected="at least 1", notes=(never_called_note("train_stp", ["train_step", "eval"]),)),
        failure(
            event(SHAPE), event(kind="backward", key_is_known=False), event(kind="aot", key_is_known=False),
            event(key_is_known=False, place=""), function="", defined_at="", expected="at most 2",
        ),
        failure(event(*[SHAPE] * 6), verb="recompiled", expected="no recompilation"),
        failure(*[event()] * 12, verb="traced", count=1200),
    ]  # fmt: skip

    check_golden("assertions.txt", "\n\n".join(map(failure_text, failures)))


@pytest.mark.parametrize(
    "bounds,text",
    [
        (Bounds(1, 1), "exactly 1"),
        (Bounds(0, 2), "at most 2"),
        (Bounds(1, None), "at least 1"),
        (Bounds(1, 3), "at least 1 and at most 3"),
        (Bounds(0, None), "at least 0"),
    ],
)
def test_bounds_in_words(bounds: Bounds, text: str) -> None:
    assert bounds.text() == text


def test_bounds_allow_what_is_between_them() -> None:
    assert [count for count in range(6) if Bounds(2, 4).allow(count)] == [2, 3, 4]
    assert Bounds(2, None).allow(99) and not Bounds(2, None).allow(1)


def test_names_of_the_program_cannot_break_the_lines() -> None:
    nasty = event(Change("shape", "x\n\x1b[31m", "a", "b"), function="f\ng", place="p\nq.py:1")

    assert failure_text(failure(nasty, function="")).count("\n") == 1
