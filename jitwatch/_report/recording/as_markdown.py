"""The report as Markdown, for a job's summary or a comment: the bill, what to change, the functions, eager work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jitwatch._model import Finding, Process, Snapshot
from jitwatch._report.bill import Bill, bill_of
from jitwatch._report.parts.findings_text import compiles_of
from jitwatch._report.parts.markdown import MAX_FINDINGS, code, details, findings_markdown, place_code, prose, table
from jitwatch._report.recording.bill_text import needless_text, reusable_text, spent_text
from jitwatch._report.recording.text import notes_text, origin_text
from jitwatch._report.summary import Cut, FunctionRow, LineRow, Summary, summarize
from jitwatch._words.function_text import function_text
from jitwatch._words.quantity_text import count_text, seconds_text, share_text, times_text

HEADING = "## jitwatch report\n"
"""What the page begins with."""
_MAX_FUNCTIONS = 20
_MAX_LINES = 12
_MAX_PROGRAMS = 6


def render(
    snapshot: Snapshot, processes: Sequence[Process] = (), *,
    top: int | None = None, sort: str = "spent", show_all: bool = False,
) -> str:  # fmt: skip
    """Write the report of a snapshot, recorded in these processes.

    Args:
        snapshot: What to report.
        processes: Where it was recorded.
        top: Functions and findings to show; 20 and 15 if None.
        sort: The order of functions, as in the option of this name.
        show_all: Whether to show all of them, and all lines.
    """
    functions, lines = (None, None) if show_all else (_MAX_FUNCTIONS if top is None else top, _MAX_LINES)
    summary = summarize(snapshot, max_functions=functions, max_keys=0, max_others=lines, with_inner=show_all, sort=sort)
    bill = bill_of(snapshot, summary.findings, processes)
    return "\n\n".join([HEADING.strip(), *_blocks(summary, bill, processes, None if show_all else top or MAX_FINDINGS)])


def _blocks(summary: Summary, bill: Bill, processes: Sequence[Process], most: int | None) -> Iterator[str]:
    yield _bill(bill, summary.findings)
    if summary.findings:
        yield "### What to change"
        yield from findings_markdown(summary.findings, most=most)
    if summary.functions.shown:
        yield "### Functions"
        yield _functions(summary.functions)
    if summary.others.shown:
        title = f"Compiled outside watched functions: {seconds_text(summary.headline.others_s)}"
        yield details(title, _lines(summary.others))
    notes = [*(f"{note.message} {note.advice}" for note in summary.notes), *notes_text(summary)]
    if notes:
        yield "\n".join(f"- {prose(note)}" for note in notes)
    if origin := ", ".join(map(prose, origin_text(summary, processes))):
        yield f"<sub>{origin}</sub>"


def _bill(bill: Bill, findings: Sequence[Finding]) -> str:
    if not bill.spent_s:
        return "No time was spent on tracing, lowering or compiling."
    compiles = sum(map(compiles_of, findings))
    reusable = f"{text}." if (text := reusable_text(bill)) else ""
    return f"**{spent_text(bill)}.** {needless_text(bill, compiles)} {reusable}".strip()


def _functions(rows: Cut[FunctionRow]) -> str:
    head = ["function", "defined at", "compiling", "compiles", "recompiles", "keys", "calls", "hits"]
    return table(head, map(_function, rows.shown), rows.more)


def _function(row: FunctionRow) -> list[str]:
    hits = share_text(row.hits, row.calls) if row.hits_counted and row.calls else ""
    name = code(function_text(row.name, row.qualname, row.defined_at))
    objects = f" ({count_text(row.objects, 'object')})" if row.objects > 1 else ""
    numbers = (row.stages.compiles, row.recompiles, len(row.keys.shown) + row.keys.more, row.calls)
    return [
        f"{name}{objects}", place_code(row.defined_at), seconds_text(row.lost_s),
        *(f"{number:,}" for number in numbers), hits.replace("<", "&lt;").replace(">", "&gt;"),
    ]  # fmt: skip


def _lines(rows: Cut[LineRow]) -> str:
    return table(["compiling", "line", "programs"], map(_line, rows.shown), rows.more)


def _line(row: LineRow) -> list[str]:
    shown = row.programs[:_MAX_PROGRAMS]
    programs = [f"{code(name, 60)} {times_text(count)}" if count > 1 else code(name, 60) for name, count in shown]
    more = len(row.programs) - _MAX_PROGRAMS
    if more > 0:
        programs.append(f"… {count_text(more, 'more program')}")
    return [seconds_text(row.lost_s), place_code(row.place), ", ".join(programs)]
