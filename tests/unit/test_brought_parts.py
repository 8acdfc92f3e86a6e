"""What a function made anew brings along: a few parts of a variable by name, many as one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from builders import build, function_stats, key_stats, program

from jitwatch._judge.judge import judge_definition
from jitwatch._model import Captured, Finding


def finding(*made: Iterable[Captured], library: str = "", defined_at: str = "train.py:9") -> Finding:
    """On function objects of one definition that brought these along."""
    objects = [
        function_stats(
            "step",
            id=number,
            keys=[key_stats(1)],
            builds=(build(number, f"program {number}", key=1, library=library),),
            captured=tuple(one),
            defined_at=defined_at,
        )
        for number, one in enumerate(made, 1)
    ]
    first = program(1)
    programs = [first, *(program(number, same_up_to="constants", of=first) for number in range(2, len(made) + 1))]
    ((_, found),) = judge_definition(objects, {one.id: one for one in programs}, {})
    return found


def state(made: int, parts: int, name: str = "init_val") -> list[Captured]:
    return [Captured(f"{name}[0].part{number}", "array", "f32[3]", 100 * made + number) for number in range(parts)]


def test_many_parts_of_a_variable_are_told_as_one() -> None:
    found = finding(*(state(made, 26) for made in (1, 2, 3)))

    assert found.where == ("step", "init_val")
    assert "init_val: 26 values, another object each time." in found.differences


def test_parts_of_which_the_value_changes_are_told_first() -> None:
    def with_rate(made: int) -> list[Captured]:
        return [*state(made, 5), Captured("init_val.rate", "number", f"0.{made}")]

    found = finding(*map(with_rate, (1, 2, 3)))

    assert found.where == ("step", "init_val.rate", "init_val")
    assert "init_val.rate: 0.1 -> 0.2 -> 0.3; init_val: 5 other values" in found.differences


def test_few_parts_and_other_variables_are_named() -> None:
    def made(number: int) -> list[Captured]:
        return [*state(number, 2), *state(number, 2, "self.model"), *state(number, 4, "self.opt")]

    found = finding(*map(made, (1, 2, 3)))

    assert found.where == (
        "step", "init_val[0].part0", "init_val[0].part1", "self.model[0].part0", "self.model[0].part1", "self.opt",
    )  # fmt: skip


INSTALLED = "/usr/lib/python3/site-packages/numpyro/util.py:361"


@pytest.mark.parametrize(
    ("library", "defined_at", "advice"), [
        ("numpyro", INSTALLED, "numpyro jits a new function in each of these calls."),
        ("flax", "train.py:9", "A new function object is jitted"), ("", INSTALLED, "A new function object is jitted"),
    ],
)  # fmt: skip
def test_what_a_library_makes_is_for_its_caller_to_change(library: str, defined_at: str, advice: str) -> None:
    found = finding(*(state(made, 1) for made in (1, 2, 3)), library=library, defined_at=defined_at)

    assert found.advice.startswith(advice)
