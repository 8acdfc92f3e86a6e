"""How far programs are the same, in words."""

from __future__ import annotations

import pytest

from jitwatch._model import EQUALITIES
from jitwatch._words.equality_text import equalities_text, equality_text


def test_each_equality_has_words() -> None:
    assert all(equality_text(name) for name in EQUALITIES)
    assert all(equalities_text({"": 1, name: 1}) for name in EQUALITIES)
    assert equality_text("") == ""


@pytest.mark.parametrize(("counts", "text"), [
    ({}, ""),
    ({"": 3}, ""),  # nothing is known of them
    ({"": 1, "constants": 11}, "12 = 1 first + 11 new only in constants"),
    ({"": 3, "different": 1, "identical": 1000},
     "1,004 = 1 first + 1,000 identical to an earlier one + 1 different + 2 not compared"),
])  # fmt: skip
def test_programs_of_a_function_add_up(counts: dict[str, int], text: str) -> None:
    assert equalities_text(counts) == text
