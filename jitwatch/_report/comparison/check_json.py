"""What a check of a budget found as JSON, in the versioned form of docs/budgets.md."""

from __future__ import annotations

import msgspec

from jitwatch._compare.budget import Check, Excess
from jitwatch._judge.compiled import Program
from jitwatch._report.comparison.diff_json import JsonNamedFinding, named_finding
from jitwatch._words.safe_text import clean, clean_place

SCHEMA = "jitwatch-check/1"


class JsonChange(msgspec.Struct, frozen=True):
    """One difference to the nearest earlier key."""

    cause: str
    where: str
    before: str
    after: str


class JsonProgram(msgspec.Struct, frozen=True):
    """One compile, or several for one reason."""

    causes: list[str]
    changes: list[JsonChange]
    more_changes: int
    call_site: str
    count: int


class JsonExcess(msgspec.Struct, frozen=True):
    """A function over its budget."""

    name: str
    file: str
    max_compiles: int
    listed: bool
    compiles: int
    processes: int
    unexpected: list[JsonProgram]
    findings: list[JsonNamedFinding]


class JsonName(msgspec.Struct, frozen=True):
    """A function by name and file."""

    name: str
    file: str


class JsonMoved(msgspec.Struct, frozen=True):
    """A function that stands in another file than in the budget."""

    name: str
    listed_file: str
    file: str


class JsonCheck(msgspec.Struct, frozen=True):
    """A budget held against a recording."""

    schema: str
    passed: bool
    within: int
    over: list[JsonExcess]
    unseen: list[JsonName]
    moved: list[JsonMoved]


def render(check: Check) -> str:
    """What was found, as JSON text."""
    report = JsonCheck(
        schema=SCHEMA, passed=not check.over, within=check.within, over=[_excess(excess) for excess in check.over],
        unseen=[JsonName(clean(name), clean_place(file)) for name, file in check.unseen],
        moved=[JsonMoved(clean(now.name), clean_place(was.file), clean_place(now.file)) for was, now in check.moved],
    )  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode()


def _excess(excess: Excess) -> JsonExcess:
    return JsonExcess(
        name=clean(excess.function.name), file=clean_place(excess.function.file), max_compiles=excess.limit,
        listed=excess.listed, compiles=excess.compiles, processes=excess.processes,
        unexpected=[_program(program) for program in excess.unexpected],
        findings=[named_finding(finding) for finding in excess.findings],
    )  # fmt: skip


def _program(program: Program) -> JsonProgram:
    changes = [JsonChange(*map(clean, msgspec.structs.astuple(change))) for change in program.changes]
    causes = [clean(cause) for cause in program.causes]
    return JsonProgram(causes, changes, program.more_changes, clean_place(program.call_site), program.count)
