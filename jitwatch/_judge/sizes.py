"""Programs that are equal but for sizes: data whose size churns, told from layers, models, tests and buckets. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from jitwatch._judge.buckets import independent, paddings
from jitwatch._judge.history import RANK, Step
from jitwatch._model import KeyStats, Program, Static
from jitwatch._words.key_diff import named_leaves

FEW = 3
"""Sizes up to which each may have been chosen, whatever it is."""
MANY_CHOSEN = 32
"""Round sizes up to which they may be buckets."""
ROUND = 5
MAX_PADDING_PERCENT = 60.0
_WHOLE_NUMBER = re.compile(r"(?:np\.u?int\d+\()?(\d{1,18})\)?")
_LEVEL = RANK["sizes"] - 1
_CAUSES = ("shape", "static_value")


_Table = Mapping[str, Sequence[int]]
"""The sizes in one call, by place."""


class Axis(NamedTuple):
    """An axis of an argument, a static number, or a mapped axis, that took several sizes."""

    where: str
    axis: int


class Sizes(NamedTuple):
    """The sizes that one axis, or several together, took."""

    axes: tuple[Axis, ...]
    rows: dict[tuple[int, ...], list[Step]]
    """Each combination of sizes with its programs, in the order of time."""

    def calls(self, row: tuple[int, ...]) -> int:
        """Calls with these sizes."""
        return sum(step.uses + step.build.count for step in self.rows[row])


def churning(steps: Sequence[Step], programs: Mapping[str, Program]) -> Iterator[tuple[str, str, list[Step]]]:
    """Cause, evidence and steps of each cluster of programs whose sizes follow from the data."""
    for members in _clusters(steps, programs):
        for sizes in _by_line(members):
            varied = [step for step in _surplus(sizes) if _causes(step) & set(_CAUSES)]
            if varied:
                cause = "shape" if any("shape" in _causes(step) for step in varied) else "static_value"
                # While buckets are warmed up they are as little used as sizes that never come back.
                yield cause, "possible" if _are_chosen(sizes) and len(sizes.rows) > FEW else "likely", varied


def _causes(step: Step) -> set[str]:
    return {change.cause for change in step.changes}


def _clusters(steps: Sequence[Step], programs: Mapping[str, Program]) -> Iterator[list[Step]]:
    """Programs that are equal but for sizes; where the text is not known, those between which nothing else differs."""
    clusters: dict[str, list[Step]] = {}
    for step in steps:
        program = programs.get(step.build.program)
        known = program is not None and len(program.steps) > _LEVEL
        if step.key is None:
            continue
        name = program.steps[_LEVEL] if known and program is not None else f"unknown {len(clusters)}"
        clusters.setdefault(name, []).append(step)
    merged = _joined_by_calls(clusters)
    yield from (members for members in merged if len(members) > 1)


def _joined_by_calls(clusters: dict[str, list[Step]]) -> Iterator[list[Step]]:
    """Clusters between which only sizes changed in the call belong together: some sizes leave operations out."""
    home = {id(step): name for name, members in clusters.items() for step in members}
    joined = {name: name for name in clusters}

    def root(name: str) -> str:
        while joined[name] != name:
            name = joined[name]
        return name

    for members in clusters.values():
        for step in members:
            if step.twin is not None and id(step.twin) in home and _only_sizes(step):
                joined[root(home[id(step)])] = root(home[id(step.twin)])
    groups: dict[str, list[Step]] = {}
    for name, members in clusters.items():
        groups.setdefault(root(name), []).extend(members)
    return (sorted(members, key=lambda step: step.build.first) for members in groups.values())


def _only_sizes(step: Step) -> bool:
    """Whether nothing but shapes and whole numbers changed in the call."""
    return bool(step.changes) and all(
        change.cause == "shape" or (change.cause == "static_value" and _is_number(change.before, change.after))
        for change in step.changes
    )


def _is_number(*texts: str) -> bool:
    return all(_WHOLE_NUMBER.fullmatch(text.partition(" ")[0]) for text in texts)


def _by_line(members: Sequence[Step]) -> Iterator[Sizes]:
    """The sizes that each line of the user's asked for: calls of different lines for different sizes are no churn."""
    lines: dict[str, list[Step]] = {}
    for step in members:
        lines.setdefault(step.build.call_site, []).append(step)
    for line, of_line in lines.items():
        # The first program of a warm-up elsewhere counts for the line that goes on with it.
        others = [step for step in members if step.build.call_site != line and _also_from(step, line)]
        every = sorted((*of_line, *others), key=lambda step: step.build.first)
        found = _sizes([step for step in every if step.key is not None])
        if found is not None:
            yield found


