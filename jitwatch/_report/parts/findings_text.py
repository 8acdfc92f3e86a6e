"""The findings of the text report: what is wrong, the difference, the fix, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jitwatch._judge.codes import page_of
from jitwatch._model import Finding
from jitwatch._report.summary import cut_list
from jitwatch._words.function_text import is_nameless
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType

_MAX_MESSAGE = 600
MAX_FINDINGS = 20


def findings_block(findings: Sequence[Finding], *, most: int | None = MAX_FINDINGS) -> Iterator[RenderableType]:
    """Give one block for each finding, the most costly first."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = cut_list(findings, most)
    for finding in shown.shown:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="bold yellow", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(finding.code, Text(clean(finding.message, _MAX_MESSAGE)))
        table.add_row("", Text(f"fix: {clean(finding.advice, _MAX_MESSAGE)}", style="green"))
        if circumstances := "; ".join(_circumstances(finding)):
            table.add_row("", Text(circumstances, style="dim"))
        table.add_row("", Text(f"more: jitwatch explain {finding.code}, {page_of(finding.code)}", style="dim"))
        yield Padding(table, (0, 0, 0, 2))
    if shown.more:
        yield Padding(Text(f"… {count_text(shown.more, 'more finding')}", style="dim"), (0, 0, 0, 2))


def saved_text(finding: Finding) -> str:
    """What the fix saves; empty where that is nothing that is counted."""
    if not finding.compiles:
        return ""
    return f"saves {saved_programs_text(finding)}, {seconds_text(finding.lost_s)}"


def saved_programs_text(finding: Finding) -> str:
    """`9 compiles`, and what was loaded or reused in place of one."""
    counts = ((compiles_of(finding), "compile"), (finding.loaded, "load"), (finding.reused, "reuse"))
    return ", ".join(count_text(count, noun) for count, noun in counts if count)


def compiles_of(finding: Finding) -> int:
    """What XLA compiled without need."""
    return finding.compiles - finding.reused - finding.loaded


def _circumstances(finding: Finding) -> Iterator[str]:
    places = [f"at {short_place(finding.call_site, 100)}"] if finding.call_site else []
    made_elsewhere = finding.defined_at not in ("", finding.call_site) and not is_nameless(finding.function)
    if finding.cause == "function_identity" and made_elsewhere:
        places.append(f"defined at {short_place(finding.defined_at, 100)}")
    if places:
        yield ", ".join(places)
    if saved := saved_text(finding):
        yield saved
