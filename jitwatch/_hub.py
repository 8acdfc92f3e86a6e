"""Publish and subscribe within one process: capture publishes, whoever shows or keeps subscribes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitwatch import _faults, _state

Subscriber = Callable[[Any], None]


class Hub:
    """Who is told of events."""

    def __init__(self) -> None:
        self._lock = _state.Lock()
        self.subscribers: tuple[Subscriber, ...] = ()

    def add(self, subscriber: Subscriber) -> None:
        """Tell this one too."""
        with self._lock:
            self.subscribers = (*self.subscribers, subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Tell this one no more."""
        with self._lock:
            self.subscribers = tuple(other for other in self.subscribers if other is not subscriber)


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Call `subscriber(event)` for each event from now on; returns what ends that."""
    hub = _state.part(Hub)
    hub.add(subscriber)

    def unsubscribe() -> None:
        hub.remove(subscriber)

    return unsubscribe


def publish(event: Any) -> None:
    """Hand an event to every subscriber on this thread; one that fails is recorded as a fault."""
    for subscriber in _state.part(Hub).subscribers:
        try:
            subscriber(event)
        except Exception as error:
            _faults.record(f"subscriber {getattr(subscriber, '__qualname__', subscriber)!s}", error)
