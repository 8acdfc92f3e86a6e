"""Keeps what capture saw: for each function its keys and counts, exact, bounded, under one lock.

Interprets nothing and imports no JAX. Live counters are never set back: a scope, or `reset`, is a difference of two
snapshots.
"""

from __future__ import annotations

import itertools
import platform
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import monotonic, time
from typing import Any

import msgspec

from jitwatch import _faults, _state
from jitwatch._model import FunctionStats, Miss, Snapshot
from jitwatch._record.difference import snapshot_difference
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.moments import Moment, Moments
from jitwatch._record.programs import ProgramStore

MAX_MISSES = 10_000
MAX_FUNCTIONS = 10_000
MAX_OTHERS = 10_000


class Recorder:
    """All functions of the process."""

    def __init__(self) -> None:
        self.lock = _state.AwaitedLock()
        self.moments = Moments(self._snapshot)
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
        self.held: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Gives the number of executables that are alive, and the bytes of their code; whoever has JAX sets it."""
        self._started_s = monotonic()

    def add_function(self, **description: Any) -> FunctionRecord:
        """A new function; the oldest that is gone makes room where there are too many."""
        with self.lock:
            self.moments.end()
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
            before = 0 if self._base is None else self._base.dropped_misses + len(self._base.misses)
            since = itertools.islice(self._misses, max(before - self._dropped_misses, 0), None)
            return tuple(miss for miss in since if miss.function == number)

    def other(
        self, name: str, qualname: str = "", defined_at: str = "", bound: str = "", token: int = 0, code: str = ""
    ) -> FunctionRecord:
        """The record of programs that belong to no watched function.

        Args:
            name: As JAX has it; alone, it stands for an eager operation.
            qualname: Of a function that is jitted without being watched.
            defined_at: Its definition.
            bound: What the function object brings along.
            token: Tells function objects apart; 0 for the last one of the definition.
            code: Tells functions of one name and line apart.
        """
        with self.lock:
            if defined_at and not token:
                token = next((key[2] for key in reversed(self._others) if key[:2] == (name, defined_at)), 0)
            identity = name, defined_at, token
            if identity not in self._others:
                self.moments.end()
            if identity not in self._others and not self._has_room_for_other():
                identity = name, defined_at, _ = "(others)", "", 0
            if identity not in self._others:
                record = self._others[identity] = FunctionRecord(
                    self, next(self._function_numbers), name, qualname or name, defined_at, (), approximate=False,
                    hits_counted=False, bound=bound, code=code,
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
        base, now = self._base, self._whole_snapshot()
        return self._described(now if base is None else snapshot_difference(now, base))

    def wall_s(self) -> float:
        """Wall time since watching began."""
        return monotonic() - self._started_s

    def _described(self, snapshot: Snapshot) -> Snapshot:
        programs, code_bytes = self.held()
        snapshot = self.programs.described(snapshot)
        return msgspec.structs.replace(snapshot, held_programs=programs, held_code_bytes=code_bytes)

    def keep_stale(self) -> None:
        """Do what `FunctionRecord.keep_stale` says, for all functions."""
        for function in self.records():
            function.keep_stale()

    def moment(self) -> Moment:
        """What is known now, in little time, for `between`."""
        with self.lock:
            return self.moments.now()

    def between(self, before: Moment, after: Moment) -> Snapshot:
        """What was counted from one moment to another, as plain data."""
        with self.lock:
            if before.snapshot is None or after.snapshot is None:
                self.moments.end()
            then, now = before.snapshot, after.snapshot
        assert then is not None and now is not None
        return self.programs.described(snapshot_difference(self._with_stale(now), then))

    def reset(self) -> None:
        """Count from zero again; JAX's caches stay as they are."""
        with self.lock:
            self._base = self._snapshot()
            self.baseline = {function.id: function for function in self._base.functions}
            for function in self._base.functions:
                self.functions[function.id].begin_anew({key.number: key.hits for key in function.keys})

    def live_snapshot(self) -> Snapshot:
        """Everything since the process started."""
        return self._described(self._whole_snapshot())

    def _whole_snapshot(self) -> Snapshot:
        with self.lock:
            now = self._snapshot()
        return self._with_stale(now)

    def _with_stale(self, snapshot: Snapshot) -> Snapshot:
        records = self.functions.copy()
        functions = ((stats, records.get(stats.id)) for stats in snapshot.functions)
        shown = tuple(stats if record is None else record.with_stale(stats) for stats, record in functions)
        return msgspec.structs.replace(snapshot, functions=shown)

    def recent_snapshot(self, records: Sequence[FunctionRecord], programs: int) -> Snapshot:
        """What is known of some functions and of the most recent programs of each, so many."""
        with self.lock:
            functions = tuple(record.recent_stats(programs) for record in records)
        return self._partial_snapshot(functions)

    def definition_snapshot(self, record: FunctionRecord) -> Snapshot:
        """What is known of all function objects that the definition of this one made, since the last reset."""
        with self.lock:
            same = (each for each in self.functions.values() if each.definition() == record.definition())
            objects = tuple(same) if record.defined_at else (record,)
        return self._partial_snapshot(tuple(each.stats() for each in objects or (record,)))

    def _partial_snapshot(self, functions: tuple[FunctionStats, ...]) -> Snapshot:
        misses = self.recent(function.id for function in functions)
        return self.programs.described(Snapshot(functions, (), misses, 0, 0, 0, 0.0, "", ""))

    def _snapshot(self) -> Snapshot:
        others = tuple(other._stats() for other in self._others.values())
        return Snapshot(
            tuple(function._stats() for function in self.functions.values()), others, tuple(self._misses),
            self._dropped_misses, self._dropped_functions, _faults.count(), time(), self.jax_version,
            platform.python_version(), wall_s=self.wall_s(),
        )  # fmt: skip


def recorder() -> Recorder:
    """The recorder of the state in force."""
    return _state.part(Recorder)
