"""Each wrong word gets one clear error that says what it is about and what is valid; nothing is taken in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import jitwatch
from jitwatch import JitwatchError, spec, watched_jit
from jitwatch.testing import assert_compiles, assert_no_recompiles, assert_traces

X = np.ones(3, np.float32)
NEGATIVE = jax.ShapeDtypeStruct((-1,), "float32")


def jitted(**options: Any) -> Any:
    return watched_jit(lambda x, n=1: x * n, static_argnames="n", **options)


def warm(specs: Any, **options: Any) -> Any:
    return jitted().warm_up(specs, **options)


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "no limit": (lambda: jitted(on_excess="raise"), "beyond a limit, and there is none; give max_compiles= or expect="),
    "number as text": (lambda: jitted(max_compiles="3"), r"max_compiles has the value '3' .* whole number"),
    "another number as text": (lambda: jitted(warn_compiles="3"), "warn_compiles has the value '3'"),
    "size as text": (lambda: jitted(expect=[{"x": ("a", 3)}]), r"'x' is declared as \('a', 3\); valid are a shape"),
    "negative size": (lambda: jitted(expect=[{"x": (-1, 3)}]), r"declared as \(-1, 3\); valid are a shape"),
    "negative size of an array": (lambda: jitted(expect={"x": NEGATIVE}), r"entry 1: a shape is \(-1,\)"),
    "negative size in a spec": (lambda: jitted(expect=spec(NEGATIVE)), r"entry 1: a shape is \(-1,\)"),
    "list for a shape": (lambda: jitted(expect=[{"x": [3]}]), r"declared as \[3\]; valid are a shape as a tuple"),
    "subscriber": (lambda: jitwatch.subscribe(3), r"subscribe\(\) was given 3; give a function"),  # type: ignore[arg-type]
    "count_hits": (lambda: jitwatch.install(count_hits="yes"), "count_hits is 'yes'; valid are True and False"),  # type: ignore[arg-type]
    "watching": (lambda: jitwatch.watching(count_hits=1), "count_hits is 1"),  # type: ignore[arg-type]
    "freeze": (lambda: jitwatch.freeze(eager="no"), "eager is 'no'"),  # type: ignore[arg-type]
    "no_compiles": (lambda: jitwatch.no_compiles(allow_loads="no"), "allow_loads is 'no'"),  # type: ignore[arg-type]
    "reuse": (lambda: jitwatch.reuse("yes"), "on is 'yes'"),  # type: ignore[arg-type]
    "reusing": (lambda: jitwatch.reusing(several_processes=1), "several_processes is 1"),  # type: ignore[arg-type]
    "call_log": (lambda: jitwatch.call_log("log.txt"), "given 'log.txt'; give a function"),  # type: ignore[arg-type]
    "report": (lambda: jitwatch.report("x"), r"given 'x'; give what a snapshot\(\) returned"),  # type: ignore[arg-type]
    "color": (lambda: jitwatch.report(color="red"), "color is 'red'"),  # type: ignore[arg-type]
    "width": (lambda: jitwatch.report(width=0), "width is 0; valid is a whole number"),
    "width of a function": (lambda: jitted().cache_report(width="80"), "width is '80'"),
    "context": (lambda: jitwatch.context(), "given nothing; give values by name"),
    "key of no call": (lambda: jitted().cache_key(), "missing a required argument: 'x'"),
    "run": (lambda: warm(spec(X), run="yes"), "run is 'yes'"),
    "progress": (lambda: warm(spec(X), progress="yes"), "progress is 'yes'"),
    "warm size": (lambda: warm({"x": ("a",)}, like=spec(X)), r"declared as \('a',\)"),
    "warm negative": (lambda: warm(spec(NEGATIVE)), r"entry 1: a shape is \(-1,\)"),
    "assert_compiles": (lambda: assert_compiles(exactly=1, eager="yes"), "eager is 'yes'"),  # type: ignore[arg-type]
    "assert_no_recompiles": (lambda: assert_no_recompiles(this_thread=0), "this_thread is 0"),  # type: ignore[arg-type]
    "assert_traces": (lambda: assert_traces(exactly="1"), "exactly must be a whole number"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_one_clear_error(mistake: str) -> None:
    make, message = MISTAKES[mistake]

    with pytest.raises(JitwatchError, match=message) as raised:
        make()

    assert "\n" not in str(raised.value)


def test_unknown_option_names_the_one_that_was_meant() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_compile'") as raised:
        jitted(max_compile=3)

    assert raised.value.__notes__[-1] == "jitwatch: did you mean max_compiles?"


@pytest.mark.parametrize(("variable", "meant"), [
    ("JITWATCH_MAXCOMPILES", "MAX_COMPILES"), ("JITWATCH_MOD", "MODE"), ("JITWATCH_PROGRESS", "PROGRESS_S"),
    ("JITWATCH_FILES", "FILE"), ("JITWATCH_TPO", "TOP"), ("JITWATCH_SORTED", "SORT"),
])  # fmt: skip
def test_variable_that_is_nearly_one_of_jitwatchs_is_an_error(
    variable: str, meant: str, monkeypatch: pytest.MonkeyPatch, state: Any
) -> None:
    monkeypatch.setenv(variable, "3")

    with pytest.raises(JitwatchError, match=f"variable {variable} is none of jitwatch's; is it JITWATCH_{meant}?"):
        jitted()


def test_other_variables_are_no_concern_of_jitwatchs(monkeypatch: pytest.MonkeyPatch, state: Any) -> None:
    monkeypatch.setenv("JITWATCH_TEAM_DASHBOARD", "on")

    assert jitted()(X).shape == (3,)


def test_a_default_that_is_named_in_a_warm_up_is_an_argument() -> None:
    f = jitted()

    f.warm_up([{"x": (4,), "n": 2}, {"n": 3}], like=spec(X))
    f(np.ones(4, np.float32), n=2), f(X, n=3)

    assert (f.cache_info().compiles, f.cache_info().hits) == (2, 2)
