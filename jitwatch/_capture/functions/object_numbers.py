"""Numbers of the user's objects, so that a recording can say "another object" without keeping any alive."""

from __future__ import annotations

import functools
import itertools
import weakref
from typing import Any

from jitwatch import _state


class _Objects:
    """Numbers of objects, for as long as they live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._numbers = itertools.count(1)

    def number(self, value: Any) -> int:
        """The number of an object; 0 for one that cannot be told from those that come after it at its address."""
        place = id(value)
        known = self._known.get(place)
        if known is not None and known[0]() is value:
            return known[1]
        try:
            reference = weakref.ref(value, functools.partial(self._known.pop, place))  # in C: see `_state`
        except TypeError:
            return 0
        number = next(self._numbers)
        self._known[place] = reference, number
        return number


def number_of(value: Any) -> int:
    """The number of an object in this process; 0 where Python gives no weak reference to it, as to a dict."""
    return _state.part(_Objects).number(value)
