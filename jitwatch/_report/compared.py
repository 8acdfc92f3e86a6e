"""Programs of a function beside the earlier ones that they are closest to, where their texts were kept. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from jitwatch._explain.earlier_programs import Closest
from jitwatch._explain.program_difference import described, difference
from jitwatch._explain.programs import equal_up_to
from jitwatch._model import EQUALITIES, FunctionStats, Program
from jitwatch._report.program_text import difference_lines

_MAX_EARLIER = 50
_MAX_TEXT = 4 << 20
"""Characters of a text beyond which it is not compared: a page is made in seconds."""

Kept = Callable[[str], Any]
"""The `program`, `text` and `suffix` of a program by its id; None where it was not kept."""


class Compared(msgspec.Struct, frozen=True):
    """A program beside an earlier one of its function."""

    equality: str
    before: str
    after: str
    """Their ids."""
    lines: tuple[str, ...]
    """In what they differ, in words."""


def compared_programs(
    objects: Sequence[FunctionStats], closest: Closest, programs: Mapping[str, Program], kept: Kept
) -> tuple[Compared, ...]:
    """The first program of each class of equality, and the earlier one that is the same as far as that.

    Args:
        objects: The function objects of one row.
        closest: How far each program is the same as an earlier one.
        programs: Those of the snapshot, by id.
        kept: Reads the programs that were kept.
    """
    builds = sorted(((build, one.id) for one in objects for build in one.builds), key=lambda each: each[0].first)
    earlier: dict[str, Program] = {}
    found: dict[str, Compared] = {}
    for build, function in builds:
        program = programs.get(build.program)
        if program is None:
            continue
        equality = closest.get((function, build.first, build.program), "")
        if equality in EQUALITIES[1:] and equality not in found:
            like = (one for one in list(earlier.values())[-_MAX_EARLIER:] if equal_up_to(one, program) == equality)
            before = next(like, None)
            lines = () if before is None else _lines(before.id, program.id, kept)
            if before is not None and lines:
                found[equality] = Compared(equality, before.id, program.id, lines)
        earlier[program.id] = program
    return tuple(sorted(found.values(), key=lambda each: EQUALITIES.index(each.equality)))


def _lines(before: str, after: str, kept: Kept) -> tuple[str, ...]:
    texts = [kept(before), kept(after)]
    if any(one is None or len(one.text) > _MAX_TEXT for one in texts):
        return ()
    one, other = (described(each.program, each.text, each.suffix) for each in texts)
    return tuple(difference_lines(difference(one, other)))
