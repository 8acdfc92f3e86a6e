"""What a block's own misses are: told by their number since its begin, whatever order they were numbered in."""

from __future__ import annotations

import pytest
from builders import failed_miss, snapshot
from hypothesis import given
from hypothesis import strategies as st

from jitwatch._model import Snapshot
from jitwatch._record import recorder as recorders
from jitwatch._record.difference import snapshot_difference
from jitwatch._record.recorder import Recorder


def numbers(data: Snapshot) -> list[int]:
    return [miss.number for miss in data.misses]


@given(st.permutations(range(1, 9)), st.integers(0, 8), st.integers(1, 8))
def test_misses_since_are_those_kept_since_in_any_order_of_numbers(order: list[int], at: int, room: int) -> None:
    def after(count: int) -> Snapshot:
        kept = [failed_miss(number=number) for number in order[:count]]
        return snapshot(misses=tuple(kept[-room:]), dropped_misses=max(count - room, 0))

    found = snapshot_difference(after(8), after(at))

    assert numbers(found) == order[at:][-room:]
    assert found.dropped_misses == max(8 - at - room, 0)
    assert snapshot_difference(after(at), after(at)).dropped_misses == 0


def test_recent_misses_of_a_function_since_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()

    def keep(*numbered: int) -> None:
        for number in numbered:
            recorder.keep(failed_miss(number=number, function=number % 2))

    keep(2, 1)
    assert [miss.number for miss in recorder.misses_of(1)] == [1]
    recorder.reset()
    keep(5, 3, 4)
    assert [miss.number for miss in recorder.misses_of(1)] == [5, 3]
    assert numbers(recorder.snapshot()) == [5, 3, 4]

    monkeypatch.setattr(recorders, "MAX_MISSES", 10)
    recorder._misses = type(recorder._misses)(recorder._misses, maxlen=10)
    keep(*range(7, 30))
    assert [miss.number for miss in recorder.misses_of(1)] == [21, 23, 25, 27, 29]
    assert recorder.snapshot().dropped_misses == 16
