"""Counters that are added to while a program runs."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from jitwatch._model import Stages

NO_STAGES = Stages()


class Tally:
    """Stages, added up."""

    __slots__ = Stages.__struct_fields__

    def __init__(self) -> None:
        self.traces = self.lowerings = self.compiles = self.loads = self.reused = 0
        self.trace_s = self.lower_s = self.compile_s = self.load_s = self.reuse_s = self.saved_s = 0.0

    def add(self, other: Stages | Tally) -> None:
        """Add counts and seconds of `other`."""
        for name in Stages.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def stages(self) -> Stages:
        """The sums so far."""
        if not self:
            return NO_STAGES
        return Stages(*(getattr(self, name) for name in Stages.__struct_fields__))

    def __bool__(self) -> bool:
        return bool(self.activity() or self.trace_s)

    def activity(self) -> int:
        """A number that grows with each stage."""
        return int(self.traces + self.lowerings + self.programs())

    def programs(self) -> int:
        """How many programs were made, loaded or reused."""
        return int(self.compiles + self.loads + self.reused)


class HitCounter:
    """Counts in C, so exactly under threads and for some 150 ns, the calls that JAX's C++ serves with one key.

    `call` takes the one-tuple that C++ hands it and returns its element. `functools` documents that with `maxsize=0`
    `lru_cache` caches nothing and only counts.
    """

    __slots__ = ("call", "value")

    def __init__(self) -> None:
        self.call = _counting(operator.itemgetter(0))
        self.value: Callable[[], int] = self.call.cache_info
        """Hits so far."""
        if not isinstance(self.value(), int):
            self.value = functools.partial(_misses, self.call)

    def add_one(self) -> None:
        """Count a hit that a call log led around the fast path."""
        self.call((None,))


def _misses(call: Any) -> int:
    return int(call.cache_info().misses)


def _counting(function: Callable[..., Any]) -> Any:
    """`lru_cache(maxsize=0)`, whose `cache_info` gives the number alone.

    `lru_cache` is a C class with the class of its result as an argument, which gets four numbers, of which the other
    three are 0 here (CPython 3.11 to 3.14). Thousands of counters are read at once, and a named tuple for each is slow.
    """
    try:
        make: Any = functools._lru_cache_wrapper
        return make(function, 0, False, max)
    except Exception:  # another Python
        return functools.lru_cache(maxsize=0)(function)
