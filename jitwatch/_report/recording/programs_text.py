"""Programs by name, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from jitwatch._report.summary import cut_list
from jitwatch._words.quantity_text import count_text, times_text
from jitwatch._words.safe_text import clean

_MAX_PROGRAMS = 6


def programs_text(programs: Sequence[tuple[str, int]]) -> str:
    """Programs by name, each with its number, and how many more there are."""
    shown = cut_list(programs, _MAX_PROGRAMS)
    texts = [f"{clean(name, 60)}{f' {times_text(count)}' if count > 1 else ''}" for name, count in shown.shown]
    return ", ".join([*texts, f"… {count_text(shown.more, 'more program')}"] if shown.more else texts)
