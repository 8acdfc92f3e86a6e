"""`max_compiles`, `expect` and `on_excess`: what is in excess is told, or stopped, before XLA runs."""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._model import Alert


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    jitwatch.reset()


def test_what_is_within_the_limit_is_not_told() -> None:
    f = watched_jit(lambda x: x * 2, max_compiles=3, on_excess="raise")

    for _ in range(2):
        for size in (3, 5, 7):
            f(np.ones(size, np.float32))
            f(jnp.ones(size))  # dispatched, not compiled

    assert f.cache_info().compiles == 3


def test_excess_raises_before_xla_and_says_why(backend_compiles: list[str]) -> None:
    f = watched_jit(lambda x: x * 2, max_compiles=1, on_excess="raise")
    f(np.ones(3, np.float32))
    backend_compiles.clear()

    with pytest.raises(jitwatch.RecompilationError) as caught:
        f(np.ones(4, np.float32))

    alert = caught.value.alert
    assert backend_compiles == [] and f.cache_info().compiles == f.cache_info().traces == 1
    assert (alert.kind, alert.cause, alert.code, alert.compiles) == ("limit", "shape", "JW101", 1)
    assert "must not compile for the 2nd time, with max_compiles=1, called at " + __file__ in str(caught.value)
    assert "x: f32[3] → f32[4] (axis 0: 3 → 4)" in str(caught.value)


def test_excess_warns_by_default_and_compiles() -> None:
    f = watched_jit(lambda x: x * 2, max_compiles=1)
    f(np.ones(3, np.float32))

    with pytest.warns(jitwatch.ShapeChurnWarning, match="for the 2nd time") as caught:
        assert f(np.ones(4, np.float32)).shape == (4,)

    assert caught[0].filename == __file__
    assert f.cache_info().compiles == 2


def test_excess_is_said_once_and_again_at_ten_times() -> None:
    f = watched_jit(lambda x: x * 2, max_compiles=1)

    with pytest.warns(jitwatch.ShapeChurnWarning) as caught:
        for size in range(3, 24):
            f(np.ones(size, np.float32))

    assert [each.message.alert.compiles for each in caught] == [1, 10]


def test_excess_calls_the_users_function_before_xla(backend_compiles: list[str]) -> None:
    seen: list[tuple[Alert, int]] = []
    f = watched_jit(
        lambda x: x * 2, max_compiles=1, on_excess=lambda alert: seen.append((alert, len(backend_compiles)))
    )

    f(np.ones(3, np.float32))
    before = len(backend_compiles)
    for size in (4, 5):
        assert f(np.ones(size, np.float32)).shape == (size,)

    assert [(alert.kind, alert.compiles) for alert, _ in seen] == [("limit", 1), ("limit", 2)]
    assert [count for _, count in seen] == [before, before + 1]


def test_users_function_can_stop_the_call(backend_compiles: list[str]) -> None:
    class Stop(Exception):
        pass

    def stop(alert: Alert) -> None:
        raise Stop(alert.cause)

    f = watched_jit(lambda x: x * 2, max_compiles=1, on_excess=stop)
    f(np.ones(3, np.float32))
    backend_compiles.clear()

    with pytest.raises(Stop, match="shape"):
        f(np.ones(4, np.float32))

    assert backend_compiles == []


def test_limit_of_the_settings_holds_for_all_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MAX_COMPILES", "1")
    monkeypatch.setenv("JITWATCH_MODE", "error")
    with jitwatch.watching():
        installed = jax.jit(lambda x: x * 2)
    for f in (watched_jit(lambda x: x + 1), installed):
        f(np.ones(3, np.float32))
        with pytest.raises(jitwatch.RecompilationError, match="max_compiles=1"):
            f(np.ones(4, np.float32))


def test_reset_gives_the_limit_anew() -> None:
    f = watched_jit(lambda x: x * 2, max_compiles=1, on_excess="raise")
    f(np.ones(3, np.float32))
    jitwatch.reset()

    f(np.ones(4, np.float32))

    with pytest.raises(jitwatch.RecompilationError):
        f(np.ones(5, np.float32))


def test_functions_made_anew_are_told_of_in_spite_of_a_limit() -> None:
    with pytest.warns(jitwatch.IdentityChurnWarning):
        for _ in range(6):
            watched_jit(lambda x: x * 2, max_compiles=4)(1.0)


@pytest.mark.parametrize("options", [
    {"max_compiles": 0}, {"max_compiles": True}, {"max_compiles": "many"}, {"on_excess": "explode"}, {"warn_compiles": -1},
])  # fmt: skip
def test_bad_option_says_what_is_valid(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()

    with pytest.raises(jitwatch.JitwatchError, match="valid") as caught:
        watched_jit(lambda x: x, **options)

    assert name in str(caught.value) and repr(value) in str(caught.value)


DECLARED: dict[str, Any] = {
    "shapes by name": [{"x": (8,)}, {"x": (16,)}],
    "calls": [jitwatch.spec(jax.ShapeDtypeStruct((size,), "float32")) for size in (8, 16)],
    "one with any size": {"x": (None,)},
}


@pytest.mark.parametrize("form", DECLARED)
def test_only_what_is_outside_the_declared_calls_is_told(form: str) -> None:
    f = watched_jit(lambda x: x * 2, expect=DECLARED[form], on_excess="raise")

    for size in (8, 16):
        f(np.ones(size, np.float32))
    with pytest.raises(jitwatch.RecompilationError, match="that its expect= does not declare") as caught:
        f(np.ones((8, 2), np.float32))

    assert (caught.value.alert.kind, caught.value.alert.cause) == ("unexpected", "shape")


def test_declared_calls_are_no_churn() -> None:
    f = watched_jit(lambda x: x * 2, expect=[{"x": (size,)} for size in range(3, 23)])

    with warnings.catch_warnings():
        warnings.simplefilter("error", jitwatch.RecompilationWarning)
        for size in range(3, 23):
            f(np.ones(size, np.float32))


def test_bad_declaration_is_refused_where_it_is_made() -> None:
    with pytest.raises(jitwatch.JitwatchError, match="nonsense"):
        watched_jit(lambda x: x * 2, expect=[{"nonsense": (8,)}])
