"""Writes what a recording needs into the text of a budget; comments, order and layout stay as they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from jitwatch._compare.budget import Budget, Limit, moved_functions, read_budget
from jitwatch._errors import JitwatchError
from jitwatch._judge.compiled import FunctionName

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
    moved: tuple[FunctionName, ...] = ()
    """In another file than before."""


def update_budget(
    text: str, source: str, needed: Mapping[FunctionName, int], *, prune: bool = False, only_raise: bool = False
) -> Update:
    """Set the limits of a budget to what a recording needs.

    A function that is listed with `allow` keeps that. One that is not listed is added if it compiled.

    Args:
        text: The budget; `NEW_BUDGET` for a new one.
        source: Its file, for messages.
        needed: The limit that each recorded function needs.
        prune: Whether functions that were not recorded are removed.
        only_raise: Whether limits that are higher than needed stay, as the recording may be of a part of the program.

    Raises:
        JitwatchError: The text is no budget, or is laid out in a way that cannot be updated.
    """
    budget = read_budget(text, source)
    moved = {} if only_raise else _rewritten(moved_functions(budget, needed), budget)
    limits = {name: limit for name, limit in budget.limits.items() if name not in moved.values()}
    limits |= {name: budget.limits[listed] for name, listed in moved_functions(budget, needed).items()}
    unseen = tuple(name for name in limits if name not in needed)
    removed = unseen if prune else ()
    changed = {name: limit for name, limit in needed.items() if _changes(limits, name, limit)}
    changed |= {name: needed[name] for name in moved}
    if only_raise:
        changed = {name: limit for name, limit in changed.items() if limit > (limits.get(name) or 0)}
    return Update(
        text=_written(text, source, changed, (*removed, *moved.values())) if changed or removed else text,
        added=tuple(name for name in changed if name not in limits),
        raised=tuple(name for name, limit in changed.items() if name in limits and limit > (limits[name] or 0)),
        lowered=tuple(name for name, limit in changed.items() if name in limits and limit < (limits[name] or 0)),
        moved=tuple(moved), removed=removed, unseen=() if prune else unseen,
    )  # fmt: skip


def _rewritten(moved: Mapping[FunctionName, FunctionName], budget: Budget) -> dict[FunctionName, FunctionName]:
    """Of functions that moved, those whose limit is a number; one that may compile as it likes stays as it is."""
    return {name: listed for name, listed in moved.items() if budget.limits[listed] is not None}


def _changes(limits: Mapping[FunctionName, Limit], name: FunctionName, limit: int) -> bool:
    if name not in limits:
        return limit > 0
    return limits[name] not in (None, limit)


def _written(text: str, source: str, changed: Mapping[FunctionName, int], removed: Iterable[FunctionName]) -> str:
    import tomlkit
    from tomlkit.items import InlineTable

    # tomlkit ends its own lines with LF, whatever the others end with.
    document = tomlkit.parse(text.replace("\r\n", "\n"))
    files: Any = document.get("functions", {})
    if isinstance(files, InlineTable):
        raise JitwatchError(f"{source} has its functions on one line; write [functions.'FILE'] sections to update it.")
    new: dict[str, dict[str, int]] = {}
    for name, limit in changed.items():
        if name.file in files:
            _set(files[name.file], name.name, limit)
        else:
            new.setdefault(name.file, {})[name.name] = limit
    for name in removed:
        del files[name.file][name.name]
        if not files[name.file]:
            del files[name.file]
    written = tomlkit.dumps(document).rstrip("\n") + "\n" + _sections(new)
    return written.replace("\n", "\r\n") if "\r\n" in text else written


def _set(functions: Any, name: str, limit: int) -> None:
    if name in functions:
        functions[name]["max_compiles"] = limit
        return
    # A new entry would go below what follows the last one, such as the comment on the next section.
    body = getattr(getattr(functions, "value", None), "body", [])
    following: list[Any] = []
    while body and body[-1][0] is None:
        following.insert(0, body.pop())
    functions[name] = _entry(limit)
    body.extend(following)


def _sections(files: Mapping[str, Mapping[str, int]]) -> str:
    import tomlkit

    document = tomlkit.document()
    tables: Any = document.setdefault("functions", tomlkit.table(is_super_table=True))
    for file, functions in files.items():
        tables[file] = tomlkit.table()
        for name, limit in functions.items():
            tables[file][name] = _entry(limit)
    return "\n" + tomlkit.dumps(document).lstrip("\n") if files else ""


def _entry(limit: int) -> Any:
    import tomlkit

    return tomlkit.value(f"{{ max_compiles = {limit} }}")
