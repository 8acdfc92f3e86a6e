"""The live counts of one function and of its keys."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Iterable
from time import time
from typing import Any, Protocol

import msgspec

from jitwatch import _hub, _state
from jitwatch._model import CacheInfo, CacheKey, CallSite, Captured, Change, FunctionStats, KeyStats, Miss
from jitwatch._record.builds import RECENT_KEYS, Builds
from jitwatch._record.difference import function_difference
from jitwatch._record.moments import Moments
from jitwatch._record.sums import any_ran, lost_s
from jitwatch._record.tallies import NO_STAGES, HitCounter, Tally

MAX_CALL_SITES = 100
MAX_OTHER_KEYS = 1_000
MIN_SETTLED = 1_000
"""Keys from which on those that JAX's dispatch cache has dropped are set apart."""


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
        self.settled = 0
        """Hits when its last entry was found to be gone."""
        self.given_before: int | None = None
        """Programs that the function had been given, with this key's own, when the key was new."""
        self.uses_seen = self.outlived = 0
        self.single_start = False
        """Whether it had served one call when the function was given its next program."""
        self.warmed = 0
        """Misses that `warm_up` made."""
        self.state: tuple[str, ...] = ()
        """Arguments whose arrays came back from the call that compiled."""
        self.entry: Any = lambda: None
        """Weak reference to what JAX's cache entry for this key holds."""

    def activity(self) -> int:
        """A number that grows with everything that is counted."""
        return self.hits.value() + self.misses + self.nested + self.failures + self.tally.activity() + self.single_start

    def stats(self) -> KeyStats:
        """The counts as plain data."""
        assert self.key is not None
        return KeyStats(
            self.number, self.key, self.hits.value(), self.misses, self.dispatch_only, self.nested, self.failures,
            self.tally.stages(), self.first_unix_s, self.last_miss_unix_s, self.slow_path, self.executable,
            _sites(self.call_sites), self.declared, self.outlived, self.warmed, self.state,
            self.single_start,
        )  # fmt: skip


class Ledger(Protocol):
    """What the records of all functions share."""

    lock: _state.AwaitedLock
    moments: Moments
    baseline: dict[int, FunctionStats]
    """Counts at the last reset, by the function's number."""

    def keep(self, miss: Miss) -> None:
        """Put a miss on the list of the most recent ones; the lock is held."""


class Asked(Protocol):
    """What a function's author asked for; the record knows how many keys to keep, and no more of it."""

    max_keys: int

    def lasting(self) -> Asked:
        """What of it stays when the function is gone: no object of the user's."""


