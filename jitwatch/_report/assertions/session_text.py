"""What a session of tests compiled, for the end of pytest's output: functions, tests, and what to change."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from jitwatch._model import Finding
from jitwatch._record.sums import programs_of
from jitwatch._report.parts.findings_text import saved_text
from jitwatch._report.parts.printing import columns_of, printed
from jitwatch._report.summary import FunctionRow, Summary, cut_list, summarize
from jitwatch._testing.costs import Cost, SessionData, TestRow
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import ELLIPSIS, clean, clean_place, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
_MAX_MESSAGE = 240


def render(session: SessionData, *, top: int, color: bool = False, width: int | None = None) -> str:
    """Write the report of a session.

    Args:
        session: What happened.
        top: Functions, tests and findings to show, of each so many.
        color: Whether to put in ANSI colours.
        width: Columns; those of the terminal if None.
    """
    return printed(_parts(session, top), color=color, columns=columns_of(width))


def notes_text(session: SessionData) -> str:
    """Only what a user should know who asked for no report; empty if there is nothing."""
    return "\n".join(_notes(session))


def _parts(session: SessionData, top: int) -> Iterator[RenderableType]:
    from rich.text import Text

    summary = summarize(session.snapshot)
    yield from (Text(line, style="bold") for line in _headlines(session, summary))
    costly = [row for row in summary.functions.shown if row.lost_s > 0 or programs_of(row)]
    if costly:
        yield Text()
        yield from _table("Functions", costly, top, _function_cells, "function")
    if session.tests:
        yield Text()
        tests = sorted(session.tests, key=lambda test: (-test.cost.lost_s, test.nodeid))
        yield from _table("Tests", tests, top, _test_cells, "test")
    findings = _findings(session, summary)
    if findings:
        yield Text()
        yield from _findings_parts(findings, top)
    notes = list(_notes(session))
    if notes:
        yield Text()
        yield from (Text(note, style="yellow") for note in notes)


def _headlines(session: SessionData, summary: Summary) -> Iterator[str]:
    head = summary.headline
    if not head.functions:
        yield "No jitted function was called."
    elif not (programs := sum(map(programs_of, summary.functions.shown))):
        yield f"Nothing was compiled for {count_text(head.functions, 'jitted function')}."
    else:
        again = f"{count_text(head.recompiles, 'recompile')}" if head.recompiles else "no recompile"
        yield (
            f"{seconds_text(head.lost_s)} spent on tracing, lowering and compiling {count_text(programs, 'program')} "
            f"of {count_text(head.functions, 'jitted function')}; {again}."
        )
    if head.others_s:
        yield f"Eager operations and other programs: {seconds_text(head.others_s)}."
    if session.outside.lost_s:
        yield f"Of this at import and collection, outside all tests: {_cost_text(session.outside)}."


def _table(
    title: str, rows: Sequence[T], top: int, cells: Callable[[T], tuple[str, str, str]], noun: str
) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("spent", justify="right", no_wrap=True)
    table.add_column("programs", justify="right", no_wrap=True)
    table.add_column(title, overflow="fold")
    shown = cut_list(rows, top)
    for row in shown.shown:
        spent, programs, name = cells(row)
        table.add_row(spent, programs, Text(name))
    yield table
    if shown.more:
        yield Text(f"{ELLIPSIS} {count_text(shown.more, 'more ' + noun)}", style="dim")


def _function_cells(row: FunctionRow) -> tuple[str, str, str]:
    place = f"  {short_place(row.defined_at, 100)}" if row.defined_at else ""
    objects = f" ({row.objects:,} function objects)" if row.objects > 1 else ""
    return seconds_text(row.lost_s), f"{programs_of(row):,}", f"{clean(row.name, 80)}{objects}{place}"


def _test_cells(test: TestRow) -> tuple[str, str, str]:
    around = f", {seconds_text(test.outside_call_s)} in set-up and teardown" if test.outside_call_s else ""
    runs = f", in {test.runs:,} runs" if test.runs > 1 else ""
    return seconds_text(test.cost.lost_s), f"{test.cost.programs:,}", f"{clean_place(test.nodeid, 200)}{around}{runs}"


def _cost_text(cost: Cost) -> str:
    return f"{seconds_text(cost.lost_s)}, {count_text(cost.programs, 'program')}"


def _findings(session: SessionData, summary: Summary) -> list[list[Finding]]:
    """The findings by code, function and line, since tests that are alike have findings that are."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in summary.findings:
        # Where tests clear the caches on purpose, that a program is compiled again after it is no news.
        if not (session.cleared and one.cause == "cache_cleared"):
            groups.setdefault((one.code, one.function, one.call_site), []).append(one)
    return sorted(groups.values(), key=lambda group: -math.fsum(one.lost_s for one in group))


def _findings_parts(findings: Sequence[list[Finding]], top: int) -> Iterable[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold yellow", no_wrap=True)
    table.add_column(overflow="fold")
    shown = cut_list(findings, top)
    for group in shown.shown:
        finding = group[0]
        at = f" (at {short_place(finding.call_site, 100)})" if finding.call_site else ""
        lost_s = seconds_text(math.fsum(one.lost_s for one in group[1:]))
        alike = f"; {len(group) - 1:,} more there like it, {lost_s}" if len(group) > 1 else ""
        saved = f"; {text}" if (text := saved_text(finding)) else ""
        table.add_row(finding.code, Text(f"{clean(finding.message, _MAX_MESSAGE)}{at}{saved}{alike}"))
        table.add_row("", Text(f"fix: {clean(finding.advice, _MAX_MESSAGE)}", style="green"))
    yield table
    if shown.more:
        yield Text(f"{ELLIPSIS} {count_text(shown.more, 'more finding')}", style="dim")


def _notes(session: SessionData) -> Iterator[str]:
    if session.cleared:
        again = f"{count_text(session.again, 'program')} compiled again that had been there."
        yield f"{count_text(session.cleared, 'test')} cleared JAX's caches (jitwatch_fresh): {again}"
    if session.snapshot.faults:
        faults = count_text(session.snapshot.faults, "error")
        yield f"{faults} inside jitwatch caught, so counts can be too low; the logger 'jitwatch' has the details."
    yield from (clean(note, 400) for note in session.notes)
