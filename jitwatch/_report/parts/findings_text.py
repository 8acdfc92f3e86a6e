"""The findings of the text report: what is wrong, the difference, the fix, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jitwatch._model import Finding
from jitwatch._report.summary import cut_list
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType

_MAX_MESSAGE = 600
_MAX_FINDINGS = 20


def findings_block(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    """Give one block for each finding, the most costly first."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = cut_list(findings, _MAX_FINDINGS)
    for finding in shown.shown:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="bold yellow", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(finding.code, Text(clean(finding.message, _MAX_MESSAGE)))
        table.add_row("", Text(f"fix: {clean(finding.advice, _MAX_MESSAGE)}", style="green"))
        if finding.call_site:
            saved = f"saves {count_text(finding.compiles, 'compile')}, {seconds_text(finding.lost_s)}"
            table.add_row("", Text(f"at {short_place(finding.call_site, 100)}; {saved}", style="dim"))
        yield Padding(table, (0, 0, 0, 2))
    if shown.more:
        yield Padding(Text(f"… {count_text(shown.more, 'more finding')}", style="dim"), (0, 0, 0, 2))
