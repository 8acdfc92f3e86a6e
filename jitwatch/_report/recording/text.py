"""The report as text for terminals and logs: the answer first, then each function with its keys, then the notes.

Laid out by rich, which is imported when used; all text goes in as `Text`, never as markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from jitwatch._explain.earlier_programs import closest_earlier
from jitwatch._judge.next_start import next_start
from jitwatch._model import Finding, FunctionStats, Miss, Process, Snapshot
from jitwatch._report.bill import Bill, bill_of, breakdown_of
from jitwatch._report.memory import memory_of
from jitwatch._report.parts.findings_text import compiles_of, findings_block
from jitwatch._report.parts.printing import columns_of, printed
from jitwatch._report.recording.bill_text import bill_block, needless_text, spent_text
from jitwatch._report.recording.function_text import function_block
from jitwatch._report.recording.memory_text import memory_block
from jitwatch._report.recording.next_start_text import next_start_block
from jitwatch._report.recording.programs_text import programs_text
from jitwatch._report.summary import (
    Cut,
    FunctionRow,
    LineRow,
    Summary,
    cut_list,
    function_row,
    sort_findings,
    summarize,
)
from jitwatch._words.function_text import function_text, is_nameless
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_MAX_FUNCTIONS = 20
_MAX_OTHERS = 8
_MAX_NAMES = 6
_NOTHING_WATCHED = (
    "No jitted function was watched: run the program with `jitwatch run`, call jitwatch.install() before functions are "
    "jitted, or use @jitwatch.watched_jit in place of @jax.jit."
)
_OTHERS = "eager operations and functions that are not watched"
_NOTHING_CALLED = "No watched function was called yet."
_NOTHING_RECORDED = "No jitted function was called."


def render(
    snapshot: Snapshot,
    *,
    color: bool = False,
    width: int | None = None,
    max_functions: int | None = None,
    max_keys: int = 10,
    show_all: bool = False,
    processes: Sequence[Process] = (),
    recorded: bool = False,
    sort: str = "spent",
) -> str:
    """Write the report of all functions, those that cost most first unless it is sorted otherwise.

    Args:
        snapshot: What to report.
        color: Whether to put in ANSI colours; without them the text is plain.
        width: Columns; that of the terminal if None, or 100 without one.
        max_functions: Functions, and findings, to show, 20 if None; of the others the report says how many they are.
        max_keys: Keys to show of each function, likewise.
        show_all: Whether to show everything, whatever the bounds.
        processes: Where it was recorded, for the last line.
        sort: The order of functions, as in the option of this name.
        recorded: Whether it is of a run that was watched from its start: then no advice on how to watch helps.
    """
    max_functions = _MAX_FUNCTIONS if max_functions is None else max_functions
    bounds = {"max_functions": max_functions, "max_keys": max_keys, "max_others": _MAX_OTHERS}
    summary = summarize(snapshot, **({} if show_all else bounds), with_inner=show_all, sort=sort)
    columns = columns_of(width)
    most = None if show_all else max_functions
    parts = _report(snapshot, summary, columns, processes, recorded=recorded, most=most, sort=sort)
    return printed(parts, color=color, columns=columns)


def render_function(
    stats: FunctionStats, misses: Sequence[Miss] = (), findings: Iterable[Finding] = (), *,
    color: bool = False, width: int | None = None, max_keys: int = 10,
) -> str:  # fmt: skip
    """Write the report of one function with these misses and findings, as `render` writes it among others."""
    columns = columns_of(width)
    block = [*function_block(function_row([stats], max_keys=max_keys, misses=misses), columns)]
    block += findings_block(sort_findings(findings))
    return printed(block, color=color, columns=columns)


def _report(
    snapshot: Snapshot,
    summary: Summary,
    columns: int,
    processes: Sequence[Process],
    *,
    recorded: bool,
    most: int | None,
    sort: str,
) -> Iterable[RenderableType]:
    from rich.text import Text

    bill = bill_of(snapshot, summary.findings, processes)
    yield _headline(summary, bill, recorded=recorded)
    if bill.spent_s:
        yield from bill_block(bill, breakdown_of(snapshot, summary.findings, processes))
    if summary.findings:
        yield Text()
        yield from findings_block(summary.findings, most=most)
    if summary.notes:
        yield Text()
        yield Text("Worth knowing, and no fault", style="bold")
        yield from findings_block(summary.notes, most=most)
    left_out = ", with less time spent" if sort == "spent" else ""
    sections = [
        _functions(summary.functions, columns, left_out, _equalities(snapshot)),
        _others(summary.others, summary.headline.others_s),
    ]
    if summary.headline.others_s > summary.headline.lost_s:
        sections.reverse()  # the most costly first, watched or not
    for section in sections:
        yield from section
    for block in (next_start_block(next_start(snapshot)), memory_block(memory_of(snapshot))):
        if parts := list(block):
            yield Text()
            yield from parts
    notes = list(notes_text(summary))
    if notes:
        yield Text()
        yield from (Text(note, style="yellow") for note in notes)
    yield Text()
    if origin := ", ".join(origin_text(summary, processes)):
        yield Text(origin, style="dim")


def _equalities(snapshot: Snapshot) -> dict[int, Counter[str]]:
    """How far the programs of each function are the same as earlier ones of its definition."""
    counts: dict[int, Counter[str]] = {}
    for (function, _, _), equality in closest_earlier(snapshot).items():
        counts.setdefault(function, Counter())[equality] += 1
    return counts


def _functions(
    functions: Cut[FunctionRow], columns: int, left_out: str, equalities: Mapping[int, Counter[str]]
) -> Iterable[RenderableType]:
    from rich.text import Text

    for row in functions.shown:
        yield Text()
        counts = sum((equalities.get(number, Counter()) for number in row.ids), Counter[str]())
        yield from function_block(row, columns, counts)
    if functions.more:
        yield Text()
        yield Text(f"… {count_text(functions.more, 'more function')}{left_out}", style="dim")


def origin_text(summary: Summary, processes: Sequence[Process]) -> Iterable[str]:
    """Where it was recorded: versions, devices, processes."""
    if summary.jax_version:
        yield f"JAX {clean(summary.jax_version, 40)}"
        yield f"Python {clean(summary.python_version, 40)}"
    yield from sorted({clean(process.device_kind, 40) for process in processes if process.device_kind})
    if len(processes) > 1:
        hosts = len({process.host for process in processes})
        yield f"{len(processes):,} processes" + (f" on {hosts:,} hosts" if hosts > 1 else "")


def _headline(summary: Summary, bill: Bill, *, recorded: bool) -> Text:
    from rich.text import Text

    headline = summary.headline
    if not headline.functions and not headline.others_s:
        return Text(_NOTHING_RECORDED if recorded else _NOTHING_CALLED if summary.idle else _NOTHING_WATCHED)
    functions = count_text(headline.functions, "watched function")
    costly: list[FunctionRow | LineRow] = [row for row in (headline.worst, headline.worst_line) if row is not None]
    worst = max(costly, key=lambda row: row.lost_s, default=None)
    if worst is None:
        return Text(f"No time was spent on tracing, lowering or compiling {functions}.", style="bold")
    text = Text(style="bold")
    text.append(spent_text(bill))
    if not headline.functions:
        text.append(f", all of it in {_OTHERS}; ")
    elif headline.others_s:
        text.append(
            f": {seconds_text(headline.lost_s)} in {functions}, {seconds_text(headline.others_s)} in {_OTHERS}; "
        )
    else:
        text.append(f" {functions}; ")
    compiles = sum(map(compiles_of, summary.findings))
    text.append(needless_text(bill, compiles) or _recompiles(headline.recompiles))
    if headline.functions > 1 or headline.others_s:
        text.append(f" The most costly is {_described(worst)}.")
    if bill.reused:
        text.append(f" {count_text(bill.reused, 'program')} reused, which spared {seconds_text(bill.spared_s)}.")
    return text


def _recompiles(recompiles: int) -> str:
    return f"{count_text(recompiles, 'recompile')}." if recompiles else "nothing was compiled twice."


def _described(worst: FunctionRow | LineRow) -> str:
    if isinstance(worst, LineRow):
        count = sum(count for _, count in worst.programs)
        what = f"{short_place(worst.place, 60) or 'what has no line of the program'}, outside watched functions"
        return f"{what}: {seconds_text(worst.lost_s)}, {count_text(count, 'program')}"
    name = function_text(worst.name, worst.qualname, worst.defined_at)
    place = f" ({short_place(worst.defined_at, 60)})" if worst.defined_at and not is_nameless(worst.name) else ""
    recompiles = f", {count_text(worst.recompiles, 'recompile')}" if worst.recompiles else ""
    return f"{name}{place}: {seconds_text(worst.lost_s)}{recompiles}"


def _others(others: Cut[LineRow], others_s: float) -> Iterable[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if not others.shown:
        return
    yield Text()
    yield Text(f"Compiled in {_OTHERS}: {seconds_text(others_s)}", style="bold")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for row in others.shown:
        place = short_place(row.place, 80) or "no line of the program"
        table.add_row(seconds_text(row.lost_s), Text(f"{place}  {programs_text(row.programs)}"))
    if others.more:
        table.add_row("", Text(f"… {count_text(others.more, 'more line')}", style="dim"))
    yield Padding(table, (0, 0, 0, 2))


def notes_text(summary: Summary) -> Iterable[str]:
    """What is not shown, and what the counts are to be taken with."""
    if summary.idle and summary.functions.shown:
        yield f"{count_text(summary.idle, 'further watched function')} never called."
    if summary.inner:
        names = cut_list(summary.inner, _MAX_NAMES)
        more = f", … {count_text(names.more, 'more name')}" if names.more else ""
        shown = ", ".join(clean(name, 60) for name in names.shown)
        yield f"Called only inside others, whose time includes theirs: {shown}{more}."
    if summary.acknowledged:
        yield f"{count_text(summary.acknowledged, 'finding')} acknowledged by the author: not shown."
    for one in summary.obsolete:
        yield f"Acknowledged, and does not happen any more: {clean(one, 200)}."
    if summary.dropped_functions:
        dropped = count_text(summary.dropped_functions, "function")
        yield f"{dropped} beyond the bound on watched functions: not in this report."
    if summary.dropped_misses:
        dropped = count_text(summary.dropped_misses, "older miss", "older misses")
        yield f"{dropped} no longer kept one by one; the totals include them."
    if summary.faults:
        faults = count_text(summary.faults, "error")
        yield f"{faults} inside jitwatch caught, so counts can be too low; the logger 'jitwatch' has the details."
