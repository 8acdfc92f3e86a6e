"""What the recorder knew at a moment, worked out only where it is asked for or before something changes.

A block that counts what happens in it needs the state before it and after it. A snapshot takes as long as there are
functions and keys, and most blocks see nothing: so a moment notes the hits alone, which grow without a word, and has
the snapshot made when the next thing is counted.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from time import monotonic, time
from typing import Any, Protocol

import msgspec

from jitwatch import _faults
from jitwatch._model import FunctionStats, Snapshot
from jitwatch._record.tallies import HitCounter

MIN_SETTLED, MAX_WAITING = 1_000, 1_000
_Place = tuple[int, int]
"""The number of a function, and of a key of its; 0 for all keys beyond the bound."""


class Moment:
    """One moment; made, and kept, while the recorder's lock is held."""

    def __init__(self, places: tuple[_Place, ...], hits: list[int]) -> None:
        self._places, self._hits = places, hits
        """Of the keys that JAX's dispatch cache may hold."""
        self._faults, self._unix_s, self._started_s = _faults.count(), time(), monotonic()
        self.snapshot: Snapshot | None = None
        """Once it was made."""

    def keep(self, now: Snapshot) -> None:
        """Make the snapshot of one that was taken since, when nothing but hits had been counted in between."""
        hits: dict[int, dict[int, int]] = {}
        for (function, key), count in zip(self._places, self._hits, strict=True):
            hits.setdefault(function, {})[key] = count
        functions = tuple(_with_hits(each, hits[each.id]) if each.id in hits else each for each in now.functions)
        wall_s = max(0.0, now.wall_s - (monotonic() - self._started_s))
        self.snapshot = msgspec.structs.replace(
            now, functions=functions, faults=self._faults, unix_s=self._unix_s, wall_s=wall_s
        )
        self._places, self._hits = (), []


def _with_hits(function: FunctionStats, then: dict[int, int]) -> FunctionStats:
    changed = any(then.get(key.number, key.hits) != key.hits for key in function.keys)
    beyond = function.hits - sum(key.hits for key in function.keys)
    if not changed and then.get(0, beyond) == beyond:
        return function
    keys = tuple(msgspec.structs.replace(key, hits=then.get(key.number, key.hits)) for key in function.keys)
    hits = sum(key.hits for key in keys) + then.get(0, beyond)
    return msgspec.structs.replace(function, keys=keys, hits=hits)


class _Key(Protocol):
    """The live counts of a key."""

    entry: Callable[[], Any]
    """What JAX's cache entry for it holds; None if there is none."""
    hits: HitCounter


class Moments:
    """The moments of which the snapshot is not made yet, and the hits that grow without a word."""

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take
        self._waiting: list[weakref.ref[Moment]] = []
        self._live: dict[_Place, _Key] = {}
        self._values: dict[_Place, Callable[[], int]] = {}
        """Of the same keys in the same order what reads their hits: thousands are read for each moment."""
        self._settle_at = MIN_SETTLED

    def hold(self, place: _Place, key: _Key) -> None:
        """A key has an entry in JAX's dispatch cache; the lock is held, here and below."""
        if place not in self._live:
            if len(self._live) >= self._settle_at:
                self._settle()
            self._live[place], self._values[place] = key, key.hits.value

    def _settle(self) -> None:
        """Leave out the keys that the dispatch cache no longer holds, so that their hits cannot grow."""
        for place in [place for place, key in self._live.items() if key.entry() is None]:
            del self._live[place], self._values[place]
        self._settle_at = max(2 * len(self._live), MIN_SETTLED)

    def now(self) -> Moment:
        """The moment that it is."""
        moment = Moment(tuple(self._values), list(map(operator.call, self._values.values())))
        if len(self._waiting) >= MAX_WAITING:  # in a program that counts nothing any more
            self._waiting = [each for each in self._waiting if each() is not None]
        self._waiting.append(weakref.ref(moment))
        return moment

    def end(self) -> None:
        """Something else than a hit is about to be counted, or a snapshot is asked for: make those of all."""
        if self._waiting:
            waiting = [moment for each in self._waiting if (moment := each()) is not None]
            self._waiting.clear()
            if waiting:
                now = self._take()
                for moment in waiting:
                    moment.keep(now)
