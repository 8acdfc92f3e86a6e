"""What a finding says: values in the order of time, never nothing, nothing twice, and code that can be pasted."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import pytest
from builders import function_stats

from jitwatch._judge.codes import CODES, make_finding
from jitwatch._judge.remedies import advice_for
from jitwatch._model import Build, Change, Finding
from jitwatch._report.parts.findings_text import saved_text


def finding(cause: str, *changes: tuple[str, str, str], name: str = "step", defined_at: str = "a.py:3") -> Finding:
    builds = [Build(number, lost_s=0.5, call_site="a.py:9") for number in (1, 2)]
    found = [Change(cause, *change) for change in changes]
    return make_finding(function_stats(name, qualname=name, defined_at=defined_at), cause, found, builds)


def sizes(*pairs: tuple[int, int]) -> list[tuple[str, str, str]]:
    return [("x", f"f32[{before}]", f"f32[{after}]") for before, after in pairs]


def test_values_are_in_the_order_of_time_whatever_each_is_nearest_to() -> None:
    assert finding("shape", *sizes((4, 5), (4, 7), (5, 6))).differences == "x: f32[4] -> f32[5] -> f32[7] -> f32[6]."


def test_of_many_values_the_first_and_the_last_are_shown() -> None:
    several = finding("shape", *sizes(*((number, number + 1) for number in range(1, 20))))

    assert several.differences.startswith("x: f32[1] -> f32[2] -> ")
    assert several.differences.endswith("… (14 more) -> f32[20].")


def test_of_equal_looking_objects_it_is_said_that_they_are_others() -> None:
    one = finding("static_identity", ("static f", "<lambda> at a.py:1 (object 1)", "<lambda> at a.py:1 (object 2)"))

    assert one.differences == "static f: <lambda> at a.py:1, another object each time."


def test_numbers_that_are_all_numpys_are_numbers() -> None:
    found = finding("static_value", ("static n", "np.int64(5)", "np.int64(9)"))
    mixed = finding("static_value", ("static n", "5", "np.int64(5)"))

    assert found.differences == "static n: 5 -> 9."
    assert mixed.differences == "static n: 5 -> np.int64(5)."


@pytest.mark.parametrize(
    ("reused", "loaded", "message", "saved"),
    [
        (0, 0, "step compiled 6 times more than needed.", "saves 6 compiles, 3.0 s"),
        (2, 0, "step compiled 6 times more than needed, 2 of them spared by reuse.", "saves 4 compiles, 2 reuses, 3.0 s"),
        (
            1, 2, "step compiled 6 times more than needed, 3 of them spared by reuse and JAX's persistent cache.",
            "saves 3 compiles, 2 loads, 1 reuse, 3.0 s",
        ),
        (
            0, 6, "step was traced and lowered 6 times more than needed, though JAX's persistent cache spared the compiles.",
            "saves 6 loads, 3.0 s",
        ),
    ],
)  # fmt: skip
def test_what_was_spared_is_told_apart(reused: int, loaded: int, message: str, saved: str) -> None:
    build = Build(1, count=6, reused=reused, loaded=loaded, lost_s=3.0)
    found = make_finding(function_stats(), "function_identity", [], [build])

    assert found.message.startswith(message)
    assert saved_text(found) == saved


@pytest.mark.parametrize("cause", CODES)
def test_a_message_is_never_empty_and_has_no_internal_words(cause: str) -> None:
    message = finding(cause).message

    assert message == message.strip() and not re.search(r"\(\w+\)|\. \.|: \.", message)
    assert len(message.split(". ")) == 2
    assert cause not in message


def test_a_function_made_anew_is_named_once() -> None:
    found = finding(
        "function_identity", ("<lambda>", "one function object", "3 function objects"), ("rate", "0.1", "0.2"),
        name="<lambda>",
    )  # fmt: skip

    assert found.message == (
        "lambda at a.py:3 compiled 2 times more than needed. One function object -> 3 function objects; "
        "rate: 0.1 -> 0.2."
    )
    assert found.advice.endswith(" Pass rate to it as an argument.")


@pytest.mark.parametrize("cause", ["sharding", "committed"])
@pytest.mark.parametrize("wheres", [
    ["x"], ["batch['x']"], [f"params['layer{number}']['w']" for number in range(58)], ["x", "y"], ["partial args[0]"],
])  # fmt: skip
def test_code_in_an_advice_can_be_pasted(cause: str, wheres: Sequence[str]) -> None:
    advice = advice_for(cause, function_stats(), [Change(cause, where, "a", "b") for where in wheres])
    (call,) = re.findall(r"jax\.device_put\([^.]*\)", advice)

    assert ast.parse(call)
    assert "…" not in call and " more" not in call
