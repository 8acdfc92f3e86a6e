"""The lines of programs as they are made, and the rows of the panel: against a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pages import hostile, small

from jitwatch._cli.tailing import _lines
from jitwatch._report.live_line import panel_rows


def lines() -> list[str]:
    return [line for _, line in _lines(small())]


def test_lines_are_as_expected(check_golden: Callable[[str, str], None]) -> None:
    check_golden("tail.txt", "\n".join(lines()))


@pytest.mark.parametrize("columns", [80, 140])
def test_panel_is_as_expected(columns: int, check_golden: Callable[[str, str], None]) -> None:
    rows = panel_rows(
        lines(), 6, columns, wall_s=64.0, spent_s=41.2, programs=57, recompiles=12, color=False
    )  # fmt: skip

    check_golden(f"live_{columns}.txt", "\n".join(rows))


def test_hostile_names_are_one_line_each() -> None:
    texts = [line for _, line in _lines(hostile())]

    assert texts and all(text.isprintable() for text in texts)
