"""What is said, how often, and what is honoured of Python's own options."""

from __future__ import annotations

import sys
import warnings

import pytest

import jitwatch
from jitwatch._model import Alert
from jitwatch._policy import say
from jitwatch._state import State


def alert(cause: str = "shape", kind: str = "limit") -> Alert:
    return Alert(kind, "JW101", cause, "step", "train.py:41", "train.py:50", (), 1, "step must not compile.")


@pytest.fixture(autouse=True)
def silent_voice(state: State) -> say.Voice:
    return say.voice()


@pytest.mark.parametrize(
    ("amounts", "said"), [((1, 2, 9, 10, 11, 99, 100), (1, 10, 100)), ((4, 39, 40), (4, 40)), ((0, 5, 10), (0, 10))]
)
def test_topic_is_said_again_at_ten_times_as_much(amounts: tuple[int, ...], said: tuple[int, ...]) -> None:
    voice = say.Voice()

    assert tuple(amount for amount in amounts if voice.is_new("topic", amount)) == said
    assert voice.is_new("other topic", 1)


def test_process_says_no_more_than_the_bound_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(say, "monotonic", lambda: now)
    voice = say.Voice()
    allowed = [voice.may_speak() for _ in range(say.MAX_SAID + 3)]
    now += say.WINDOW_S

    assert allowed == [True] * say.MAX_SAID + [False] * 3
    assert voice.may_speak()
    assert (voice.take_held_back(), voice.take_held_back()) == (3, 0)


def test_topics_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(say, "MAX_TOPICS", 10)
    voice = say.Voice()
    for topic in range(100):
        voice.is_new(topic, 1)
        voice.count(topic)

    assert len(voice._levels) <= 10 and len(voice._counts) <= 10


def test_action_raises_warns_or_calls() -> None:
    called: list[Alert] = []

    with pytest.raises(jitwatch.RecompilationError, match="step must not compile") as caught:
        say.act(alert(), "raise", None)
    with pytest.warns(jitwatch.ShapeChurnWarning, match="step must not compile"):
        say.act(alert(), "warn", None)
    say.act(alert(), called.append, None)

    assert caught.value.alert == called[0] == alert()


def test_cause_without_a_class_of_its_own_is_a_recompilation_warning() -> None:
    with pytest.warns(jitwatch.RecompilationWarning) as caught:
        say.act(alert("first"), "warn", None)

    assert caught[0].category is jitwatch.RecompilationWarning


@pytest.mark.parametrize(("option", "action"), [
    ("error::jitwatch.RecompilationWarning", "error"), ("e::jitwatch.RecompilationWarning::", "error"),
    ("nonsense::jitwatch.RecompilationWarning", None),
    ("error::DeprecationWarning", None), ("error", None),
])  # fmt: skip
def test_interpreters_options_are_honoured(monkeypatch: pytest.MonkeyPatch, option: str, action: str | None) -> None:
    monkeypatch.setattr(sys, "warnoptions", [option])
    with warnings.catch_warnings():
        warnings.resetwarnings()
        say.honour_warning_options()
        found = [(each[0], each[2]) for each in warnings.filters]

    assert found == ([] if action is None else [(action, jitwatch.RecompilationWarning)])


@pytest.mark.parametrize("name", sorted(set(jitwatch.__all__)))
def test_public_warnings_and_errors_name_jitwatch_as_their_home(name: str) -> None:
    value = getattr(jitwatch, name)
    if isinstance(value, type) and issubclass(value, BaseException):
        assert value.__module__ == "jitwatch"
