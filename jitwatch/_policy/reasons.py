"""Says why one compilation, about to begin or just done, was not served by a program that is there.

Between record and explain: it finds the keys to compare with, in the live records. Imports no JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jitwatch._explain.explain import explain
from jitwatch._judge.history import option_changes
from jitwatch._model import CacheKey, Change, Explanation, Stages
from jitwatch._record.function_record import FunctionRecord, KeyRecord
from jitwatch._record.recorder import recorder
from jitwatch._record.sums import program_count
from jitwatch._record.tallies import Tally
from jitwatch._words.part_text import transform_kinds

Counts = Callable[[Stages | Tally], int]
"""What is asked about: programs, or traces."""


def programs(stages: Stages | Tally) -> int:
    """Compilations, and what was loaded or reused in their place."""
    return program_count(stages)


def traces(stages: Stages | Tally) -> int:
    """Runs of the Python body."""
    return stages.traces


def reason(
    record: FunctionRecord, key: CacheKey | None, *, done: Stages | None = None, counts: Counts = programs
) -> Explanation:
    """Why a key was not served: its changes against the nearest key that has a program.

    Nearest is None where the function has none yet. The key of a program that was dropped has the cause
    `cache_cleared`; the first of an object like which the same definition made others, `function_identity`, or `other`
    where those have other jit options.

    Args:
        record: The function.
        key: Of the call; None where it cannot be told.
        done: What the compilation itself has added to the key's counts already; None before it begins.
        counts: What a key must have had to be compared with.
    """
    if key is None:
        return Explanation(None, ())
    own = [(each.number, each.key) for each in _earlier(record, key, done, counts) if each.key is not None]
    found = explain(key, own)
    if found.nearest is not None and not found.changes:
        before = "traced" if counts is traces else "compiled"
        again = "about to compile again" if done is None else f"{before} again for the same key"
        return Explanation(found.nearest, (Change("cache_cleared", record.name, before, again),))
    if own or not record.defined_at:
        return found
    others = [other for other in _same_definition(record) if any(counts(key.tally) for key in other.numbered)]
    same = [other for other in others if other.bound == record.bound]
    return Explanation(None, tuple(_identity_changes(record, same))) if same else found


def is_again(record: FunctionRecord, key: CacheKey | None, done: Stages) -> bool:
    """Whether a program is not the first: its function, or one made alike, had one under the same transforms.

    One made alike has the same definition and brings along the same, whatever its jit options.
    """
    if key is None:
        return programs(record.totals.tally) > programs(done)
    transform = transform_kinds(key.transform)
    if any(_earlier(record, key, done, programs, transform)):
        return True
    alike = (other for other in _same_definition(record) if other.is_like(record))
    return any(any(_earlier(other, key, None, programs, transform)) for other in alike)


def _earlier(
    record: FunctionRecord, key: CacheKey, done: Stages | None, counts: Counts, transform: tuple[str, ...] | None = None
) -> Iterator[KeyRecord]:
    """The keys that had what is asked about, before what was just done; of one transform, or of any."""
    with recorder().lock:
        known = list(record.numbered)
    for each in known:
        own = counts(done) if done is not None and each.key == key else 0
        fits = each.key is not None and (transform is None or transform_kinds(each.key.transform) == transform)
        if fits and counts(each.tally) > own:
            yield each


def _same_definition(record: FunctionRecord) -> list[FunctionRecord]:
    if not record.defined_at:
        return []
    place = record.name, record.qualname, record.defined_at
    return [
        other
        for other in recorder().records()
        if other is not record and (other.name, other.qualname, other.defined_at) == place
    ]


def _identity_changes(record: FunctionRecord, others: list[FunctionRecord]) -> Iterator[Change]:
    """What is to say of alike objects that have programs: they are others, or only jitted otherwise."""
    if all(other.options != record.options for other in others):
        yield from option_changes(others[-1].options, record.options)
    else:
        what = f"{len(others) + 1} function objects made at {record.defined_at}"
        yield Change("function_identity", record.name, "one function object", what)
