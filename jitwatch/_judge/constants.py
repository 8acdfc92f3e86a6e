"""Programs that are equal but for constants: a value was baked in that could be an argument. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jitwatch._judge.history import RANK, Step
from jitwatch._model import Program

CLUSTER = 3
"""Distinct constants from which on it is a value that changes; two are a choice, such as two dropout rates."""
_LEVEL = RANK["constants"] - 1
_CAUSES = ("static_value", "function_identity", "static_identity", "config_context", "arg_kind")


def baked(steps: Sequence[Step], programs: Mapping[str, Program]) -> Iterator[tuple[str, str, list[Step]]]:
    """Cause, evidence and steps of each cluster of programs that differ in constants alone."""
    clusters: dict[str, list[Step]] = {}
    for step in steps:
        program = programs.get(step.build.program)
        if program is not None and len(program.steps) > _LEVEL and program.comparable:
            clusters.setdefault(program.steps[_LEVEL], []).append(step)
    for members in clusters.values():
        distinct = {programs[step.build.program].steps[_LEVEL - 1] for step in members}
        varied = [step for step in members if step.twin is not None and step.equality == "constants"]
        causes = [cause for cause in _CAUSES if any(cause in _causes(step) for step in varied)]
        if len(distinct) >= CLUSTER and causes:
            yield causes[0], "likely", [step for step in varied if causes[0] in _causes(step)]


def _causes(step: Step) -> set[str]:
    return {change.cause for change in step.changes}
