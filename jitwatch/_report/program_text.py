"""Two programs compared, and one with the author's lines, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jitwatch._explain.located_text import LocatedText
from jitwatch._explain.program_difference import Changed, Difference, Operation
from jitwatch._words.equality_text import equality_text
from jitwatch._words.safe_text import clean, short_place

_MAX_LINE = 10_000
_MAX_VALUE = 200
_MAX_PLACE = 100
_MAX_SHOWN = 20
_UNKNOWN = "the same as far as the text tells, which does not show the Python functions or kernels that they call"


def difference_lines(difference: Difference) -> list[str]:
    """Say how far two programs are the same, and what differs, a line for each."""
    said = equality_text(difference.equality) or _UNKNOWN
    details = [*_changed(difference.arguments), *_changed(difference.constants), *_first(difference.first)]
    return [f"{said}:" if details else said, *(f"  {line}" for line in details)]


def _changed(changed: Sequence[Changed]) -> Iterator[str]:
    for one in changed[:_MAX_SHOWN]:
        before, after = clean(one.before, _MAX_VALUE), clean(one.after, _MAX_VALUE)
        where = short_place(one.where, _MAX_PLACE) or "no line of the program"
        yield f"{where}: {before} -> {after if after != before else 'other content'}"
    if len(changed) > _MAX_SHOWN:
        yield f"… {len(changed) - _MAX_SHOWN:,} more"


def _first(operations: tuple[Operation, Operation] | None) -> Iterator[str]:
    if operations is None:
        return
    before, after = operations
    if before == after:
        yield f"first in {_operation(before)}"
    else:
        yield f"first in {_operation(before)} -> {_operation(after)}"


def _operation(operation: Operation) -> str:
    if not operation.text:
        return "nothing, as the program ends"
    text = clean(operation.text, _MAX_VALUE)
    return f"{text} at {short_place(operation.place, _MAX_PLACE)}" if operation.place else text


def annotated(text: LocatedText) -> Iterator[str]:
    """A program line by line, each with the author's line behind it as a comment."""
    for line, place in text.lines():
        shown = clean(line, _MAX_LINE)
        yield f"{shown}  // {short_place(place, _MAX_PLACE)}" if place else shown
