"""Errors of jitwatch's own: caught, counted, logged once for each place. The watched program goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from jitwatch import _state
from jitwatch._errors import JitwatchError, pass_interrupt

T = TypeVar("T")

_logger = logging.getLogger("jitwatch")


class Faults:
    """How often something of jitwatch's own failed, by place."""

    def __init__(self) -> None:
        self._lock = _state.Lock()
        self._counts: dict[str, int] = {}

    def add(self, where: str) -> bool:
        """One more; returns whether it is the first there."""
        with self._lock:
            self._counts[where] = self._counts.get(where, 0) + 1
            return self._counts[where] == 1

    def count(self) -> int:
        """All of them."""
        with self._lock:
            return sum(self._counts.values())


def record(where: str, error: BaseException) -> None:
    """Count a fault at `where`, and log its first occurrence there with the traceback."""
    if _state.part(Faults).add(where):
        try:
            _logger.error(
                "jitwatch failed in %s; the program goes on, counts may be incomplete from here.", where, exc_info=error
            )
        except BaseException as broken:  # a user's handler or a closed stream must not reach the watched call
            pass_interrupt(broken)


def contain(where: str, function: Callable[..., T], *args: Any, default: T) -> T:
    """What the function returns; where it fails, a fault at `where`, and the default.

    A `JitwatchError` is no fault: it tells the user what to mend, so it goes on. Nor is what a signal's handler raises.
    """
    try:
        return function(*args)
    except JitwatchError:
        raise
    except BaseException as error:  # a repr of the user's may raise SystemExit too
        pass_interrupt(error)
        record(where, error)
        return default


def count() -> int:
    """Faults so far in this process."""
    return _state.part(Faults).count()
