"""Keeps what capture saw: for each function its keys and counts, exact, bounded, under one lock.

Interprets nothing and imports no JAX. Live counters are never set back: a scope, or `reset`, is a difference of two
snapshots.
"""

from __future__ import annotations

import functools
import itertools
import operator
import platform
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from jitwatch import _faults, _hub
from jitwatch._model import (
    CacheKey,
    CallSite,
    Change,
    FunctionStats,
    KeyStats,
    Miss,
    Snapshot,
    Stages,
)
from jitwatch._record.builds import RECENT_KEYS, Builds
from jitwatch._record.difference import function_difference, snapshot_difference
from jitwatch._record.programs import ProgramStore
from jitwatch._record.sums import any_ran, lost_s

MAX_MISSES = 10_000
MAX_FUNCTIONS = 10_000
MAX_CALL_SITES = 100
MAX_OTHERS = 10_000
MAX_OTHER_KEYS = 1_000


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


class KeyRecord:
    """The live counts of one key."""

    def __init__(self, number: int, key: CacheKey | None, unix_s: float) -> None:
        self.number, self.key = number, key
        self.hits = HitCounter()
        self.misses = self.dispatch_only = self.nested = self.failures = 0
        self.tally = Tally()
        self.first_unix_s = self.last_miss_unix_s = unix_s
        self.slow_path = False
        self.executable: int | None = None
        self.call_sites: dict[str, tuple[int, float, str]] = {}
        """Misses from each line, and seconds in their stages."""
        self.captured: dict[Any, Any] = {}
        """Plain values from outside that the body read when this key was traced."""
        self.declared = False
        """Whether a declared call made it: a warm-up, or one that `expect` covers."""
        self.seen = False
        """Whether a call with this key came to its end."""
        self.rebuild_pending = False
        """Whether jitwatch itself emptied the dispatch cache, so that the next dispatch-only miss counts as a hit."""
        self.heal_pending = False
        """Whether jitwatch stopped a call of this key, after which JAX closes its fast path to the key."""
        self.given_before: int | None = None
        """Programs that the function had been given, with this key's own, when the key was new."""
        self.uses_seen = self.outlived = 0
        self.entry: Any = lambda: None
        """Weak reference to what JAX's cache entry for this key holds."""

    def activity(self) -> int:
        """A number that grows with everything that is counted."""
        return self.hits.value() + self.misses + self.nested + self.failures + self.tally.activity()

    def stats(self) -> KeyStats:
        """The counts as plain data."""
        assert self.key is not None
        return KeyStats(
            self.number, self.key, self.hits.value(), self.misses, self.dispatch_only, self.nested, self.failures,
            self.tally.stages(), self.first_unix_s, self.last_miss_unix_s, self.slow_path, self.executable,
            _sites(self.call_sites), self.declared, self.outlived,
        )  # fmt: skip


