"""The programs of one definition in order, each compared with the nearest earlier one of its kind. Pure.

A *kind* is what a program is for: a call under the same transforms, a backward pass, a use ahead of time; and in which
process. Only programs of one kind can stand for each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from jitwatch._explain.explain import History, changes
from jitwatch._explain.programs import equal_up_to
from jitwatch._model import EQUALITIES, Build, Change, FunctionStats, KeyStats, Program
from jitwatch._record.sums import lost_s, programs_of
from jitwatch._words.quantity_text import count_text

NEAR = 4
"""Earlier programs of one class that are looked at for the fewest changes, besides the first."""
ALL_KEYS = 200
"""Keys of a function object up to which the nearest of all is looked for."""
MAX_PARTS = 3
"""Parts of one variable that are told one by one."""
_VARIABLE = re.compile(r"(?:(?:partial|default) )?(?:args\[\d+\]|self\.\w+|\w+)")
RANK = {name: rank for rank, name in enumerate(EQUALITIES)}
UNKNOWN = ""


class Step(NamedTuple):
    """One program of a definition, and how it came to be."""

    function: FunctionStats
    build: Build
    key: KeyStats | None
    twin: Step | None
    """The earlier program that it is nearest to; None for the first of its kind."""
    equality: str
    """To the twin, as in `EQUALITIES`; empty where it is not known."""
    changes: tuple[Change, ...]
    """Against the twin: what differed in the call, in the function object, or in what that brings along."""
    uses: int
    """Calls that the program served after the one that made it, also through other keys, such as NumPy arrays."""
    outlived: int
    """How many later programs of its function were there when it was last seen used again."""

    def is_rehearsed(self) -> bool:
        """Whether its twin had served one call when the next program came, and stayed the rare one of the two.

        So does a dummy batch before the loop, however often the loop itself is gone through.
        """
        twin = self.twin
        return (
            twin is not None and twin.key is not None and twin.key.single_start and 2 * (twin.uses + 1) <= self.uses + 1
        )

    def is_of_same_line(self) -> bool:
        """Whether a line that asked for it asked for its twin too."""
        lines, of_twin = (
            {site.place for site in each.key.call_sites} if each is not None and each.key is not None else set[str]()
            for each in (self, self.twin)
        )
        return bool(lines & of_twin)


Programs = Mapping[str, Program]
Kind = tuple[str, tuple[str, ...], str]


def histories(functions: Sequence[FunctionStats], programs: Programs) -> Iterator[list[Step]]:
    """The programs of each kind of one definition, over all its function objects, oldest first."""
    kinds: dict[Kind, list[tuple[FunctionStats, Build, KeyStats | None]]] = {}
    for function in functions:
        keys = {key.number: key for key in function.keys}
        for build in builds_of(function):
            key = None if build.key is None else keys.get(build.key)
            if key is None or not key.declared:
                kinds.setdefault(_kind(build, key), []).append((function, build, key))
    for made in kinds.values():
        made.sort(key=lambda one: one[1].first)
        yield _compared(made, programs)


def builds_of(function: FunctionStats) -> Sequence[Build]:
    """The programs that a function was given; from the counts of its keys where they were not kept one by one."""
    if function.builds:
        return function.builds
    return [
        Build(
            key.number, key=key.number, count=programs_of(key), lost_s=lost_s(key.stages),
            call_site=key.call_sites[0].place if key.call_sites else "",
            library=key.call_sites[0].library if key.call_sites else "",
        )
        for key in function.keys
        if programs_of(key)
    ]  # fmt: skip


def _kind(build: Build, key: KeyStats | None) -> Kind:
    role = "call" if build.kind == "nested" else build.kind
    transforms = tuple(name.partition("[")[0] for name in key.key.transform) if key is not None else ()
    return role, transforms, build.process


def _compared(made: Iterable[tuple[FunctionStats, Build, KeyStats | None]], programs: Programs) -> list[Step]:
    steps: list[Step] = []
    classes = _Classes(programs)
    nearest: dict[int, _Nearest] = {}
    uses: dict[int, dict[int, tuple[int, int]]] = {}
    for function, build, key in made:
        if function.id not in uses:
            uses[function.id] = _uses(function)
        own = nearest.setdefault(function.id, _Nearest())
        candidates = classes.nearest(build, steps)
        if not candidates or RANK[candidates[0][0]] > RANK["constants"]:
            candidates = [*candidates, *((UNKNOWN, number) for number in own.of(key))]
        step = _best(function, build, key, [steps[number] for _, number in candidates], programs)
        again, outlived = uses[function.id].get(key.number, (0, 0)) if key is not None else (0, 0)
        step = step._replace(uses=again, outlived=outlived)
        classes.add(build, len(steps))
        own.add(key, len(steps))
        steps.append(step)
    return steps


def _uses(function: FunctionStats) -> dict[int, tuple[int, int]]:
    """How often each key's program was used again, and what it outlived, also through keys that share it."""
    alone = {key.number: (key.hits + key.dispatch_only, key.outlived) for key in function.keys}
    shared: dict[int, tuple[int, int]] = {}
    for key in function.keys:
        if key.executable is not None:
            uses, outlived = shared.get(key.executable, (0, 0))
            shared[key.executable] = uses + alone[key.number][0], max(outlived, key.outlived)
    return {key.number: shared.get(key.executable or 0, alone[key.number]) for key in function.keys}