def _also_from(step: Step, line: str) -> bool:
    return step.key is not None and any(site.place == line for site in step.key.call_sites)


def _sizes(steps: Sequence[Step]) -> Sizes | None:
    """What varies between the calls; None where it is not one axis of each argument, or only state that goes round."""
    tables = [numbers_of(step.key) for step in steps if step.key is not None]
    if len(tables) < 2:
        return None
    common = set.intersection(*(set(table) for table in tables))
    varied = {
        where: [axis for axis in range(len(tables[0][where])) if len({table[where][axis] for table in tables}) > 1]
        for where in tables[0]
        if where in common and len({len(table[where]) for table in tables}) == 1
    }
    varied = {where: axes for where, axes in varied.items() if axes}
    state = _state(steps)
    data = {where: axes for where, axes in varied.items() if _argument(where) not in state}
    if not data or not _goes_with(varied.keys() - data.keys(), varied, tables):
        return None
    if any(len(axes) > 1 for axes in data.values()) and not _has_parameters(steps, varied):
        return None
    axes = tuple(Axis(where, axis) for where, found in data.items() for axis in found)
    rows: dict[tuple[int, ...], list[Step]] = {}
    for step, table in zip(steps, tables, strict=True):
        rows.setdefault(tuple(table[axis.where][axis.axis] for axis in axes), []).append(step)
    return Sizes(axes, rows) if len(rows) > 1 else None


def _goes_with(state: Collection[str], varied: Mapping[str, Sequence[int]], tables: Sequence[_Table]) -> bool:
    """Whether state has other sizes only as its batches have, along the first axis; else it is another model."""
    batches = {
        tuple(table[where][0] for table in tables) for where, axes in varied.items() if where not in state and 0 in axes
    }
    return all(
        list(varied[where]) == [0] and tuple(table[where][0] for table in tables) in batches for where in state
    )  # fmt: skip


def _has_parameters(steps: Sequence[Step], varied: Collection[str]) -> bool:
    """Whether floating arrays of one shape are in all calls: what has none may be other layers, levels or models."""
    key = next(step.key for step in steps if step.key is not None).key
    return any(path not in varied and leaf.shape and "float" in leaf.dtype for path, leaf in named_leaves(key))


def _state(steps: Sequence[Step]) -> set[str]:
    """Arguments that go round; an array alone that came back may as well be data of which each element is mapped."""
    keys = [step.key for step in steps if step.key is not None]
    alone = {argument.name for argument in keys[0].key.arguments if len(argument.paths) == 1}
    state = set.intersection(*(set(key.state) for key in keys))
    others = {argument.name for argument in keys[0].key.arguments if argument.paths} - state
    return state if others else state - alone


def _argument(where: str) -> str:
    """The parameter that a path begins with."""
    return where.partition("[")[0].partition(".")[0]


def numbers_of(key: KeyStats) -> dict[str, tuple[int, ...]]:
    """The shape of each leaf, the whole numbers of static arguments, and the mapped sizes, by place."""
    call = key.key
    found = {path: leaf.shape for path, leaf in named_leaves(call)}
    for static in call.statics:
        numbers = _whole_numbers(static.value)
        if numbers:
            found[f"static {static.name}"] = numbers
    for position, name in enumerate(call.transform):
        size = name.partition("[")[2].partition(",")[0].rstrip("]")
        if size.isdecimal():
            found[f"transform {position}"] = (int(size),)
    return found