class FunctionRecord:
    """The live counts of one jitted function."""

    def __init__(
        self, recorder: Recorder, number: int, name: str, qualname: str, defined_at: str,
        options: tuple[tuple[str, str], ...], approximate: bool, hits_counted: bool, policy: Any = None,
        bound: str = "",
    ) -> None:  # fmt: skip
        self.bound = bound
        self.hits_counted = hits_counted
        self.recorder, self.id, self.name, self.qualname = recorder, number, name, qualname
        self.defined_at, self.options, self.approximate = defined_at, options, approximate
        self.keys: dict[CacheKey, KeyRecord] = {}
        self.numbered: list[KeyRecord] = []
        """The records of `keys`, by number less one."""
        self.overflow = KeyRecord(0, None, 0.0)
        self.dropped_keys = 0
        self.totals = KeyRecord(0, None, 0.0)
        self.helpers, self.aot, self.backward = Tally(), Tally(), Tally()
        self.last_failure: Miss | None = None
        self.builds = Builds()
        self.executables = 0
        self.objects: tuple[int, ...] = ()
        """Numbers of the objects that it brings along and that `bound` cannot tell from others."""
        self.source = defined_at
        """The definition as JAX has it; `defined_at` may say later which of the user's functions it stands for."""
        self.program = name
        """The name under which JAX's events speak of it."""
        self._stale_at_exit: tuple[Change, ...] = ()
        self.compare_captured: Any = None
        """Tells which of the values that a key's program was traced with are others now."""
        self.policy = policy
        """What the function's author asked for (`_alert.Policy`); None for programs of no watched function."""
        self.in_use: Any = lambda: True
        """Whether the function still exists; functions that are gone make room first."""

    def record_of(self, key: CacheKey | None) -> KeyRecord:
        """The live record of a key, made where the bound allows; beyond it, and for no key, the shared overflow."""
        with self.recorder.lock:
            record = None if key is None else self.keys.get(key)
            if record is None and key is not None and len(self.keys) < self._max_keys():
                record = self.keys[key] = KeyRecord(len(self.keys) + 1, key, time.time())
                self.numbered.append(record)
            elif record is None and key is not None:
                self.dropped_keys += 1
            return record or self.overflow

    def _max_keys(self) -> int:
        return MAX_OTHER_KEYS if self.policy is None else int(self.policy.max_keys)

    def add(self, miss: Miss, record: KeyRecord | None) -> None:
        """Count one miss for the function and its key."""
        records = [self.totals] if record is None else [self.totals, record]
        ran = any_ran(miss.stages)
        with self.recorder.lock:
            for each in records:
                each.last_miss_unix_s = miss.unix_s
                each.slow_path = miss.slow_path and miss.kind == "call"
                if ran:
                    each.tally.add(miss.stages)
                each.failures += miss.failed is not None
                each.nested += miss.kind == "nested"
                each.misses += miss.kind == "call"
                each.dispatch_only += miss.kind == "call" and miss.failed is None and not ran
                if miss.call_site and (miss.call_site in each.call_sites or len(each.call_sites) < MAX_CALL_SITES):
                    misses, seconds, _ = each.call_sites.get(miss.call_site, (0, 0.0, ""))
                    each.call_sites[miss.call_site] = misses + 1, seconds + lost_s(miss.stages), miss.library
            self.builds.add(miss, None if record is self.overflow else record, self.numbered[-RECENT_KEYS:])
            if any_ran(miss.helpers):
                self.helpers.add(miss.helpers)
            if miss.kind in ("aot", "backward"):
                getattr(self, miss.kind).add(miss.stages)
            if miss.failed is not None:
                self.last_failure = miss
            self.recorder.keep(miss)
        _hub.publish(miss)

    def expect_rebuild(self) -> None:
        """Count the next dispatch-only miss of each key as a hit: jitwatch empties the dispatch cache."""
        with self.recorder.lock:
            for key in self.keys.values():
                key.rebuild_pending = key.seen

    def compiles(self) -> int:
        """XLA compilations since the last reset."""
        with self.recorder.lock:
            before = self.recorder.baseline.get(self.id)
            return self.totals.tally.compiles - (before.stages.compiles if before else 0)

    def stats(self) -> FunctionStats:
        """The counts as plain data, since the last reset."""
        with self.recorder.lock:
            now = self._stats()
            before = self.recorder.baseline.get(self.id)
        return now if before is None else function_difference(now, before)

    def activity(self) -> int:
        """A number that grows with everything that is counted, but for the hits of the keys."""
        return (
            self.totals.activity() + self.overflow.hits.value() + self.helpers.activity() + self.dropped_keys
        )  # fmt: skip

    def partial_stats(self, keys: Iterable[KeyRecord]) -> FunctionStats:
        """The live counts with only these keys; `hits` are those of these keys and of the calls beyond the bound."""
        with self.recorder.lock:
            return self._stats(keys)

    def keep_stale(self) -> None:
        """Compare captured values for the last time: at its exit JAX drops its caches, and then nothing is kept."""
        self._stale_at_exit = self._stale()

    def _stale(self) -> tuple[Change, ...]:
        if self.compare_captured is None or self._stale_at_exit:
            return self._stale_at_exit
        held = [key for key in self.numbered if key.captured and (key.entry() is not None or not self.hits_counted)]
        return tuple(dict.fromkeys(change for key in held for change in self.compare_captured(key.captured)))

    def _stats(self, of: Iterable[KeyRecord] | None = None) -> FunctionStats:
        keys = tuple(record.stats() for record in self.builds.looked_at(self.numbered if of is None else of))
        totals = self.totals
        return FunctionStats(
            self.id, self.name, self.qualname, self.defined_at, self.options, self.hits_counted,
            sum(key.hits for key in keys) + self.overflow.hits.value(), totals.misses, totals.dispatch_only,
            totals.nested, totals.failures, totals.tally.stages(), self.helpers.stages(), self.aot.stages(),
            self.backward.stages(), keys, self.dropped_keys, _sites(totals.call_sites), self.last_failure,
            self.approximate, 1, self._stale(), self.bound, self.builds.stats(), self.builds.dropped,
        )  # fmt: skip


