"""Names for the files of functions that stay the same between machines, checkouts and edits of the file."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable

from jitwatch._judge.compiled import file_of
from jitwatch._words.safe_text import clean_place

_SEPARATORS = re.compile(r"[/\\]+")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")
_LIBRARIES = ("site-packages", "dist-packages")


def file_namer(folder: str) -> Callable[[str], str]:
    """What names the file of a place such as `/home/ann/src/train.py:41`, as seen from a folder.

    - of an installed library, the part of the path after `site-packages`;
    - below the folder, the path from there: `src/train.py`;
    - elsewhere, the longest end of the path that is a file below the folder: a recording of another checkout;
    - else the last two parts of the path.
    """
    root = tuple(_parts(os.path.abspath(folder)))

    @functools.cache
    def name(path: str) -> str:
        parts = _parts(path)
        return clean_place("/".join(_stable(parts, root) if _ABSOLUTE.match(path) else parts))

    return lambda place: name(file_of(place))


def _stable(parts: list[str], root: tuple[str, ...]) -> list[str]:
    libraries = [at for at, part in enumerate(parts[:-1]) if part in _LIBRARIES]
    if libraries:
        return parts[libraries[-1] + 1 :]
    if tuple(parts[: len(root)]) == root and len(parts) > len(root):
        return parts[len(root) :]
    ends = (parts[start:] for start in range(1, len(parts)) if ".." not in parts[start:])
    return next((end for end in ends if os.path.isfile("/".join((*root, *end)))), parts[-2:])


def _parts(path: str) -> list[str]:
    # The root of a POSIX path is an empty first part, so that joining the parts gives the path again.
    return _SEPARATORS.split(path)
