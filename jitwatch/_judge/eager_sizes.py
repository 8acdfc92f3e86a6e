"""Sizes and static values that follow from the data, in the eager work of one place. Pure.

Each operation's programs are held against each other. Two axes of one array that vary each in its own way are layers or
models, passed through once; sizes that look chosen are, unless they only grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from jitwatch._explain.explain import changes
from jitwatch._judge.eager_waste import CONTROL_FLOW
from jitwatch._judge.eager_work import Work
from jitwatch._judge.sizes import look_chosen, numbers_of
from jitwatch._model import Change

CHURN = 4
"""Sizes, or static values, from which on an operation is asked for too many."""
FEW_CHOSEN = 8
"""Sizes that look chosen up to which they are."""
GROWING = 5
"""Sizes from which on a steady growth is no choice."""
LAYERS = 3
"""Shapes of which two axes vary from which on they are layers."""

_Row = tuple[tuple[int, ...], ...]


class Churn(NamedTuple):
    """Eager work with too many sizes or values."""

    cause: str
    operation: str
    """The one that took most of them."""
    changed: tuple[Change, ...]
    """What changed in it, in the order of time."""
    surplus: tuple[Work, ...]
    """The programs beyond the first of each operation."""
    grows: bool
    """Whether the sizes only grew, step by step."""


class _Uses(NamedTuple):
    """Programs of one operation on arrays of the same ranks, each with sizes that no earlier one has."""

    works: list[Work]
    wheres: tuple[str, ...]
    rows: list[_Row]

    def varied(self) -> dict[str, list[tuple[int, ...]]]:
        """The columns, over the programs, of the axes that varied, by array or static argument."""
        found = {}
        for position, where in enumerate(self.wheres):
            columns = list(zip(*(row[position] for row in self.rows), strict=True))
            found[where] = [column for column in columns if len(set(column)) > 1]
        return {where: columns for where, columns in found.items() if columns}


def churn(works: Sequence[Work]) -> Churn | None:
    """What changes from program to program without end; None where nothing does."""
    uses = list(_uses(works))
    if any(_are_layers(each) for each in uses):
        return None
    churning = [each for each in uses if _churns(each)]
    if not churning:
        return _values_churn(works)
    # What has a name in the source is told rather than a primitive's operands.
    most = max(churning, key=lambda each: (len(each.rows), _has_name(each), -each.works[0].build.first))
    surplus = tuple(work for each in uses for work in each.works[1:])
    sized = any(not where.startswith("static ") or _is_size(where) for each in churning for where in each.varied())
    cause = "eager_shape" if sized else "static_value"
    changed = tuple(_series(most.works, set(most.varied())))
    return Churn(cause, most.works[0].operation.name, changed, surplus, _grow(_sizes(most)))


def _has_name(uses: _Uses) -> bool:
    return not any(where.startswith("args[") for where in uses.varied())


def _uses(works: Iterable[Work]) -> Iterator[_Uses]:
    found: dict[tuple[int, tuple[tuple[str, int], ...]], _Uses] = {}
    for work in works:
        if work.key is not None:
            table = numbers_of(work.key)
            alike = work.operation.id, tuple((where, len(numbers)) for where, numbers in table.items())
            uses = found.setdefault(alike, _Uses([], tuple(table), []))
            row = tuple(table.values())
            if row not in uses.rows:
                uses.works.append(work)
                uses.rows.append(row)
    return iter(found.values())


def _are_layers(uses: _Uses) -> bool:
    """Whether two axes of one array vary each in its own way."""
    if len(uses.rows) < LAYERS:
        return False
    return any(
        not all(_are_tied(columns[0], other) for other in columns[1:])
        for where, columns in uses.varied().items()
    )  # fmt: skip


def _are_tied(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether one axis follows from another: so much more, so many times as long, or what is left of a whole.

    An axis of one is there to be broadcast, as in `x[:, None] - x[None]`, and says nothing.
    """
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != 1 and b != 1]
    if len(pairs) < LAYERS:
        return True
    first, second = pairs[0]
    return (
        len({a - b for a, b in pairs}) == 1
        or len({a + b for a, b in pairs}) == 1
        or all(a * second == b * first for a, b in pairs)
    )


def _churns(uses: _Uses) -> bool:
    sizes = _sizes(uses)
    if len(sizes) < CHURN:
        return False
    return _grow(sizes) or len(sizes) > FEW_CHOSEN or not look_chosen(sizes)


def _sizes(uses: _Uses) -> list[int]:
    """Those of the axis that took most, in the order of time."""
    columns = [list(dict.fromkeys(column)) for each in uses.varied().values() for column in each]
    return max(columns, key=len, default=[])


def _grow(sizes: Sequence[int]) -> bool:
    steps = {later - earlier for earlier, later in pairwise(sizes)}
    return len(sizes) >= GROWING and len(steps) == 1 and min(steps) > 0


def _values_churn(works: Sequence[Work]) -> Churn | None:
    """Static values that are no numbers."""
    operations: dict[int, list[Work]] = {}
    for work in works:
        if work.key is not None:
            operations.setdefault(work.operation.id, []).append(work)
    for of_operation in operations.values():
        found = tuple(_series(of_operation))
        by_value = found and {change.cause for change in found} == {"static_value"}
        if by_value and len({work.build.key for work in of_operation}) >= CHURN and not _numeric(found):
            return Churn("static_value", of_operation[0].operation.name, found, tuple(of_operation[1:]), False)
    return None


def _numeric(found: Iterable[Change]) -> bool:
    return all(change.after.strip("()").replace(",", "").replace(" ", "").isdecimal() for change in found)


def _series(works: Sequence[Work], wheres: set[str] | None = None) -> Iterator[Change]:
    """How each program's call differs from the one before it, in what varied."""
    keys = [work.key.key for work in works if work.key is not None]
    for one, two in pairwise(keys):
        for change in changes(one, two):
            if wheres is None or _is_of(change, wheres):
                yield change


def _is_of(change: Change, wheres: set[str]) -> bool:
    if change.where in wheres or change.where.partition("[")[0] in wheres:
        return True
    return change.cause == "transform" or any(where.startswith("transform") for where in wheres)


def eager_cause(name: str, found: Sequence[Change]) -> str:
    """What changes from one compilation of an eager operation to the next."""
    if name in CONTROL_FLOW and not any(change.cause == "shape" for change in found):
        return "function_identity"
    statics = [change for change in found if change.cause in ("static_value", "static_identity")]
    if any(change.cause == "shape" for change in found) or any(_is_size(change.where) for change in statics):
        return "eager_shape"
    return "static_value" if statics else "eager_shape"


def _is_size(where: str) -> bool:
    return any(word in where for word in ("shape", "size", "length", "limit", "num", "repeats", "dimension"))
