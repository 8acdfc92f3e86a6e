"""A recorder and data files of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jitwatch import _hub
from jitwatch._record.recorder import Recorder
from jitwatch._state import State, part
from jitwatch._store import Writer

NEVER_S = 1000.0


@pytest.fixture
def recorder(state: State) -> Recorder:
    """A fresh recorder, which data files are written from."""
    return state.part(Recorder)


@pytest.fixture
def make_writer(tmp_path: Path, recorder: Recorder) -> Iterator[Callable[..., Writer]]:
    """Writers in the test's folder that are closed at the end."""
    made: list[Writer] = []
    subscribers = part(_hub.Hub).subscribers.copy()

    def make(name: str = ".jitwatch", *, interval_s: float = NEVER_S, **options: Any) -> Writer:
        made.append(Writer(tmp_path / name, interval_s=interval_s, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
    assert part(_hub.Hub).subscribers == subscribers
