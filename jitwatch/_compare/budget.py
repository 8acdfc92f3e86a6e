"""Budgets: how many programs each function may compile, read from TOML and held against what was recorded. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from jitwatch._compare.renamed import same_name_elsewhere
from jitwatch._errors import JitwatchError
from jitwatch._judge.compiled import Compiled, FunctionName, Program, compiled_functions
from jitwatch._model import Finding, Snapshot
from jitwatch._policy.verdict import verdict

ALLOW = "allow"
"""In place of a number: as many as it likes."""
DEFAULT_LIMIT = 1

Limit = int | None
"""Programs that one process may compile; None for any number."""


class Budget(msgspec.Struct, frozen=True):
    """The limits of a project."""

    default: Limit
    """Of functions that have none of their own."""
    limits: Mapping[FunctionName, Limit]


class Excess(msgspec.Struct, frozen=True):
    """A function over its budget."""

    function: FunctionName
    limit: int
    """For each process."""
    listed: bool
    """Whether the budget names it; else the limit is the default."""
    compiles: int
    processes: int
    unexpected: tuple[Program, ...]
    """Those beyond the limit, in order of time."""
    findings: tuple[Finding, ...]


class Check(msgspec.Struct, frozen=True):
    """A budget held against a recording."""

    over: tuple[Excess, ...]
    within: int
    """Functions that compiled, and not more than they may."""
    unseen: tuple[FunctionName, ...]
    """Functions that the budget names and the recording does not."""
    moved: tuple[tuple[FunctionName, FunctionName], ...] = ()
    """Functions in another file than in the budget, whose limit goes on: the listed and the recorded name."""


def read_budget(text: str, source: str) -> Budget:
    """Read a budget.

    Args:
        text: The TOML.
        source: Its file, for messages.

    Raises:
        JitwatchError: It is no TOML or no budget; the message says where and what is valid.
    """
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise JitwatchError(f"{source} is not valid TOML: {error or 'nested too deeply'}.") from error
    _check_keys(data, ("default", "functions"), source, "the file")
    default = _table(data.get("default", {}), source, "[default]")
    _check_keys(default, ("max_compiles",), source, "[default]")
    return Budget(
        default=_limit(default.get("max_compiles", DEFAULT_LIMIT), source, "[default]"),
        limits=dict(_limits(_table(data.get("functions", {}), source, "[functions]"), source)),
    )


def check(budget: Budget, snapshot: Snapshot, file_name: Callable[[str], str]) -> Check:
    """Hold a budget against a snapshot.

    Args:
        budget: The limits.
        snapshot: What was recorded.
        file_name: Makes the stable name of the file of a `file:line`, as seen from the budget's folder.
    """
    recorded = compiled_functions(snapshot.functions, file_name)
    moved = moved_functions(budget, recorded)
    budget = msgspec.structs.replace(
        budget, limits={**budget.limits, **{name: budget.limits[listed] for name, listed in moved.items()}}
    )
    found = [one for one in recorded.values() if one.compiles]
    exceeding = [one for one in found if _is_over(one, budget)]
    findings = verdict(snapshot).findings if exceeding else {}
    over = tuple(_excess(one, budget, findings) for one in exceeding)
    return Check(
        over=tuple(sorted(over, key=lambda one: (one.limit * one.processes - one.compiles, one.function))),
        within=len(found) - len(over),
        unseen=tuple(sorted(name for name in budget.limits if name not in recorded and name not in moved.values())),
        moved=tuple(sorted((listed, name) for name, listed in moved.items())),
    )


def moved_functions(budget: Budget, recorded: Iterable[FunctionName]) -> dict[FunctionName, FunctionName]:
    """Recorded functions of which the budget knows the name in another file that has it no more, to the listed name."""
    names = set(recorded)
    return same_name_elsewhere(budget.limits.keys() - names, names - budget.limits.keys())


def needed_limits(snapshot: Snapshot, file_name: Callable[[str], str]) -> dict[FunctionName, int]:
    """The lowest limits that a snapshot is within, of all its functions, by file and name."""
    recorded = compiled_functions(snapshot.functions, file_name)
    ordered = sorted(recorded, key=lambda name: (name.file, name.name))
    return {name: -(-recorded[name].compiles // recorded[name].processes) for name in ordered}


def _limit_of(function: FunctionName, budget: Budget) -> Limit:
    return budget.limits.get(function, budget.default)


def _is_over(compiled: Compiled, budget: Budget) -> bool:
    limit = _limit_of(compiled.function, budget)
    return limit is not None and compiled.compiles > limit * compiled.processes


def _excess(compiled: Compiled, budget: Budget, findings: Mapping[int, Iterable[Finding]]) -> Excess:
    limit = _limit_of(compiled.function, budget) or 0
    return Excess(
        function=compiled.function, limit=limit, listed=compiled.function in budget.limits,
        compiles=compiled.compiles, processes=compiled.processes,
        unexpected=tuple(_beyond(compiled.programs, limit * compiled.processes)),
        findings=tuple(finding for number in compiled.ids for finding in findings.get(number, ())),
    )  # fmt: skip


def _beyond(programs: Iterable[Program], expected: int) -> Iterator[Program]:
    """The programs after the first so many."""
    for program in programs:
        left = program.count - expected
        expected = max(-left, 0)
        if left > 0:
            yield msgspec.structs.replace(program, count=left)


def _limits(files: Mapping[str, Any], source: str) -> Iterator[tuple[FunctionName, Limit]]:
    for file, functions in files.items():
        where = f"[functions.{file!r}]"
        for name, entry in _table(functions, source, where).items():
            place = f"{where} {name}"
            _check_keys(_table(entry, source, place), ("max_compiles",), source, place)
            if "max_compiles" not in entry:
                raise JitwatchError(f"{source}: {place} has no max_compiles; write {{ max_compiles = 1 }}.")
            yield FunctionName(name, file), _limit(entry["max_compiles"], source, place)


def _limit(value: Any, source: str, where: str) -> Limit:
    if value == ALLOW:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise JitwatchError(
        f"{source}: {where} has max_compiles = {value!r}; valid is a whole number of at least 0, or {ALLOW!r}."
    )


def _table(value: Any, source: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise JitwatchError(f"{source}: {where} is {value!r}, where a table such as {{ max_compiles = 1 }} is needed.")
    return value


def _check_keys(table: Mapping[str, Any], valid: tuple[str, ...], source: str, where: str) -> None:
    unknown = next((name for name in table if name not in valid), None)
    if unknown is not None:
        raise JitwatchError(f"{source}: {where} has the unknown key {unknown!r}; valid are {', '.join(valid)}.")
