"""What differs between two recordings as JSON, in the versioned form of docs/budgets.md."""

from __future__ import annotations

import msgspec

from jitwatch._compare.comparison import Comparison, Pair, Side, Totals
from jitwatch._model import Finding
from jitwatch._report.recording.as_json import json_finding
from jitwatch._report.recording.json_structs import JsonFinding
from jitwatch._words.safe_text import clean, clean_place

SCHEMA = "jitwatch-diff/1"


class JsonSide(msgspec.Struct, frozen=True):
    """One function in one of the recordings."""

    file: str
    compiles: int
    processes: int
    causes: dict[str, int]
    lost_s: float


class JsonPair(msgspec.Struct, frozen=True):
    """One function in both; null where it compiled nothing."""

    name: str
    status: str
    increase: bool
    before: JsonSide | None
    after: JsonSide | None
    earlier_name: str | None
    """Where it was renamed, or moved to another file."""


class JsonNamedFinding(JsonFinding, frozen=True):
    """A finding with its function."""

    function: str
    defined_at: str


class JsonDiff(msgspec.Struct, frozen=True):
    """Two recordings, side by side."""

    schema: str
    increase: bool
    """Whether `--fail-on increase` fails."""
    count_difference: bool
    """Whether `--fail-on any` fails."""
    before: Totals
    after: Totals
    functions: list[JsonPair]
    """All that compiled in either, those that differ first."""
    others: list[JsonPair]
    """Those that differ."""
    new_findings: list[JsonNamedFinding]
    gone_findings: list[JsonNamedFinding]


def render(comparison: Comparison) -> str:
    """What differs, as JSON text."""
    return msgspec.json.format(msgspec.json.encode(_diff(comparison)), indent=1).decode()


def _diff(comparison: Comparison) -> JsonDiff:
    return JsonDiff(
        schema=SCHEMA, increase=comparison.has_increase, count_difference=comparison.has_count_difference,
        before=comparison.before, after=comparison.after,
        functions=[_pair(pair) for pair in (*comparison.functions, *comparison.unchanged)],
        others=[_pair(pair) for pair in comparison.others],
        new_findings=[named_finding(finding) for finding in comparison.new_findings],
        gone_findings=[named_finding(finding) for finding in comparison.gone_findings],
    )  # fmt: skip


def named_finding(finding: Finding) -> JsonNamedFinding:
    """A finding with its function."""
    return JsonNamedFinding(
        **msgspec.structs.asdict(json_finding(finding)), function=clean(finding.function),
        defined_at=clean_place(finding.defined_at),
    )  # fmt: skip


def _pair(pair: Pair) -> JsonPair:
    was = None if pair.was is None else clean(pair.was.name)
    return JsonPair(clean(pair.name), pair.status, pair.is_increase, _side(pair.before), _side(pair.after), was)


def _side(side: Side | None) -> JsonSide | None:
    if side is None:
        return None
    causes = {clean(cause): count for cause, count in side.causes}
    return JsonSide(clean_place(side.file), side.compiles, side.processes, causes, side.lost_s)
