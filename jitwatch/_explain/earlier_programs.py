"""Says of each program of a definition how far it is the same as the closest one that was there before. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from jitwatch._explain.program_pieces import STEPS
from jitwatch._model import EQUALITIES, FunctionStats, Program, Snapshot

Definition = tuple[str, str, str]
Closest = Mapping[tuple[int, int, str], str]
"""By function, number of the miss, and program: how far it is the same as the closest earlier one."""


def definition_of(function: FunctionStats) -> Definition:
    """What the function objects that one `def` or lambda makes have in common."""
    return function.name, function.qualname, function.defined_at


class EarlierPrograms:
    """The programs of a definition so far; each further one is compared with all at once."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._whole: set[tuple[str, str]] = set()
        self._steps: list[set[str]] = [set() for _ in range(STEPS)]
        self._last: set[str] = set()
        """Of all texts, those that prove nothing too."""
        self._unknown = False
        """Whether there is one without a text."""

    def add(self, program: Program) -> None:
        """One more."""
        self._ids.add(program.id)
        if len(program.steps) != STEPS:
            self._unknown = True
            return
        self._last.add(program.steps[-1])
        if program.comparable:
            self._whole.add((program.steps[0], program.target))
            for known, digest in zip(self._steps, program.steps, strict=True):
                known.add(digest)

    def closest(self, program: Program) -> str:
        """The closest that `equal_up_to` finds with any of them; "" if there is none, or if it is not known."""
        if program.id in self._ids:
            return "identical"
        if not self._ids or len(program.steps) != STEPS:
            return ""
        if program.comparable:
            if (program.steps[0], program.target) in self._whole:
                return "identical"
            for step, known in enumerate(self._steps):
                if program.steps[step] in known:
                    return EQUALITIES[1 + step]
        return "" if self._unknown or program.steps[-1] in self._last else "different"


def closest_earlier(snapshot: Snapshot) -> dict[tuple[int, int, str], str]:
    """How far each program is the same as the closest earlier one of its definition, as `EarlierPrograms.closest`.

    Returns:
        By the number of the function, the number of the miss that brought the program, and the program's id.
    """
    known = {program.id: program for program in snapshot.programs}
    earlier: dict[Definition, EarlierPrograms] = defaultdict(EarlierPrograms)
    definitions = {one.id: definition_of(one) for one in (*snapshot.functions, *snapshot.others)}
    found = {}
    for number, function, program in sorted(_brought(snapshot)):
        if function in definitions:
            before = earlier[definitions[function]]
            described = known.get(program) or Program(program)
            found[function, number, program] = before.closest(described)
            before.add(described)
    return found


def _brought(snapshot: Snapshot) -> Iterator[tuple[int, int, str]]:
    """The number of each miss that brought a program, with the function and the program, each once."""
    every = {
        (build.first, one.id, build.program)
        for one in (*snapshot.functions, *snapshot.others)
        for build in one.builds
        if build.program
    }
    every |= {(miss.number, miss.function, miss.program) for miss in snapshot.misses if miss.program}
    return iter(every)