class Recorder:
    """All functions of the process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.functions: dict[int, FunctionRecord] = {}
        self.baseline: dict[int, FunctionStats] = {}
        self._base: Snapshot | None = None
        self._others: dict[tuple[str, str, int], FunctionRecord] = {}
        self._others_by_number: dict[int, FunctionRecord] = {}
        self._misses: deque[Miss] = deque(maxlen=MAX_MISSES)
        self._dropped_misses = self._dropped_functions = 0
        self._numbers, self._function_numbers = itertools.count(1), itertools.count(1)
        self.programs = ProgramStore(self.lock)
        self.jax_version = ""

    def add_function(self, **description: Any) -> FunctionRecord:
        """A new function; the oldest that is gone makes room where there are too many."""
        with self.lock:
            record = FunctionRecord(self, next(self._function_numbers), **description)
            if len(self.functions) >= MAX_FUNCTIONS:
                oldest = next(iter(self.functions))
                gone = (number for number, other in self.functions.items() if not other.in_use())
                del self.functions[next(gone, oldest)]
                self._dropped_functions += 1
            self.functions[record.id] = record
            return record

    def next_number(self) -> int:
        """The number of the next miss."""
        return next(self._numbers)

    def recent(self, functions: Iterable[int]) -> tuple[Miss, ...]:
        """The most recent misses of some functions, oldest first."""
        wanted = set(functions)
        with self.lock:
            return tuple(miss for miss in self._misses if miss.function in wanted)

    def keep(self, miss: Miss) -> None:
        """Put a miss on the list of the most recent ones; the lock is held."""
        self._dropped_misses += len(self._misses) == MAX_MISSES
        self._misses.append(miss)

    def misses_of(self, number: int) -> tuple[Miss, ...]:
        """The recent misses of one function since the last reset, oldest first."""
        with self.lock:
            last = self._base.misses[-1].number if self._base is not None and self._base.misses else 0
            return tuple(miss for miss in self._misses if miss.function == number and miss.number > last)

    def other(
        self, name: str, qualname: str = "", defined_at: str = "", bound: str = "", token: int = 0
    ) -> FunctionRecord:
        """The record of programs that belong to no watched function.

        Args:
            name: As JAX has it; alone, it stands for an eager operation.
            qualname: Of a function that is jitted without being watched.
            defined_at: Its definition.
            bound: What the function object brings along.
            token: Tells function objects apart; 0 for the last one of the definition.
        """
        with self.lock:
            if defined_at and not token:
                token = next((key[2] for key in reversed(self._others) if key[:2] == (name, defined_at)), 0)
            identity = name, defined_at, token
            if identity not in self._others and not self._has_room_for_other():
                identity = name, defined_at, _ = "(others)", "", 0
            if identity not in self._others:
                record = self._others[identity] = FunctionRecord(
                    self, next(self._function_numbers), name, qualname or name, defined_at, (), approximate=False,
                    hits_counted=False, bound=bound,
                )  # fmt: skip
                self._others_by_number[record.id] = record
            return self._others[identity]

    def _has_room_for_other(self) -> bool:
        """Whether there is room, which the oldest function makes; eager operations stay."""
        if len(self._others) < MAX_OTHERS:
            return True
        functions = [identity for identity in self._others if identity[1]]
        gone = (identity for identity in functions if not self._others[identity].in_use())
        oldest = next(gone, next(iter(functions), None))
        if oldest is not None:
            del self._others_by_number[self._others.pop(oldest).id]
            self._dropped_functions += 1
        return oldest is not None

    def find(self, number: int) -> FunctionRecord | None:
        """The record with this number; None where it had to make room."""
        return self.functions.get(number) or self._others_by_number.get(number)

    def records(self) -> tuple[FunctionRecord, ...]:
        """The records of all functions, and of programs of no watched function."""
        with self.lock:
            return (*self.functions.values(), *self._others.values())

    def is_other(self, number: int) -> bool:
        """Whether the record with this number stands for programs of no watched function."""
        return number in self._others_by_number

    def snapshot(self) -> Snapshot:
        """Everything since the last reset, as plain data."""
        with self.lock:
            now, base = self._snapshot(), self._base
        return self.programs.described(now if base is None else snapshot_difference(now, base))

    def keep_stale(self) -> None:
        """Do what `FunctionRecord.keep_stale` says, for all functions."""
        with self.lock:
            for function in self.functions.values():
                function.keep_stale()

    def reset(self) -> None:
        """Count from zero again; JAX's caches stay as they are."""
        with self.lock:
            self._base = self._snapshot()
            self.baseline = {function.id: function for function in self._base.functions}

    def live_snapshot(self) -> Snapshot:
        """Everything since the process started."""
        with self.lock:
            now = self._snapshot()
        return self.programs.described(now)

    def _snapshot(self) -> Snapshot:
        others = tuple(other._stats() for other in self._others.values())
        return Snapshot(
            tuple(function._stats() for function in self.functions.values()), others, tuple(self._misses),
            self._dropped_misses, self._dropped_functions, _faults.count(), time.time(), self.jax_version,
            platform.python_version(),
        )  # fmt: skip


def _sites(counts: dict[str, tuple[int, float, str]]) -> tuple[CallSite, ...]:
    return tuple(CallSite(place, *count) for place, count in sorted(counts.items(), key=lambda item: -item[1][0]))


RECORDER = Recorder()
