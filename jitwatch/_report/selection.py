"""Chooses by globs what is reported: functions by name, qualified name or file. Pure."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from jitwatch._words.safe_text import clean

if TYPE_CHECKING:
    from jitwatch._model import Snapshot

_MAX_NAMED = 12


def select(data: Snapshot, include: Sequence[str], omit: Sequence[str]) -> Snapshot:
    """What of a snapshot is wanted: functions and other programs."""
    if not include and not omit:
        return data
    functions, others = (
        tuple(one for one in each if is_wanted(one, include, omit)) for each in (data.functions, data.others)
    )
    return msgspec.structs.replace(data, functions=functions, others=others)


def is_wanted(function: Any, include: Sequence[str], omit: Sequence[str]) -> bool:
    """Whether one of `include` matches a function, if there are any, and none of `omit`."""
    return (not include or _matches_any(function, include)) and not _matches_any(function, omit)


def _matches_any(function: Any, globs: Sequence[str]) -> bool:
    """Whether a glob is about a function: its name, or its file by the end of the path from any folder on."""
    file = function.defined_at.rpartition(":")[0]
    for glob in globs:
        if any(fnmatch.fnmatch(name, glob) for name in (function.name, function.qualname, file)):
            return True
        if file and fnmatch.fnmatch(file.replace(os.sep, "/"), f"*/{glob.removeprefix('./')}"):
            return True
    return False


def unmatched_text(data: Snapshot, include: Sequence[str], omit: Sequence[str]) -> str:
    """That the globs leave nothing of what was recorded, and what there is; empty where something is left."""
    chosen = select(data, include, omit)
    if chosen.functions or chosen.others or not (data.functions or data.others):
        return ""
    given = [f"--{name} {glob}" for name, globs in (("include", include), ("omit", omit)) for glob in globs]
    known = sorted({clean(each.name, 60) for each in (*data.functions, *data.others)})
    more = f" and {len(known) - _MAX_NAMED:,} more" if len(known) > _MAX_NAMED else ""
    return f"No function is left by {clean(' '.join(given), 200)}; recorded are: {', '.join(known[:_MAX_NAMED])}{more}."
