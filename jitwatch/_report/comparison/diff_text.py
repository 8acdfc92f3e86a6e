"""What differs between two recordings, as text for terminals and logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jitwatch._compare.comparison import Comparison, Pair
from jitwatch._model import Finding
from jitwatch._report.comparison.difference_words import (
    causes_text,
    compiles_text,
    headline,
    lost_text,
    ordered,
    others_headline,
    renamed_text,
    status_text,
)
from jitwatch._report.parts.findings_text import MAX_FINDINGS, findings_block
from jitwatch._report.parts.printing import columns_of, printed
from jitwatch._report.summary import cut_list, sort_findings
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import ELLIPSIS, clean, clean_place

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADING = "jitwatch diff: "
"""What the text begins with; by it a file is known as one that may be overwritten."""
_MAX_FUNCTIONS = 20
_MAX_OTHERS = 8
_STYLES = {"more": "bold red", "new": "yellow", "fewer": "green", "gone": "green"}


def render(
    comparison: Comparison, *, color: bool = False, width: int | None = None, top: int | None = None
) -> str:  # fmt: skip
    """Write what differs: the answer, then functions, new findings and other programs; `top` of each."""
    return printed(_parts(comparison, top), color=color, columns=columns_of(width))


def _parts(comparison: Comparison, top: int | None) -> Iterable[RenderableType]:
    from rich.text import Text

    yield Text(HEADING + headline(comparison), style="bold")
    if comparison.functions:
        yield Text()
        yield from _functions(ordered(comparison.functions), top or _MAX_FUNCTIONS)
    if comparison.new_findings:
        yield Text("\nNew findings", style="bold")
        yield from findings_block(sort_findings(comparison.new_findings), most=top or MAX_FINDINGS)
    if comparison.gone_findings:
        yield Text(f"\nNo longer found: {_names(comparison.gone_findings)}", style="green")
    if text := renamed_text(comparison):
        yield Text(f"\n{text}.")
    if comparison.others:
        yield Text(f"\n{others_headline(comparison)}: {_others(ordered(comparison.others))}")


def _functions(pairs: list[Pair], most: int) -> Iterable[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    shown = cut_list(pairs, most)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for head in ("", "function", "compiles", "causes", "seconds"):
        table.add_column(head, overflow="fold")
    for pair in shown.shown:
        name = Text(clean(pair.name, 80))
        name.append(f"\n{clean_place(pair.file, 80)}" if pair.file else "", style="dim")
        status = Text(status_text(pair), style=_STYLES.get(pair.status, ""))
        table.add_row(status, name, compiles_text(pair), Text(causes_text(pair)), lost_text(pair))
    yield Padding(table, (0, 0, 0, 2))
    if shown.more:
        yield Text(f"  {ELLIPSIS} {count_text(shown.more, 'more function')}", style="dim")


def _names(findings: Iterable[Finding]) -> str:
    names = cut_list([f"{one.code} {clean(one.function, 60)}" for one in sort_findings(findings)], _MAX_OTHERS)
    return ", ".join(names.shown) + (f", {ELLIPSIS} {names.more:,} more" if names.more else "")


def _others(pairs: list[Pair]) -> str:
    shown = cut_list(pairs, _MAX_OTHERS)
    texts = [f"{clean(pair.name, 60)} {compiles_text(pair)}" for pair in shown.shown]
    return ", ".join([*texts, f"{ELLIPSIS} {shown.more:,} more"] if shown.more else texts)
