"""What a check of a budget found, as text for terminals and logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jitwatch._compare.budget import Check, Excess
from jitwatch._report.comparison.check_words import (
    cause_text,
    change_texts,
    excess_text,
    headline,
    moved_text,
    unseen_headline,
)
from jitwatch._report.parts.findings_text import findings_block
from jitwatch._report.parts.printing import columns_of, printed
from jitwatch._report.summary import cut_list, sort_findings
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import ELLIPSIS, clean, clean_place, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADING = "jitwatch check: "
"""What the text begins with; by it a file is known as one that may be overwritten."""
_MAX_FUNCTIONS = 40
_MAX_PROGRAMS = 12
_MAX_CHANGE = 300


def render(check: Check, *, color: bool = False, width: int | None = None) -> str:
    """Write which functions are over their budget, each with its unexpected compiles and advice."""
    return printed(_parts(check), color=color, columns=columns_of(width))


def _parts(check: Check) -> Iterable[RenderableType]:
    from rich.text import Text

    yield Text(HEADING + headline(check), style="bold red" if check.over else "bold")
    over = cut_list(check.over, _MAX_FUNCTIONS)
    for excess in over.shown:
        yield Text()
        yield from _excess(excess)
    if over.more:
        yield Text(f"\n{ELLIPSIS} {count_text(over.more, 'more function')} over budget", style="dim")
    if moved := moved_text(check):
        yield Text(f"\n{moved}; --update writes the new files.", style="yellow")
    if check.unseen:
        names = cut_list([_name(*function) for function in check.unseen], _MAX_PROGRAMS)
        more = f", {ELLIPSIS} {names.more:,} more" if names.more else ""
        yield Text(f"\n{unseen_headline(check)}: {', '.join(names.shown)}{more}.", style="yellow")


def _excess(excess: Excess) -> Iterable[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    title = Text(_name(*excess.function), style="bold")
    title.append(f": {excess_text(excess)}", style="")
    yield title
    shown = cut_list(excess.unexpected, _MAX_PROGRAMS)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="yellow", max_width=24, overflow="fold")
    table.add_column(overflow="fold")
    for program in shown.shown:
        text = Text("\n".join(clean(change, _MAX_CHANGE) for change in change_texts(program)))
        if program.call_site:
            text.append(f"\nat {short_place(program.call_site, 100)}", style="dim")
        table.add_row(Text(clean(cause_text(program))), text)
    if shown.more:
        table.add_row("", Text(f"{ELLIPSIS} {count_text(shown.more, 'more compile')}", style="dim"))
    yield Padding(table, (0, 0, 0, 2))
    yield from findings_block(sort_findings(excess.findings))


def _name(name: str, file: str) -> str:
    return clean(name, 100) + (f" ({clean_place(file, 100)})" if file else "")
