"""Counts what is compiled or traced in one block of a test, exact over threads, and keeps the first of it explained."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from jitwatch import _hub, _state
from jitwatch._errors import is_interrupt
from jitwatch._judge.codes import CODES
from jitwatch._judge.eager_sizes import eager_cause
from jitwatch._judge.remedies import advice_for
from jitwatch._model import CacheKey, Change, Miss
from jitwatch._policy.reasons import is_again, programs, reason, traces
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder
from jitwatch._testing.verdict import MAX_LISTED, Event


class Counting:
    """A subscriber to misses that counts those of one block; each at its end, for the thread that ran it."""

    def __init__(
        self, what: str, covers: Callable[[FunctionRecord], bool] | None, *, eager: bool, this_thread: bool
    ) -> None:
        self.what = what
        """`compiled`, `recompiled` or `traced`."""
        self.count = self.loads = self.reused = self.elsewhere = 0
        """Counted; of those, loaded from the persistent cache, and reused; and on other threads, where one counts."""
        self.events: list[Event] = []
        self.untold: list[FunctionRecord] = []
        """Functions whose traces cannot be counted, and that may have been traced."""
        self.error: BaseException | None = None
        """Of jitwatch's own, while it counted."""
        self._covers, self._eager = covers, eager
        self._thread = threading.get_ident() if this_thread else None
        self._lock = _state.Lock()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._open = False

    def begin(self) -> None:
        """Count from now on."""
        self._open = True
        self._unsubscribe = _hub.subscribe(self)

    def end(self) -> None:
        """Count no more, also what another thread is just about to hand in."""
        self._unsubscribe()
        with self._lock:
            self._open = False

    def __call__(self, event: Any) -> None:
        """Count one miss, if it is one that matters here."""
        try:
            record = recorder().find(event.function) if isinstance(event, Miss) else None
            if record is not None and self._is_meant(record):
                with self._lock:
                    if self._open:
                        self._take(event, record)
        except BaseException as error:  # the hub goes on without us; the assertion must not
            if not is_interrupt(error):
                self.error = error
            raise

    def _is_meant(self, record: FunctionRecord) -> bool:
        if self._covers is not None:
            return self._covers(record)
        return self._eager or bool(record.defined_at) or not recorder().is_other(record.id)

    def _take(self, miss: Miss, record: FunctionRecord) -> None:
        number = traces(miss.stages) if self.what == "traced" else programs(miss.stages)
        if self.what == "traced" and recorder().is_other(record.id):
            if record.defined_at and record not in self.untold:
                self.untold.append(record)
            return
        key = _key_of(record, miss)
        if self.what == "recompiled" and (miss.kind in ("aot", "backward") or not is_again(record, key, miss.stages)):
            return
        if not number:
            return
        if self._thread not in (None, miss.thread):
            self.elsewhere += number
            return
        self.count += number
        if self.what != "traced":
            self.loads += miss.stages.loads
            self.reused += miss.stages.reused
        if len(self.events) < MAX_LISTED:
            self.events += [self._explained(miss, record, key)] * number

    def _explained(self, miss: Miss, record: FunctionRecord, key: CacheKey | None) -> Event:
        counts = traces if self.what == "traced" else programs
        changes = reason(record, key, done=miss.stages, counts=counts).changes
        changes = _with_persistent(changes, miss)
        cause = changes[0].cause if changes else ""
        is_eager = recorder().is_other(record.id) and not record.defined_at
        if is_eager and cause in ("shape", "static_value", "static_identity"):
            cause = eager_cause(record.name, changes)
        advice = advice_for(cause, record.stats(), changes) if cause in CODES else ""
        return Event(
            function=record.name, defined_at=record.defined_at, place=miss.call_site, kind=miss.kind,
            loaded=self.what != "traced" and bool(miss.stages.loads), key_is_known=key is not None, cause=cause,
            changes=changes, advice=advice,
        )  # fmt: skip


def _key_of(record: FunctionRecord, miss: Miss) -> CacheKey | None:
    with recorder().lock:
        known = 0 < (miss.key or 0) <= len(record.numbered)
        return record.numbered[miss.key - 1].key if known and miss.key else None


def _with_persistent(changes: tuple[Change, ...], miss: Miss) -> tuple[Change, ...]:
    """Say so where the persistent cache was asked for a program that was there before, and did not have it."""
    again = bool(changes) and changes[0].cause == "cache_cleared"
    if miss.persistent.startswith("another key") or (again and miss.persistent.startswith("not stored")):
        before = "compiled, and gone from memory" if again else "an entry from an earlier process"
        return (Change("persistent_miss", changes[0].where if again else "the program", before, miss.persistent),)
    return changes