def _whole_numbers(static: Static) -> tuple[int, ...]:
    """A whole number, or those of a tuple of them, such as a shape."""
    parts = [part for _, part in static.parts] or [static]
    found = [_WHOLE_NUMBER.fullmatch(part.text) for part in parts]
    return tuple(int(match.group(1)) for match in found if match is not None) if all(found) else ()


def _surplus(sizes: Sizes) -> list[Step]:
    """The programs that padding would have saved; none where the sizes are what somebody chose."""
    rows = list(sizes.rows)
    if len(rows) == 2:
        return _remainder(sizes, rows[0], rows[1])
    steps = list(chain.from_iterable(sizes.rows.values()))
    calls = [sizes.calls(row) for row in rows]
    hardly_used = sum(calls) - len(rows) < 2 * len(rows) and min(calls) <= 1
    chosen = _are_chosen(sizes)
    if len(rows) <= FEW:
        interleaved = any(step.outlived for step in steps)
        if chosen or not (hardly_used or interleaved):
            return []
    elif chosen and not (hardly_used and len(rows) >= 8):
        return []
    needed = _needed(sizes, rows, calls)
    if needed is None:
        return []
    return _latest(steps, len(rows) - needed)


def _are_chosen(sizes: Sizes) -> bool:
    """Whether each axis took sizes that look chosen, and not more of them than somebody would choose."""
    columns = [sorted(set(column)) for column in zip(*sizes.rows, strict=True)]
    return len(sizes.rows) <= MANY_CHOSEN and all(len(column) == 1 or look_chosen(column) for column in columns)


def _needed(sizes: Sizes, rows: Sequence[tuple[int, ...]], calls: Sequence[int]) -> int | None:
    """How many sizes to pad to; None where no half of them would do without much padding."""
    half = max(len(rows) // 2, 1)
    axes = [[row[position] for row in rows] for position in independent(rows)]
    for padding in paddings(axes, calls, half):
        if padding.padding_percent <= MAX_PADDING_PERCENT and padding.programs <= half:
            return padding.programs
    return half if len(rows) <= FEW + 1 else None


def _remainder(sizes: Sizes, one: tuple[int, ...], other: tuple[int, ...]) -> list[Step]:
    """Of two sizes, the program of a smaller last batch, or that of a first call that was of another size once."""
    if any(axis.axis != 0 or axis.where.startswith(("static ", "transform ")) for axis in sizes.axes):
        return []
    calls, later = sizes.calls(one), sizes.calls(other)
    comes_back = any(step.outlived for step in sizes.rows[one])
    if calls == 1 and later > 2:
        return list(sizes.rows[other])
    smaller = all(less < more for less, more in zip(other, one, strict=True))
    seldom = later == 1 or (comes_back and later <= calls)
    return list(sizes.rows[other]) if smaller and seldom and calls > 1 else []


def _latest(steps: Sequence[Step], count: int) -> list[Step]:
    """So many programs that were not the first of their kind, the latest of each size first."""
    later = [step for step in sorted(steps, key=lambda step: step.build.first) if step.twin is not None]
    return later[-count:] if count else []


def look_chosen(sizes: Sequence[int]) -> bool:
    """Whether sizes look like what somebody chose, not like what data happens to have.

    They do where all are powers of two, or one more or less; where they have a common factor of at least `ROUND`;
    where each is the same multiple of the one before; or where they are a series such as 1, 3, 10, 30.
    """
    ordered = sorted(sizes)
    if ordered[0] < 1:
        return False
    if any(all(_is_power_of_two(size - offset) for size in ordered) for offset in (0, 1, -1)):
        return True
    if math.gcd(*ordered) >= ROUND:
        return True
    if ordered[-1] >= 10 * ordered[0] and all(str(size).rstrip("0") in ("1", "2", "3", "5") for size in ordered):
        return True
    return len(ordered) > 2 and all(a * ordered[1] == b * ordered[0] for a, b in pairwise(ordered))


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0