class FunctionRecord:
    """The live counts of one jitted function."""

    def __init__(
        self, ledger: Ledger, number: int, name: str, qualname: str, defined_at: str,
        options: tuple[tuple[str, str], ...], approximate: bool, hits_counted: bool, policy: Asked | None = None,
        bound: str = "", code: str = "", jitted_at: str = "",
    ) -> None:  # fmt: skip
        self.bound, self.code, self.jitted_at = bound, code, jitted_at
        self.hits_counted = hits_counted
        self.ledger, self.id, self.name, self.qualname = ledger, number, name, qualname
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
        self._live: dict[int, KeyRecord] = {}
        """Keys that may have an entry in JAX's dispatch cache; the hits of all others are in `_settled_hits`."""
        self._values: dict[int, Callable[[], int]] = {}
        """What reads the hits of the same keys."""
        self._settled_hits, self._settle_at = 0, MIN_SETTLED
        self.hits_at_reset: dict[int, int] = {}
        self.touched: set[int] = set()
        """Numbers of the keys that missed, or are known to have hit, since the last reset."""
        self.objects: tuple[int, ...] = ()
        """Numbers of the objects that it brings along and that `bound` cannot tell from others."""
        self.captured: tuple[Captured, ...] | None = None
        """What it brings along, value by value, as it was at its first trace; None before that."""
        self.source = defined_at
        """The definition as JAX has it; `defined_at` may say later which of the user's functions it stands for."""
        self.program = name
        """The name under which JAX's events speak of it."""
        self._stale_at_exit: tuple[Change, ...] = ()
        self.compare_captured: Any = None
        """Tells which of the values that a key's program was traced with are others now."""
        self._policy: Callable[[], Any] = lambda: None
        self._lasting: Any = None
        if policy is not None:
            self.ask(policy)
        self.in_use: Any = lambda: True
        """Whether the function still exists; functions that are gone make room first."""

    def record_of(self, key: CacheKey | None) -> KeyRecord:
        """The live record of a key, made where the bound allows; beyond it, and for no key, the shared overflow."""
        with self.ledger.lock:
            record = None if key is None else self.keys.get(key)
            if record is None and key is not None:
                self.ledger.moments.end()
            if record is None and key is not None and len(self.keys) < self._max_keys():
                record = self.keys[key] = KeyRecord(len(self.keys) + 1, key, time())
                self.numbered.append(record)
                self._live[record.number], self._values[record.number] = record, record.hits.value
            elif record is None and key is not None:
                self.dropped_keys += 1
            return record or self.overflow

    @property
    def policy(self) -> Any:
        """What the function's author asked for (`_policy.Policy`); None for programs of no watched function."""
        return self._policy() or self._lasting

    def ask(self, policy: Asked) -> None:
        """Put what the author asks for in force; the functions that it was asked for keep it alive, not the record."""
        self._policy, self._lasting = weakref.ref(policy), policy.lasting()

    def _max_keys(self) -> int:
        return MAX_OTHER_KEYS if self.policy is None else int(self.policy.max_keys)

    def add(self, miss: Miss, record: KeyRecord | None) -> None:
        """Count one miss for the function and its key."""
        records = (self.totals,) if record is None else (self.totals, record)
        ran, is_call, failed = any_ran(miss.stages), miss.kind == "call", miss.failed is not None
        with self.ledger.lock:
            self.ledger.moments.end()
            if record is not None:
                self.touched.add(record.number)
            for each in records:
                each.last_miss_unix_s = miss.unix_s
                each.slow_path = miss.slow_path and is_call
                if ran:
                    each.tally.add(miss.stages)
                each.failures += failed
                each.nested += miss.kind == "nested"
                each.misses += is_call
                each.dispatch_only += is_call and not failed and not ran
                if miss.call_site and (miss.call_site in each.call_sites or len(each.call_sites) < MAX_CALL_SITES):
                    misses, seconds, _ = each.call_sites.get(miss.call_site, (0, 0.0, ""))
                    each.call_sites[miss.call_site] = misses + 1, seconds + lost_s(miss.stages), miss.library
            self.builds.add(miss, None if record is self.overflow else record, self.numbered[-RECENT_KEYS:])
            if miss.helpers is not NO_STAGES and any_ran(miss.helpers):
                self.helpers.add(miss.helpers)
            if miss.kind in ("aot", "backward"):
                getattr(self, miss.kind).add(miss.stages)
            if miss.failed is not None:
                self.last_failure = miss
            self.ledger.keep(miss)
        _hub.publish(miss)

    def add_slow(self, record: KeyRecord) -> None:
        """Count one more call of a key that JAX's fast path does not serve, without a record of its own.

        There are as many as calls: kept one by one, they would crowd out the misses in which something was compiled.
        """
        now = time()
        with self.ledger.lock:
            self.ledger.moments.end()
            self.touched.add(record.number)
            for each in (self.totals, record):
                each.last_miss_unix_s = now
                each.misses += 1
                each.dispatch_only += 1

    def definition(self) -> tuple[str, str, str, str]:
        """Equal for the function objects that one definition made; one line may have several definitions."""
        return self.name, self.qualname, self.defined_at, self.code

    def is_like(self, other: FunctionRecord) -> bool:
        """Whether two function objects of one definition bring along the same."""
        return (self.bound, self.objects) == (other.bound, other.objects)

    def expect_rebuild(self) -> None:
        """Count the next dispatch-only miss of each key as a hit: jitwatch empties the dispatch cache."""
        with self.ledger.lock:
            for key in self.keys.values():
                key.rebuild_pending = key.seen

    def compiles(self) -> int:
        """XLA compilations since the last reset."""
        with self.ledger.lock:
            before = self.ledger.baseline.get(self.id)
            return self.totals.tally.compiles - (before.stages.compiles if before else 0)

    def stats(self) -> FunctionStats:
        """The counts as plain data, since the last reset."""
        with self.ledger.lock:
            now = self._stats()
            before = self.ledger.baseline.get(self.id)
        return self.with_stale(now if before is None else function_difference(now, before))

    def info(self) -> CacheInfo:
        """The counts in short, since the last reset; without a look at keys whose hits can no longer grow."""
        with self.ledger.lock:
            before = self.ledger.baseline.get(self.id)
            hits, used = self._live_hits(before is not None)
            totals, ran = self.totals, self.totals.tally
            counts = (
                hits, totals.misses, len(self.numbered) if before is None else used,
                ran.traces, ran.lowerings, ran.compiles, ran.loads,
                totals.dispatch_only, totals.nested, totals.failures, ran.reused,
            )  # fmt: skip
        if before is None:
            return CacheInfo(*counts)
        then, was = before, before.stages
        earlier = (
            then.hits, then.misses, 0, was.traces, was.lowerings, was.compiles, was.loads, then.dispatch_only,
            then.nested, then.failures, was.reused,
        )  # fmt: skip
        return CacheInfo(*(now - old for now, old in zip(counts, earlier, strict=True)))

    def _live_hits(self, count_used: bool) -> tuple[int, int]:
        """All hits, and if asked for how many keys were used since the last reset; the lock is held."""
        hits, used = self.overflow.hits.value(), len(self.touched - {0}) if count_used else 0
        if len(self._live) >= self._settle_at:
            self._settle()
        if count_used:
            for number, key in self._live.items():
                used += number not in self.touched and key.hits.value() > self.hits_at_reset.get(number, 0)
        return hits + self._settled_hits + sum(map(operator.call, self._values.values())), used

    def _settle(self) -> None:
        """Set apart the keys that JAX's dispatch cache no longer holds; the lock is held."""
        for number, key in tuple(self._live.items()):
            if not self.approximate and key.entry() is None:  # asked first: no hit can come afterwards
                key.settled = key.hits.value()
                self._settled_hits += key.settled
                if key.settled > self.hits_at_reset.get(number, 0):
                    self.touched.add(number)
                del self._live[number], self._values[number]
        self._settle_at = max(2 * len(self._live), MIN_SETTLED)

    def hold(self, key: KeyRecord, entry: Any) -> None:
        """A key has an entry in JAX's dispatch cache, known by a weak reference, so that its hits may grow."""
        with self.ledger.lock:
            key.entry = entry
            self.ledger.moments.hold((self.id, key.number), key)
            if key.number and key.number not in self._live:
                self._settled_hits -= key.settled
                self._live[key.number], self._values[key.number] = key, key.hits.value

    def count_hit(self, key: KeyRecord) -> None:
        """Count a hit that JAX's C++ did not."""
        with self.ledger.lock:
            self.ledger.moments.end()
            key.hits.add_one()

    def begin_anew(self, hits: dict[int, int]) -> None:
        """Counts are set back; `hits` are those of the keys at this moment. The lock is held."""
        self.hits_at_reset = hits
        self.touched = set()

    def activity(self) -> int:
        """A number that grows with everything that is counted, but for the hits of the keys."""
        return (
            self.totals.activity() + self.overflow.hits.value() + self.helpers.activity() + self.dropped_keys
        )  # fmt: skip

    def partial_stats(self, keys: Iterable[KeyRecord]) -> FunctionStats:
        """The live counts with only these keys; `hits` are those of these keys and of the calls beyond the bound."""
        with self.ledger.lock:
            now = self._stats(keys)
        return self.with_stale(now)

    def with_stale(self, stats: FunctionStats) -> FunctionStats:
        """With the values from outside that changed; found without the lock, since it compares values of the user's."""
        stale = self._stale()
        return msgspec.structs.replace(stats, stale=stale) if stale else stats

    def recent_stats(self, programs: int) -> FunctionStats:
        """The live counts with only the most recent programs, so many, and their keys; the lock is held."""
        keys = [key for key in self.numbered if key.tally.programs()][-programs:]
        stats = self._stats(keys)
        return msgspec.structs.replace(stats, builds=stats.builds[-programs:])

    def keep_stale(self) -> None:
        """Compare captured values for the last time: at its exit JAX drops its caches, and then nothing is kept."""
        self._stale_at_exit = self._stale()

    def _stale(self) -> tuple[Change, ...]:
        if self.compare_captured is None or self._stale_at_exit:
            return self._stale_at_exit
        held = [
            key for key in tuple(self.numbered) if key.captured and (key.entry() is not None or not self.hits_counted)
        ]
        return tuple(dict.fromkeys(change for key in held for change in self.compare_captured(key.captured)))

    def _stats(self, of: Iterable[KeyRecord] | None = None) -> FunctionStats:
        keys = tuple(record.stats() for record in self.builds.looked_at(self.numbered if of is None else of))
        totals = self.totals
        return FunctionStats(
            self.id, self.name, self.qualname, self.defined_at, self.options, self.hits_counted,
            sum(key.hits for key in keys) + self.overflow.hits.value(), totals.misses, totals.dispatch_only,
            totals.nested, totals.failures, totals.tally.stages(), self.helpers.stages(), self.aot.stages(),
            self.backward.stages(), keys, self.dropped_keys, _sites(totals.call_sites), self.last_failure,
            self.approximate, 1, (), self.bound, builds=self.builds.stats(),
            dropped_builds=self.builds.dropped, given_up=not self.in_use(), captured=self.captured or (),
            code=self.code, jitted_at=self.jitted_at,
        )  # fmt: skip


def _sites(counts: dict[str, tuple[int, float, str]]) -> tuple[CallSite, ...]:
    return tuple(CallSite(place, *count) for place, count in sorted(counts.items(), key=lambda item: -item[1][0]))
