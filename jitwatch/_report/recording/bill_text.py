"""The bill as text: what share of the run went into compiling, what of it was not needed, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jitwatch._judge.next_start import WORTH_S
from jitwatch._report.bill import Bill, BillLine, Breakdown
from jitwatch._report.summary import cut_list
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType

_MAX_LINES = 4


def spent_text(bill: Bill) -> str:
    """`1 min 54 s of 2 min 16 s (84%) went into tracing, lowering and compiling`"""
    known = 0 < bill.spent_s <= bill.wall_s
    share = f" of {seconds_text(bill.wall_s)} ({bill.spent_s / bill.wall_s:.0%})" if known else ""
    return f"{seconds_text(bill.spent_s)}{share} went into tracing, lowering and compiling"


def needless_text(bill: Bill, compiles: int) -> str:
    """`9 compiles, 1 min 20 s, were not needed: proved 61 s, likely 19 s.`; empty where nothing is known of that."""
    saved = [(evidence, seconds) for evidence, seconds in bill.saved_s if seconds]
    if not saved:
        return ""
    were = "was" if compiles == 1 else "were"
    seconds = seconds_text(bill.avoidable_s)
    what = f"{count_text(compiles, 'compile')}, {seconds}, {were}" if compiles else f"{seconds} of it was"
    if len(saved) == 1:
        return f"{what} {_ALONE[saved[0][0]]}."
    return f"{what} not needed: {', '.join(f'{evidence} {seconds_text(seconds)}' for evidence, seconds in saved)}."


_ALONE = {"proved": "not needed (proved)", "likely": "not needed (likely)", "possible": "possibly not needed"}


def reusable_text(bill: Bill) -> str:
    """What `reuse` would spare; empty where that is little, or where it was on."""
    if bill.reused or bill.reusable_s < WORTH_S:
        return ""
    programs = count_text(bill.reusable, "program")
    return f"jitwatch run --reuse would spare {seconds_text(bill.reusable_s)}: the process had {programs} already"


def bill_block(bill: Bill, parts: Breakdown) -> Iterator[RenderableType]:
    """Lines on what costs most, where there is more than one of a kind, and on what reuse would spare."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    rows = (
        ("by line", [line for line in parts.places if line.place]),
        ("not needed", parts.causes),
        ("by process", parts.processes),
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, every in rows:
        lines = [line for line in every if line.spent_s]
        if len(lines) > 1:
            table.add_row(label, Text(_line_texts(lines)))
    if reusable := reusable_text(bill):
        table.add_row("reuse", Text(reusable))
    if table.row_count:
        yield Padding(table, (0, 0, 0, 2))


def _line_texts(lines: Sequence[BillLine]) -> str:
    shown = cut_list(sorted(lines, key=lambda line: -line.spent_s), _MAX_LINES)
    texts = [
        f"{short_place(line.place, 60) or clean(line.name, 60)} {seconds_text(line.spent_s)}" for line in shown.shown
    ]
    return ", ".join([*texts, f"… {shown.more:,} more"] if shown.more else texts)
