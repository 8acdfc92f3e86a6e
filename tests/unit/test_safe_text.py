"""Escaping and cutting of untrusted text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitwatch._words.safe_text import clean, clean_place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain [bold] ünï 日本", "plain [bold] ünï 日本"),
        ("a\nb\t\x1b[31m\x00", "a\\nb\\t\\x1b[31m\\x00"),
        ("\u202egnp.exe\u2028\ud800", "\\u202egnp.exe\\u2028\\ud800"),
    ],
)
def test_clean_escapes_what_is_not_printable(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_clean_keeps_the_beginning_and_a_place_its_end() -> None:
    assert clean("abcdef", 4) == "abc…"
    assert clean_place("abcdef", 4) == "…def"
    assert clean("x" * 10_000_000, 5) == "xxxx…"


@given(st.text(st.characters()), st.integers(1, 50))
def test_clean_text_is_printable_bounded_and_stays_as_it_is(text: str, limit: int) -> None:
    for cleaned, again in ((clean(text, limit), clean), (clean_place(text, limit), clean_place)):
        assert cleaned.isprintable()
        assert len(cleaned) <= limit
        assert again(cleaned, limit) == cleaned
