"""Untrusted text made fit to print: one line, nothing a terminal would obey, a bounded length.

Names, paths and reprs come from the watched program or from a file of another machine. Every text form goes
through here before it is laid out; cleaning a cleaned text changes nothing. No markup is known in here.
"""

from __future__ import annotations

import os
import re

_LIBRARY_FOLDER = re.compile(r"^.*[/\\](?:site|dist)-packages[/\\]")
_CELL = re.compile(r"(Cell In\[\d+\]):(?=\d)")
ELLIPSIS = "…"


def clean(text: str, limit: int = 200) -> str:
    """Escape what is not printable and keep the beginning of what is too long."""
    # Every escape is longer than its character, so the rest of a huge text need not be looked at.
    return cut(_escape(text[: limit + 1]), limit)


def clean_place(place: str, limit: int = 200) -> str:
    """Like `clean`, but keep the end: of a path and its line that is the telling part."""
    escaped = _escape(place[-limit - 1 :])
    return escaped if len(escaped) <= limit else ELLIPSIS + escaped[len(escaped) - limit + 1 :]


def is_installed(place: str) -> bool:
    """Whether a `file:line` is in an installed package."""
    return _LIBRARY_FOLDER.match(place) is not None


def short_place(place: str, limit: int = 200) -> str:
    """Like `clean_place`, with a path below the current folder relative to it, and a library's from its package on.

    A line of a notebook's cell reads as in its tracebacks: `Cell In[9], line 11`.
    """
    below = _CELL.sub(r"\1, line ", place.removeprefix(os.getcwd() + os.sep), count=1)
    return clean_place(within_library(below), limit)


def within_library(path: str) -> str:
    """A path in an installed package from the package on; others as they are."""
    return _LIBRARY_FOLDER.sub("", path, count=1)


def cut(text: str, limit: int) -> str:
    """Keep the beginning of a text that is longer than `limit`, and show that it was cut."""
    return text if len(text) <= limit else (text[: limit - 1] + ELLIPSIS if limit > 0 else "")


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
