"""Records of programs that belong to no watched function: by name, definition and function object, within a bound."""

from __future__ import annotations

import pytest

from jitwatch._record import recorder
from jitwatch._record.recorder import Recorder


def test_functions_of_one_name_are_told_apart_and_eager_operations_are_not() -> None:
    others = Recorder()

    assert others.other("add") is others.other("add")
    one = others.other("step", "step", "a.py:1", "k=1", 1)
    assert one is others.other("step", "step", "a.py:1", "k=1", 1)
    more = {others.other("step", "step", place, "k=1", token) for place, token in (("a.py:1", 2), ("b.py:1", 3))}
    assert len({one, *more, others.other("step")}) == 4
    assert (one.defined_at, one.qualname, one.bound, others.other("add").defined_at) == ("a.py:1", "step", "k=1", "")


def test_object_that_is_not_known_is_the_last_of_its_definition() -> None:
    others = Recorder()
    for token in (1, 2):
        last = others.other("step", "step", "a.py:1", "", token)

    assert others.other("step", defined_at="a.py:1") is last
    assert others.other("step", defined_at="b.py:1").defined_at == "b.py:1"


def test_functions_that_are_gone_make_room_first_and_eager_operations_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_OTHERS", 3)
    others = Recorder()
    add = others.other("add")
    kept = others.other("f", "f", "a.py:1", "", 1)
    gone = others.other("g", "g", "a.py:2", "", 2)
    gone.in_use = lambda: None

    new = others.other("h", "h", "a.py:3", "", 3)

    assert others.records() == (add, kept, new)
    assert others.find(gone.id) is None and others.live_snapshot().dropped_functions == 1
    others.other("i", "i", "a.py:4", "", 4)
    assert kept not in others.records()


def test_operations_beyond_the_bound_share_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_OTHERS", 1)
    others = Recorder()
    others.other("add")

    assert others.other("mul") is others.other("sub", "sub", "a.py:1", "", 1)
    assert others.other("mul").name == "(others)"
