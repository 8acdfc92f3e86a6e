"""Publish and subscribe within one process: capture publishes, whoever shows or keeps subscribes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitwatch import _faults, _state
from jitwatch._errors import JitwatchError, pass_interrupt, repr_of

Subscriber = Callable[[Any], None]


class Hub:
    """Who is told of events."""

    def __init__(self) -> None:
        self.subscribers: dict[object, Subscriber] = {}
        """Each under a token of its own: one step adds it and one takes it away, so that no lock is needed."""


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Call `subscriber(event)` for each event from now on; returns what ends that.

    Raises:
        JitwatchError: It is no function.
    """
    if not callable(subscriber):
        raise JitwatchError(f"subscribe() was given {repr_of(subscriber)}; give a function that takes an event.")
    hub, token = _state.part(Hub), object()
    hub.subscribers[token] = subscriber

    def unsubscribe() -> None:
        hub.subscribers.pop(token, None)

    return unsubscribe


def has_subscribers() -> bool:
    """Whether anybody is told of events."""
    return bool(_state.part(Hub).subscribers)


def publish(event: Any) -> None:
    """Hand an event to every subscriber on this thread; one that fails is recorded as a fault."""
    subscribers = _state.part(Hub).subscribers
    if not subscribers:
        return
    for subscriber in subscribers.copy().values():
        try:
            subscriber(event)
        except BaseException as error:
            pass_interrupt(error)
            _faults.record(f"subscriber {_name(subscriber)}", error)


def _name(subscriber: Subscriber) -> str:
    return str(getattr(subscriber, "__qualname__", None) or type(subscriber).__qualname__)
