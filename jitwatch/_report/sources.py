"""The lines of source around a place, where its file is on this machine."""

from __future__ import annotations

import linecache
from typing import NamedTuple

from jitwatch._policy.verdict import is_source


class SourceLine(NamedTuple):
    """One line of a file."""

    number: int
    text: str
    here: bool
    """Whether it is the line that was asked for."""


def lines_around(place: str, around: int = 1) -> tuple[SourceLine, ...]:
    """The line of `file:line` and those around it; none where the file is no readable Python source.

    The file may be newer than the recording, and a recording may name any file: only Python sources are read.
    """
    file, _, number = place.rpartition(":")
    if not number.isdecimal() or len(number) > 9 or not is_source(file):
        return ()
    here = int(number)
    lines = linecache.getlines(file)
    if not 1 <= here <= len(lines):
        return ()
    shown = range(max(here - around, 1), min(here + around, len(lines)) + 1)
    texts = [lines[line - 1].rstrip("\n").expandtabs(4) for line in shown]
    indent = min((len(text) - len(text.lstrip()) for text in texts if text.strip()), default=0)
    return tuple(SourceLine(line, text[indent:], line == here) for line, text in zip(shown, texts, strict=True))
