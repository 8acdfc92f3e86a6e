"""Records of programs that belong to no watched function: by name, definition and function object, within a bound."""

from __future__ import annotations

import pytest

from jitwatch import _recorder
from jitwatch._recorder import Recorder


def test_functions_of_one_name_are_told_apart_and_eager_operations_are_not() -> None:
    recorder = Recorder()

    assert recorder.other("add") is recorder.other("add")
    one = recorder.other("step", "step", "a.py:1", "k=1", 1)
    assert one is recorder.other("step", "step", "a.py:1", "k=1", 1)
    others = {recorder.other("step", "step", place, "k=1", token) for place, token in (("a.py:1", 2), ("b.py:1", 3))}
    assert len({one, *others, recorder.other("step")}) == 4
    assert (one.defined_at, one.qualname, one.bound, recorder.other("add").defined_at) == ("a.py:1", "step", "k=1", "")


def test_object_that_is_not_known_is_the_last_of_its_definition() -> None:
    recorder = Recorder()
    for token in (1, 2):
        last = recorder.other("step", "step", "a.py:1", "", token)

    assert recorder.other("step", defined_at="a.py:1") is last
    assert recorder.other("step", defined_at="b.py:1").defined_at == "b.py:1"


def test_functions_that_are_gone_make_room_first_and_eager_operations_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recorder, "MAX_OTHERS", 3)
    recorder = Recorder()
    add = recorder.other("add")
    kept = recorder.other("f", "f", "a.py:1", "", 1)
    gone = recorder.other("g", "g", "a.py:2", "", 2)
    gone.in_use = lambda: None

    new = recorder.other("h", "h", "a.py:3", "", 3)

    assert recorder.records() == (add, kept, new)
    assert recorder.find(gone.id) is None and recorder.live_snapshot().dropped_functions == 1
    recorder.other("i", "i", "a.py:4", "", 4)
    assert kept not in recorder.records()


def test_operations_beyond_the_bound_share_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recorder, "MAX_OTHERS", 1)
    recorder = Recorder()
    recorder.other("add")

    assert recorder.other("mul") is recorder.other("sub", "sub", "a.py:1", "", 1)
    assert recorder.other("mul").name == "(others)"
