"""What differs between two recordings, as a comment on a pull request: within GitHub's bound of 65,536 characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jitwatch._compare.comparison import Comparison, Pair
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
from jitwatch._report.parts.markdown import MAX_FINDINGS, code, details, findings_markdown, prose, table
from jitwatch._report.summary import cut_list, sort_findings
from jitwatch._words.quantity_text import count_text

HEADING = "## jitwatch diff\n"
"""What the page begins with; by it a file is known as one that may be overwritten."""
_MAX_FUNCTIONS = 20
_MAX_OTHERS = 12
_MAX_CAUSES = 200


def render(comparison: Comparison, *, top: int | None = None) -> str:
    """Write what differs: the answer, a table, new findings with their advice, the rest folded away; `top` of each."""
    return "\n\n".join([HEADING.strip(), *_blocks(comparison, top)])


def _blocks(comparison: Comparison, top: int | None) -> Iterator[str]:
    yield headline(comparison)
    if comparison.functions:
        yield _functions(ordered(comparison.functions), top or _MAX_FUNCTIONS)
    if comparison.new_findings:
        yield "### New findings"
        yield from findings_markdown(comparison.new_findings, most=top or MAX_FINDINGS)
    if comparison.gone_findings:
        gone = cut_list(sort_findings(comparison.gone_findings), _MAX_OTHERS)
        more = f", … and {gone.more:,} more" if gone.more else ""
        yield f"No longer found: {', '.join(f'{one.code} {code(one.function)}' for one in gone.shown)}{more}."
    if text := renamed_text(comparison):
        yield f"{prose(text)}."
    if comparison.others:
        yield details(others_headline(comparison), _others(ordered(comparison.others)))
    if comparison.unchanged:
        yield details(count_text(len(comparison.unchanged), "unchanged function"), _unchanged(comparison.unchanged))


def _functions(pairs: Sequence[Pair], most: int) -> str:
    shown = cut_list(pairs, most)
    rows = [
        [f"**{status_text(pair)}**" if pair.is_increase else status_text(pair), code(pair.name), code(pair.file),
         compiles_text(pair), causes_text(pair)[:_MAX_CAUSES].replace("_", "\\_"), lost_text(pair)]
        for pair in shown.shown
    ]  # fmt: skip
    return table(["", "function", "file", "compiles", "causes", "seconds"], rows, shown.more)


def _others(pairs: Sequence[Pair]) -> str:
    shown = cut_list(pairs, _MAX_OTHERS)
    rows = [[status_text(pair), code(pair.name), compiles_text(pair), lost_text(pair)] for pair in shown.shown]
    return table(["", "program", "compiles", "seconds"], rows, shown.more)


def _unchanged(pairs: Sequence[Pair]) -> str:
    shown = cut_list(pairs, _MAX_FUNCTIONS)
    rows = [[code(pair.name), code(pair.file), compiles_text(pair), lost_text(pair)] for pair in shown.shown]
    return table(["function", "file", "compiles", "seconds"], rows, shown.more)
