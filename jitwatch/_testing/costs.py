"""What tests and their phases compiled, as it travels from the process that ran them to the one that reports. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import msgspec

from jitwatch._model import Process, Recording, Snapshot


class Cost(msgspec.Struct, frozen=True):
    """What was compiled in a stretch of time."""

    programs: int = 0
    """XLA compilations and loads from the persistent cache, of jitted functions and of eager operations."""
    lost_s: float = 0.0
    """Seconds in trace, lower, compile and load."""


class PhaseCost(msgspec.Struct, frozen=True, omit_defaults=True):
    """What there is to say of one phase of a test; it is part of the test's report."""

    cost: Cost = Cost()
    problem: str = ""
    """A line on a marker that was not kept."""
    cleared: bool = False
    """Whether JAX's caches were cleared for the test."""
    again: int = 0
    """Programs compiled that had been there before a test cleared JAX's caches."""
    unmatched: tuple[str, ...] = ()
    """Names in the test's markers that nothing has."""
    ignored: bool = False
    """Whether the test's markers were ignored since jitwatch is off."""
    child: str = ""
    """What a process of the test's own recorded, as the text of a data file; empty where there was none."""


class Handed(msgspec.Struct, frozen=True):
    """What a process hands over when its tests are done."""

    recording: Recording
    outside: Cost
    """Compiled outside all tests: at import and collection."""


class TestRow(msgspec.Struct, frozen=True):
    """One test, in all its phases and reruns."""

    nodeid: str
    cost: Cost
    outside_call_s: float
    """Of its seconds, those in set-up and teardown."""
    runs: int
    """In which it compiled."""


class SessionData(msgspec.Struct, frozen=True):
    """What a session's report shows."""

    snapshot: Snapshot
    processes: tuple[Process, ...]
    outside: Cost
    tests: tuple[TestRow, ...]
    """Those that compiled."""
    cleared: int
    """Tests that cleared JAX's caches."""
    again: int
    notes: tuple[str, ...]


def sum_costs(costs: Iterable[Cost]) -> Cost:
    """All of them together."""
    every = tuple(costs)
    return Cost(sum(one.programs for one in every), math.fsum(one.lost_s for one in every))


def row_of(nodeid: str, phases: Iterable[tuple[str, Cost]]) -> TestRow:
    """One test from its phases, each `setup`, `call` or `teardown` with its cost."""
    every = tuple(phases)
    return TestRow(
        nodeid=nodeid, cost=sum_costs(cost for _, cost in every),
        outside_call_s=math.fsum(cost.lost_s for when, cost in every if when != "call"),
        runs=max(Counter(when for when, _ in every).values(), default=0),
    )  # fmt: skip
