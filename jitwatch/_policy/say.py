"""Says alerts: as a warning, an error or a call of the user's; not twice, never in a flood. Imports no JAX."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from time import monotonic
from types import FrameType
from typing import Any

import msgspec

from jitwatch import _faults, _hub, _state
from jitwatch._errors import WARNINGS, JitwatchError, RecompilationError, RecompilationWarning, repr_of
from jitwatch._model import Alert

AGAIN = 10
"""A warning is said again when what it is about has become so many times as much."""
MAX_SAID, WINDOW_S = 20, 600.0
"""Warnings in the whole process within so many seconds; the next one says how many were held back."""
MAX_TOPICS = 10_000

ACTIONS = ("raise", "warn")
Action = str | Callable[[Alert], Any]
_logger = logging.getLogger("jitwatch")


def check_action(action: Any, name: str) -> None:
    """Refuse what is no action.

    Raises:
        JitwatchError: It is none.
    """
    if not callable(action) and action not in ACTIONS:
        raise JitwatchError(
            f"{name} is {repr_of(action)}; valid are 'raise', 'warn' or a function that takes the alert."
        )


class Voice:
    """What was said so far, over the whole process."""

    def __init__(self) -> None:
        self._lock = _state.Lock()
        self.reset()

    def reset(self) -> None:
        """Begin as if nothing had been said."""
        self._levels: dict[Hashable, int] = {}
        self._counts: Counter[Hashable] = Counter()
        self._times: deque[float] = deque(maxlen=MAX_SAID)
        self.held_back = 0

    def is_new(self, topic: Hashable, amount: int) -> bool:
        """Whether a topic was not said yet, or is so much more now that it is worth saying again."""
        with self._lock:
            if amount < AGAIN * self._levels.get(topic, 0):
                return False
            if len(self._levels) >= MAX_TOPICS:
                self._levels.clear()
            self._levels[topic] = max(amount, 1)
            return True

    def count(self, topic: Hashable) -> int:
        """How often a topic came up, this time included."""
        with self._lock:
            if len(self._counts) >= MAX_TOPICS:
                self._counts.clear()
            self._counts[topic] += 1
            return self._counts[topic]

    def may_speak(self) -> bool:
        """Whether the process has not said too much lately; if not, what is not said is counted."""
        now = monotonic()
        with self._lock:
            if len(self._times) == MAX_SAID and now - self._times[0] < WINDOW_S:
                self.held_back += 1
                return False
            self._times.append(now)
            return True

    def take_held_back(self) -> int:
        """How many alerts were held back since this was last asked."""
        with self._lock:
            count, self.held_back = self.held_back, 0
            return count


def voice() -> Voice:
    """The voice of the state in force."""
    return _state.part(Voice)


def act(alert: Alert, action: Action, frame: FrameType | None) -> None:
    """Raise, warn or call the user's function, as the action says; whatever that raises goes on.

    Args:
        alert: What to say.
        action: `raise`, `warn`, or a function that is called with the alert.
        frame: The user's frame, to which the warning is attributed.
    """
    _faults.contain("an alert", _hub.publish, alert, default=None)
    if callable(action):
        action(alert)
    elif action == "raise":
        error = RecompilationError(alert.message)
        error.alert = alert
        raise error
    else:
        warning = _faults.contain("an alert", _warning, alert, default=None)
        if warning is not None:
            _warn(warning, frame)


def _warning(alert: Alert) -> RecompilationWarning | None:
    """The warning of an alert, which goes to the log as well; None if it was said, or too much was."""
    topic = (alert.kind, alert.function, alert.defined_at, alert.cause)
    if not (alert.kind == "churn" or voice().is_new(topic, voice().count(topic))) or not voice().may_speak():
        return None
    held_back = voice().take_held_back()
    more = f"\n  {held_back} more such warnings were held back; jitwatch.report() has all." if held_back else ""
    warning = WARNINGS.get(alert.cause, RecompilationWarning)(alert.message + more)
    warning.alert = alert
    _faults.contain("logging an alert", _log, alert, default=None)
    return warning


def _warn(warning: RecompilationWarning, frame: FrameType | None) -> None:
    if frame is None:
        warnings.warn(warning, stacklevel=2)
    else:
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        module = str(frame.f_globals.get("__name__") or "<unknown>")
        warnings.warn_explicit(warning, type(warning), frame.f_code.co_filename, frame.f_lineno, module, registry)


def _log(alert: Alert) -> None:
    """Also a line of the log, where the program has one: without a handler Python would print it a second time."""
    if _logger.hasHandlers():
        _logger.warning("%s", alert.message, extra={"jitwatch": msgspec.to_builtins(alert)})


def honour_warning_options() -> None:
    """Apply `python -W` and `PYTHONWARNINGS` that name a class of jitwatch's.

    Python reads them before it can import a package, and so leaves them out with "Invalid -W option ignored".
    """
    for option in sys.warnoptions:
        action, message, category, *_ = (part.strip() for part in f"{option}::::".split(":"))
        found = next((one for one in _warning_classes() if category == f"jitwatch.{one.__name__}"), None)
        full: Any = next((one for one in _ACTIONS if action and one.startswith(action)), None)
        if found is not None and full is not None:
            warnings.filterwarnings(full, re.escape(message), category=found)


def _warning_classes() -> Iterable[type[RecompilationWarning]]:
    return (RecompilationWarning, *dict.fromkeys(WARNINGS.values()))


_ACTIONS = ("default", "always", "ignore", "module", "once", "error")