def _best(
    function: FunctionStats, build: Build, key: KeyStats | None, candidates: Sequence[Step], programs: Programs
) -> Step:
    """The step with the twin that is nearest in its program, then in its call, then in time."""
    found: Step | None = None
    best: tuple[int, int, int] | None = None
    # The same key first, then the latest: one that differs in a single change can only be beaten by one without any.
    latest = sorted({id(one): one for one in candidates}.values(), key=lambda one: -one.build.first)
    for twin in sorted(latest, key=lambda one: one.key is not key):
        equality = _equality(build, twin.build, programs)
        changed = differences(twin, function, build, key)
        rank = RANK.get(equality, len(EQUALITIES))
        # Below constants the call says more than the text: another size of one argument beats a different program.
        order = (min(rank, RANK["sizes"]), len(changed), -twin.build.first)
        if best is None or order < best:
            best, found = order, Step(function, build, key, twin, equality, changed, 0, 0)
        if len(changed) <= 1:
            break
    return Step(function, build, key, None, UNKNOWN, (), 0, 0) if found is None else found


def _equality(build: Build, other: Build, programs: Programs) -> str:
    one, two = programs.get(build.program), programs.get(other.program)
    if one is None or two is None:
        return "identical" if build.program and build.program == other.program else UNKNOWN
    return equal_up_to(one, two)


def differences(twin: Step, function: FunctionStats, build: Build, key: KeyStats | None) -> tuple[Change, ...]:
    """What differs between a program and its twin: the calls, the function objects, and what those bring along."""
    found: list[Change] = []
    if key is not None and twin.key is not None and key.key != twin.key.key:
        # What needs no new trace, such as NumPy arrays before JAX's own, asks for no program: then one was dropped.
        found += (change for change in changes(twin.key.key, key.key) if change.cause != "other")
    if function is not twin.function:
        found += _object_changes(twin.function, function)
    return tuple(found)


def _object_changes(before: FunctionStats, after: FunctionStats) -> Iterator[Change]:
    """Between two function objects of one definition: jit options, else what they bring along, else only themselves."""
    options = list(option_changes(before.options, after.options))
    if options:
        yield from options
        return
    old = {captured.name: captured for captured in before.captured}
    yield Change("function_identity", after.name, "one function object", "another one, made anew")
    yield from _gathered(
        Change("function_identity", captured.name, known.value, captured.value)
        for captured in after.captured
        if (known := old.get(captured.name)) is not None
        and (known.value != captured.value or _is_another(known.identity, captured.identity))
    )


def _gathered(changed: Iterable[Change]) -> Iterator[Change]:
    """Of a variable that holds a state of many parts, all of them others now, a few by name and the rest as one."""
    variables: dict[str, list[Change]] = {}
    for change in changed:
        found = _VARIABLE.match(change.where)
        variables.setdefault(found.group() if found else change.where, []).append(change)
    for variable, parts in variables.items():
        told = [part for part in parts if part.before != part.after] if len(parts) > MAX_PARTS else parts
        told = told[:MAX_PARTS]
        yield from told
        if rest := len(parts) - len(told):
            text = count_text(rest, "value" if rest == len(parts) else "other value")
            yield Change("function_identity", variable, text, text)


def _is_another(one: int, other: int) -> bool:
    return bool(one and other) and one != other


def option_changes(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> list[Change]:
    """How the jit options of two function objects differ."""
    names = sorted({name for name, _ in set(before) ^ set(after)})
    old, new = dict(before), dict(after)
    return [
        Change("other", f"jit option {name}", old.get(name, "default"), new.get(name, "default")) for name in names
    ]  # fmt: skip


class _Classes:
    """The programs so far, by what each step of the comparison leaves of their text."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._members: dict[tuple[str, str], list[int]] = {}

    def _names(self, build: Build) -> list[tuple[str, tuple[str, str]]]:
        """Each class that a program belongs to, the closest first."""
        program = self._programs.get(build.program)
        names = [("identical", ("id", build.program))] if build.program else []
        if program is not None and program.steps:
            levels = ("target", *EQUALITIES[2:-1])
            names += [(level, (level, digest)) for level, digest in zip(levels, program.steps, strict=False)]
        return names

    def add(self, build: Build, number: int) -> None:
        """One program more."""
        for _, name in self._names(build):
            members = self._members.setdefault(name, [])
            members.append(number)
            if len(members) > NEAR + 1:
                del members[1]  # the first stays: what came in between is seldom nearest

    def nearest(self, build: Build, steps: Sequence[Step]) -> list[tuple[str, int]]:
        """Earlier programs of the closest class that has any, with the class."""
        for level, name in self._names(build):
            members = self._members.get(name)
            if members:
                return [(level, number) for number in reversed(members)]
        return [("different", len(steps) - 1)] if steps else []


class _Nearest:
    """The keys of one function object, up to a bound, for which the nearest of all is looked for."""

    def __init__(self) -> None:
        self._history, self._count, self._latest = History(), 0, -1

    def add(self, key: KeyStats | None, number: int) -> None:
        """One key more."""
        self._latest = number
        if key is not None and self._count < ALL_KEYS:
            self._history.add(number, key.key)
            self._count += 1

    def of(self, key: KeyStats | None) -> Iterator[int]:
        """Numbers of the steps with the nearest key, and of the latest."""
        if key is not None and self._count < ALL_KEYS:
            found = self._history.nearest(key.key)
            if found is not None:
                yield found[0]
        if self._latest >= 0:
            yield self._latest
