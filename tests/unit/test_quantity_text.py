"""Durations, counts and shares as text."""

from __future__ import annotations

import pytest

from jitwatch._words.quantity_text import count_text, seconds_text, share_text, times_text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (1e-9, "1 µs"),
        (260e-6, "260 µs"),
        (0.00099951, "1.0 ms"),
        (0.0049, "4.9 ms"),
        (0.0099951, "10 ms"),
        (0.081, "81 ms"),
        (0.9996, "1.0 s"),
        (2.34, "2.3 s"),
        (59.97, "1 min 0 s"),
        (72, "1 min 12 s"),
        (3599.6, "1 h 0 min"),
        (7380, "2 h 3 min"),
        (-1, "?"),
        (float("nan"), "?"),
        (float("inf"), "?"),
    ],
)
def test_seconds_have_telling_digits(seconds: float, expected: str) -> None:
    assert seconds_text(seconds) == expected


def test_counts_bend_their_noun() -> None:
    assert [count_text(n, "call") for n in (0, 1, 1024)] == ["0 calls", "1 call", "1,024 calls"]
    assert count_text(2, "miss", "misses") == "2 misses"
    assert times_text(1024) == "\N{MULTIPLICATION SIGN}1,024"


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 0, "?"),
        (0, 5, "0%"),
        (5, 5, "100%"),
        (1, 3, "33.3%"),
        (99_999, 100_000, ">99.9%"),
        (1, 100_000, "<0.1%"),
    ],
)
def test_shares_are_not_rounded_to_all_or_nothing(part: int, whole: int, expected: str) -> None:
    assert share_text(part, whole) == expected
