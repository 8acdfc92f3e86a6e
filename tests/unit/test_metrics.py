"""The numbers for loggers: their names, and that they are the sums of what a snapshot holds."""

from __future__ import annotations

import re
from pathlib import Path

from builders import snapshot
from pages import hostile, small

from jitwatch._export.metrics import metrics_of

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_metrics_are_sums() -> None:
    numbers = metrics_of(small())

    assert numbers["jitwatch/functions"] == 2
    assert numbers["jitwatch/keys"] == 6
    assert numbers["jitwatch/compiles"] == 6
    assert numbers["jitwatch/recompiles"] == 4
    assert numbers["jitwatch/hits"] == 15 + 99
    assert abs(numbers["jitwatch/lost_s"] - 6 * 0.095) < 1e-9
    assert numbers["jitwatch/other_compiles"] == 1
    assert numbers["jitwatch/wall_s"] == 12.0


def test_names_are_always_the_same_and_described() -> None:
    names = set(metrics_of(snapshot()))

    assert names == set(metrics_of(small())) == set(metrics_of(hostile()))
    assert all(re.fullmatch(r"jitwatch/[a-z_]+", name) for name in names)
    assert set(re.findall(r"`(jitwatch/\w+)`", DOCS.read_text(encoding="utf-8"))) == names


def test_metrics_are_plain_numbers() -> None:
    assert {type(value) for value in metrics_of(small()).values()} <= {int, float}
