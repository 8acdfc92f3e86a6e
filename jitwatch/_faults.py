"""Errors of jitwatch's own: caught, counted, logged once for each place. The watched program goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from jitwatch._errors import JitwatchError

T = TypeVar("T")

_logger = logging.getLogger("jitwatch")
_lock = threading.Lock()
_counts: dict[str, int] = {}


def record(where: str, error: BaseException) -> None:
    """Count a fault at `where`, and log its first occurrence there with the traceback."""
    with _lock:
        _counts[where] = _counts.get(where, 0) + 1
        first = _counts[where] == 1
    if first:
        try:
            _logger.error(
                "jitwatch failed in %s; the program goes on, counts may be incomplete from here.", where, exc_info=error
            )
        except Exception:  # a user's handler or a closed stream must not reach the watched call
            pass


def contain(where: str, function: Callable[..., T], *args: Any, default: T) -> T:
    """What the function returns; where it fails, a fault at `where`, and the default.

    A `JitwatchError` is no fault: it tells the user what to mend, so it goes on.
    """
    try:
        return function(*args)
    except JitwatchError:
        raise
    except Exception as error:
        record(where, error)
        return default


def count() -> int:
    """Faults so far in this process."""
    with _lock:
        return sum(_counts.values())
