"""Adding up the counts and the seconds of records. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from jitwatch._model import FunctionStats, Snapshot, Stages

COUNTS = ("hits", "misses", "dispatch_only", "nested", "failures")
"""The counts that a function and a key both have."""


def sum_counts(every: Iterable[Any]) -> dict[str, int]:
    """The counts of functions, or of keys, added up by name."""
    records = tuple(every)
    return {name: sum(getattr(record, name) for record in records) for name in COUNTS}


def add_stages(parts: Iterable[Stages]) -> Stages:
    """Add counts and seconds, field by field."""
    columns = zip(*(msgspec.structs.astuple(part) for part in parts), strict=True)
    return Stages(*(sum(column) for column in columns))


def lost_s(stages: Stages) -> float:
    """Seconds in all stages together."""
    return stages.trace_s + stages.lower_s + stages.compile_s + stages.load_s + stages.reuse_s


def was_used(function: FunctionStats) -> bool:
    """Whether a function was called, or a stage ran for it."""
    return bool(function.hits or function.misses or function.nested) or function.stages != Stages()


def any_ran(stages: Stages) -> bool:
    """Whether at least one stage ran."""
    return bool(stages.traces or stages.lowerings or program_count(stages))


def program_count(stages: Any) -> int:
    """Programs asked for: compiled, loaded from the persistent cache, or reused."""
    return int(stages.compiles + stages.loads + stages.reused)


def programs_of(record: Any) -> int:
    """How many programs a function or a key was given."""
    return program_count(record.stages)


def programs_in(snapshot: Snapshot) -> dict[str, None]:
    """The ids of the programs that a snapshot refers to, in order."""
    builds = (build.program for one in (*snapshot.functions, *snapshot.others) for build in one.builds)
    found = dict.fromkeys((*builds, *(miss.program for miss in snapshot.misses)))
    found.pop("", None)
    return found


def several_of_a_definition(functions: Iterable[FunctionStats]) -> dict[str, None]:
    """The ids of the programs whose definition, over all its function objects, has two or more."""
    definitions: dict[tuple[str, str, str], dict[str, None]] = {}
    for one in functions:
        of_definition = definitions.setdefault((one.name, one.qualname, one.defined_at), {})
        of_definition.update((build.program, None) for build in one.builds if build.program)
    return {program: None for every in definitions.values() if len(every) > 1 for program in every}
