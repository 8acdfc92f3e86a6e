"""What a check of a budget found, in the words that text and Markdown share."""

from __future__ import annotations

from jitwatch._compare.budget import Check, Excess
from jitwatch._explain.part_changes import change_text
from jitwatch._judge.compiled import Program
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import clean, clean_place

_WORDS = {
    "first": "its first program",
    "function_identity": "another function object of the same definition",
    "repeat": "compiled again for a key that had a program",
    "backward": "compiled outside a call, such as the backward pass of grad",
    "unknown": "its key is not known",
}
"""Of causes that come without a change."""
_MAX_CHANGES = 4
_MAX_MOVED = 8


def headline(check: Check) -> str:
    """The answer in a sentence."""
    total = check.within + len(check.over)
    if not total:
        return "no jitted function compiled, so none is over its budget."
    if not check.over:
        return f"{count_text(total, 'function')} within budget."
    verb = "is over its" if len(check.over) == 1 else "are over their"
    return f"{len(check.over):,} of {count_text(total, 'function')} {verb} budget."


def excess_text(excess: Excess) -> str:
    """What a function may compile, and what it did."""
    processes = f" in {excess.processes:,} processes" if excess.processes > 1 else ""
    each = " for each" if excess.processes > 1 else ""
    budget = "its budget is" if excess.listed else "not listed, and the default is"
    return f"{count_text(excess.compiles, 'compile')}{processes}; {budget} {excess.limit:,}{each}"


def moved_text(check: Check) -> str:
    """Which functions stand elsewhere than in the budget; empty if none does."""
    told = [
        f"{clean(now.name, 80)}: {clean_place(listed.file)} → {clean_place(now.file)}"
        for listed, now in check.moved[:_MAX_MOVED]
    ]
    more = f", … {len(check.moved) - _MAX_MOVED:,} more" if len(check.moved) > _MAX_MOVED else ""
    return f"Moved to another file, and held against the budget all the same: {', '.join(told)}{more}" if told else ""


def unseen_headline(check: Check) -> str:
    """How many entries of the budget the recording does not have."""
    functions = count_text(len(check.unseen), "listed function")
    return f"{functions} not in the recording (`--update --prune` removes them)"


def cause_text(program: Program) -> str:
    """Why it compiled, in labels, and how often."""
    times = f" ({program.count:,} times)" if program.count > 1 else ""
    return ", ".join(program.causes) + times


def change_texts(program: Program) -> list[str]:
    """What differs from the nearest earlier key, one text for each place."""
    if not program.changes:
        return [_WORDS.get(cause, cause) for cause in program.causes]
    texts = [change_text(change) for change in program.changes[:_MAX_CHANGES]]
    more = len(program.changes) - len(texts) + program.more_changes
    return [*texts, f"and {count_text(more, 'more change')}"] if more else texts
