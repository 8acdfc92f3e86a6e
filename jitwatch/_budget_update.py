"""Writes what a recording needs into the text of a budget; comments, order and layout stay as they are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from jitwatch._budget import Limit, read_budget
from jitwatch._compiled import FunctionName

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

NEW_BUDGET = """\
# How many programs each jitted function may compile in one process; `jitwatch check --budget FILE` holds a recording
# against it. Edit it by hand, or let `jitwatch check --budget FILE --update` write the counts of a recording into it.

[default]
max_compiles = 1  # of functions that are not listed below; "allow" for any number
"""


class Update(msgspec.Struct, frozen=True):
    """A budget with new limits, and what became of the old ones."""

    text: str
    added: tuple[FunctionName, ...]
    raised: tuple[FunctionName, ...]
    lowered: tuple[FunctionName, ...]
    removed: tuple[FunctionName, ...]
    unseen: tuple[FunctionName, ...]
    """Not recorded, and kept."""


def update_budget(text: str, source: str, needed: Mapping[FunctionName, int], *, prune: bool = False) -> Update:
    """Set the limits of a budget to what a recording needs.

    A function that is listed with `allow` keeps that. One that is not listed is added if it compiled.

    Args:
        text: The budget; `NEW_BUDGET` for a new one.
        source: Its file, for messages.
        needed: The limit that each recorded function needs.
        prune: Whether functions that were not recorded are removed.

    Raises:
        JitwatchError: The text is no budget.
    """
    import tomlkit

    limits = read_budget(text, source).limits
    document = tomlkit.parse(text)
    unseen = tuple(name for name in limits if name not in needed)
    changed = {name: limit for name, limit in needed.items() if _changes(limits, name, limit)}
    for name, limit in changed.items():
        if name in limits:
            _tables(document)[name.file][name.name]["max_compiles"] = limit
        else:
            _add(document, name, limit)
    for name in unseen if prune else ():
        _remove(document, name)
    return Update(
        text=tomlkit.dumps(document),
        added=tuple(name for name in changed if name not in limits),
        raised=tuple(name for name, limit in changed.items() if name in limits and limit > (limits[name] or 0)),
        lowered=tuple(name for name, limit in changed.items() if name in limits and limit < (limits[name] or 0)),
        removed=unseen if prune else (), unseen=() if prune else unseen,
    )  # fmt: skip


def _changes(limits: Mapping[FunctionName, Limit], name: FunctionName, limit: int) -> bool:
    if name not in limits:
        return limit > 0
    return limits[name] not in (None, limit)


def _tables(document: TOMLDocument) -> Any:
    return document["functions"]


def _add(document: TOMLDocument, name: FunctionName, limit: int) -> None:
    import tomlkit

    if "functions" not in document:
        document["functions"] = tomlkit.table(is_super_table=True)
    files = _tables(document)
    if name.file not in files:
        files[name.file] = tomlkit.table()
    # New entries would go below what follows the last one: the comment on the next table, say.
    body = files[name.file].value.body
    following: list[Any] = []
    while body and body[-1][0] is None:
        following.insert(0, body.pop())
    files[name.file][name.name] = tomlkit.value(f"{{ max_compiles = {limit} }}")
    body.extend(following)


def _remove(document: TOMLDocument, name: FunctionName) -> None:
    functions = _tables(document)[name.file]
    del functions[name.name]
    if not functions:
        del _tables(document)[name.file]
