"""The programs of eager operations, by who asked for them: the function around the line, the lines of one loop. Pure.

Neither a line nor a function alone is what compiles too often. A statement is many operations, and a long `main` holds
many loops. Lines of one function whose programs were compiled in turns belong together: they are a loop's, or those of
a function that is called again and again. So do a function and the line that calls it, where that has work of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from jitwatch._judge.history import builds_of
from jitwatch._model import Build, FunctionStats, KeyStats

TURNS = 2
"""How often one line's program follows another line's for the two to belong together."""


class Work(NamedTuple):
    """A program that an eager operation was given."""

    operation: FunctionStats
    build: Build
    key: KeyStats | None

    @property
    def line(self) -> str:
        """The user's line that asked for it."""
        return self.build.call_site


def eager_work(others: Iterable[FunctionStats]) -> list[Work]:
    """The programs of all eager operations, in the order of time."""
    found = []
    for other in others:
        if not other.defined_at:
            keys = {key.number: key for key in other.keys}
            found += [Work(other, build, keys.get(build.key or 0)) for build in builds_of(other)]
    return sorted(found, key=lambda work: work.build.first)


def neighbourhoods(every: Iterable[Work]) -> list[list[Work]]:
    """The work of one process and one function, or of one loop in it, each in the order of time."""
    functions: dict[tuple[str, ...], list[Work]] = {}
    for work in every:
        origin, file = work.build.origin, work.line.rpartition(":")[0]
        around = (origin.function, origin.defined_at) if origin.function else ("", file)
        functions.setdefault((work.build.process, *around), []).append(work)
    loops = [loop for of_function in functions.values() for loop in _by_loop(of_function)]
    return _with_callers(loops)


def _with_callers(loops: Sequence[list[Work]]) -> list[list[Work]]:
    """Functions that are called at one line only, put together with the work of that line."""
    at = {(work.build.process, work.line): number for number, loop in enumerate(loops) for work in loop}
    groups = {number: loop for number, loop in enumerate(loops)}
    home = list(range(len(loops)))
    for number, loop in enumerate(loops):
        callers = {(work.build.process, work.build.origin.called_at) for work in loop}
        caller = at.get(callers.pop()) if len(callers) == 1 else None
        while caller is not None and home[caller] != caller:
            caller = home[caller]
        if caller is not None and caller != number and len(loop) > 1:
            home[number] = caller
            groups[caller] = sorted((*groups[caller], *groups.pop(number)), key=lambda work: work.build.first)
    return list(groups.values())


def _by_loop(works: Sequence[Work]) -> Iterator[list[Work]]:
    turns = Counter((one.line, other.line) for one, other in pairwise(works) if one.line != other.line)
    home = {work.line: work.line for work in works}

    def root(line: str) -> str:
        while home[line] != line:
            line = home[line]
        return line

    for (one, other), count in turns.items():
        if count >= TURNS:
            home[root(other)] = root(one)
    loops: dict[str, list[Work]] = {}
    for work in works:
        loops.setdefault(root(work.line), []).append(work)
    return iter(loops.values())
