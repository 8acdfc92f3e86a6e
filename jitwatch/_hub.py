"""Publish and subscribe within one process: capture publishes, whoever shows or keeps subscribes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from jitwatch import _faults

Subscriber = Callable[[Any], None]

_lock = threading.Lock()
_subscribers: tuple[Subscriber, ...] = ()


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Call `subscriber(event)` for each event from now on; returns what ends that."""
    global _subscribers
    with _lock:
        _subscribers = (*_subscribers, subscriber)

    def unsubscribe() -> None:
        global _subscribers
        with _lock:
            _subscribers = tuple(other for other in _subscribers if other is not subscriber)

    return unsubscribe


def publish(event: Any) -> None:
    """Hand an event to every subscriber on this thread; one that fails is recorded as a fault."""
    for subscriber in _subscribers:
        try:
            subscriber(event)
        except Exception as error:
            _faults.record(f"subscriber {getattr(subscriber, '__qualname__', subscriber)!s}", error)
