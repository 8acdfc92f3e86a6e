"""Eager work that nothing asked for: new bodies of control flow, static bounds, functions wrapped anew. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from jitwatch._explain.explain import changes
from jitwatch._judge.eager_work import Work
from jitwatch._judge.history import RANK
from jitwatch._judge.sizes import numbers_of
from jitwatch._model import Change, Program

AGAIN = 2
"""Programs of one line that were there already from which on they are waste."""
CONSTANTS = 3
"""Distinct constants in otherwise equal programs from which on a value was baked in; two are two problems."""
CONTROL_FLOW = ("scan", "while", "cond", "fori_loop", "switch", "custom_linear_solve")
_WRAPPED = ("<", "_fun", "call_wrapped", "shmap_body", "f_pmapped")
"""How the names begin under which JAX compiles what `pmap` and `shard_map` wrap."""
_BODIES = ("jaxpr", "body_jaxpr", "cond_jaxpr", "branches", "jaxprs")
"""The parameters that hold the functions of control flow, traced."""
_BUT_FOR_CONSTANTS = RANK["constants"] - 1


class Waste(NamedTuple):
    """Programs of one line that one function object, or one traced bound, would have made needless."""

    cause: str
    works: tuple[Work, ...]
    compiles: int
    """Of their programs, those that were not needed."""
    lost_s: float
    changed: tuple[Change, ...] = ()
    is_proved: bool = False


def wasted(works: Sequence[Work], programs: Mapping[str, Program]) -> Iterator[Waste]:
    """The waste of each line of a place."""
    lines: dict[tuple[str, str], list[Work]] = {}
    for work in works:
        lines.setdefault((work.line, work.operation.name), []).append(work)
    for (_, name), of_line in lines.items():
        if name in CONTROL_FLOW:
            yield from _bounds(of_line)
            yield from _bodies(of_line, programs)
        elif name.startswith(_WRAPPED):
            yield from _repeated(of_line, "function_identity", lambda work: work.build.program)
        else:
            # Under vmap JAX compiles what is not mapped for each mapped size too, to the same program.
            unmapped = [work for work in of_line if not work.build.origin.mapped]
            yield from _repeated(unmapped, "cache_cleared", lambda work: f"{work.build.key} {work.build.program}")


def _bounds(works: Sequence[Work]) -> Iterator[Waste]:
    """Loops of one body with many numbers of steps."""
    bodies: dict[object, list[Work]] = {}
    for work in works:
        if work.key is not None:
            bodies.setdefault(_tokens(work), []).append(work)
    for same in bodies.values():
        keys = [work.key.key for work in same if work.key is not None]
        found = tuple(change for one, two in pairwise(keys) for change in changes(one, two))
        if len(keys) > AGAIN and {change.where for change in found} == {"static length"}:
            yield Waste("static_value", tuple(same), *_beyond_first(same), found)


def _tokens(work: Work) -> tuple[int, ...]:
    """What tells the functions of control flow from others."""
    assert work.key is not None
    values = (static.value for static in work.key.key.statics if static.name in _BODIES)
    return tuple(part.token for value in values for part in (value, *(inner for _, inner in value.parts)))


def _bodies(works: Sequence[Work], programs: Mapping[str, Program]) -> Iterator[Waste]:
    """Control flow whose body is a new function each time, though its program is the same, or but for constants."""
    groups: dict[str, list[Work]] = {}
    for work in works:
        program = programs.get(work.build.program)
        name = program.steps[_BUT_FOR_CONSTANTS] if program is not None and program.steps else work.build.program
        groups.setdefault(name or _sizes(work), []).append(work)
    found: list[Work] = []
    compiles, lost_s, is_proved = 0, 0.0, True
    for group in groups.values():
        distinct = len({work.build.program for work in group})
        baked = distinct >= CONSTANTS and len({_tokens(work) for work in group if work.key is not None}) > 1
        needed = 1 if baked else distinct
        made = sum(work.build.count for work in group)
        if made > needed:
            found += group
            compiles += made - needed
            lost_s += sum(work.build.lost_s for work in group) * (made - needed) / made
            is_proved = is_proved and not baked and bool(group[0].build.program)
    if compiles >= AGAIN:
        found.sort(key=lambda work: work.build.first)
        yield Waste("function_identity", tuple(found), compiles, lost_s, (), is_proved)


def _sizes(work: Work) -> str:
    """What stands for a program where this JAX does not let it be told."""
    return "" if work.key is None else repr(sorted(numbers_of(work.key).items()))


def _repeated(works: Sequence[Work], cause: str, name_of: Callable[[Work], str]) -> Iterator[Waste]:
    """One program that was compiled again and again."""
    groups: dict[str, list[Work]] = {}
    for work in works:
        if work.build.program:
            groups.setdefault(name_of(work), []).append(work)
    again = [group for group in groups.values() if sum(work.build.count for work in group) > AGAIN]
    for group in again:
        yield Waste(cause, tuple(group), *_beyond_first(group), (), True)


def _beyond_first(works: Iterable[Work]) -> tuple[int, float]:
    """How many programs were made after the first, and the seconds in them."""
    every = list(works)
    made = sum(work.build.count for work in every)
    return made - 1, sum(work.build.lost_s for work in every) * (made - 1) / made
