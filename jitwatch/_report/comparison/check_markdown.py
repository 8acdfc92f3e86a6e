"""What a check of a budget found, as a comment on a pull request: within GitHub's bound of 65,536 characters."""

from __future__ import annotations

from collections.abc import Iterator

from jitwatch._compare.budget import Check, Excess
from jitwatch._judge.compiled import Program
from jitwatch._report.comparison.check_words import (
    cause_text,
    change_texts,
    excess_text,
    headline,
    moved_text,
    unseen_headline,
)
from jitwatch._report.parts.markdown import code, details, findings_markdown, place_code, prose, table
from jitwatch._report.summary import cut_list
from jitwatch._words.quantity_text import count_text

HEADING = "## jitwatch check\n"
"""What the page begins with; by it a file is known as one that may be overwritten."""
_MAX_LENGTH = 60_000
_MAX_PROGRAMS = 8
_MAX_UNSEEN = 12
_MAX_CHANGE = 200


def render(check: Check) -> str:
    """Write which functions are over their budget, each with its unexpected compiles and advice."""
    blocks = [HEADING.strip(), headline(check).capitalize(), *_moved(check), *_unseen(check)]
    length = sum(map(len, blocks))
    for number, excess in enumerate(check.over):
        block = "\n\n".join(_excess(excess))
        length += len(block)
        if length > _MAX_LENGTH:
            return "\n\n".join([*blocks, f"… and {count_text(len(check.over) - number, 'more function')} over budget."])
        blocks.append(block)
    return "\n\n".join(blocks)


def _moved(check: Check) -> Iterator[str]:
    if text := moved_text(check):
        yield f"{prose(text)}."


def _unseen(check: Check) -> Iterator[str]:
    if check.unseen:
        shown = cut_list(check.unseen, _MAX_UNSEEN)
        rows = [[code(function.name), code(function.file)] for function in shown.shown]
        yield details(unseen_headline(check).replace("`", ""), table(["function", "file"], rows, shown.more))


def _excess(excess: Excess) -> Iterator[str]:
    yield f"### {code(excess.function.name)} in {code(excess.function.file)}"
    yield f"{excess_text(excess)}. Unexpected:"
    shown = cut_list(excess.unexpected, _MAX_PROGRAMS)
    yield table(["cause", "what changed", "at"], map(_row, shown.shown), shown.more)
    yield from findings_markdown(excess.findings)


def _row(program: Program) -> list[str]:
    texts = change_texts(program)
    changes = "<br>".join(code(text, _MAX_CHANGE) if program.changes else text for text in texts)
    return [cause_text(program).replace("_", "\\_"), changes, place_code(program.call_site)]
