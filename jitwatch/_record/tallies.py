"""Counters that are added to while a program runs."""

from __future__ import annotations

import functools
import operator

from jitwatch._model import Stages


class Tally:
    """Stages, added up."""

    __slots__ = Stages.__struct_fields__

    def __init__(self) -> None:
        self.traces = self.lowerings = self.compiles = self.loads = 0
        self.trace_s = self.lower_s = self.compile_s = self.load_s = 0.0

    def add(self, other: Stages | Tally) -> None:
        """Add counts and seconds of `other`."""
        for name in Stages.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def stages(self) -> Stages:
        """The sums so far."""
        return Stages(*(getattr(self, name) for name in Stages.__struct_fields__))

    def __bool__(self) -> bool:
        return bool(self.traces or self.lowerings or self.compiles or self.loads)

    def activity(self) -> int:
        """A number that grows with each stage."""
        return int(self.traces + self.lowerings + self.compiles + self.loads)


class HitCounter:
    """Counts in C, so exactly under threads and for some 150 ns, the calls that JAX's C++ serves with one key.

    `call` takes the one-tuple that C++ hands it and returns its element. `functools` documents that with `maxsize=0`
    `lru_cache` caches nothing and only counts.
    """

    __slots__ = ("call",)

    def __init__(self) -> None:
        self.call = functools.lru_cache(maxsize=0)(operator.itemgetter(0))

    def add_one(self) -> None:
        """Count a hit that a call log led around the fast path."""
        self.call((None,))

    def value(self) -> int:
        """Hits so far."""
        return self.call.cache_info().misses
