"""One line for a program that was just made: whose, at which line, in which time, and why; and several in a panel."""

from __future__ import annotations

from collections.abc import Sequence

from jitwatch._explain.explain import change_text
from jitwatch._model import Change, Stages
from jitwatch._record.sums import lost_s
from jitwatch._report.parts.printing import printed
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, short_place

_MAX_CHANGES = 3
_MAX_TEXT = 200


def live_line(name: str, defined_at: str, place: str, stages: Stages, changes: Sequence[Change], *, again: bool) -> str:
    """Say what was compiled, loaded or reused for a function.

    Args:
        name: Of the function.
        defined_at: Its definition.
        place: The user's line that called it.
        stages: What ran.
        changes: Against the nearest earlier key; empty if there is none.
        again: Whether the function had a program before.
    """
    where = f" ({short_place(defined_at, 100)})" if defined_at else ""
    verb = "compiled" if stages.compiles else "loaded" if stages.loads else "reused"
    at = f" at {short_place(place, 100)}" if place else ""
    text = f"{clean(name, 80)}{where} {verb}{' again' if again else ''}{at}, {seconds_text(lost_s(stages))}"
    told = [clean(change_text(change), _MAX_TEXT) for change in changes[:_MAX_CHANGES]]
    if len(changes) > _MAX_CHANGES:
        told.append(f"and {len(changes) - _MAX_CHANGES} more")
    return f"{text}: {'; '.join(told)}" if told else text


def panel_rows(
    lines: Sequence[str], rows: int, columns: int, *,
    wall_s: float, spent_s: float, programs: int, recompiles: int, color: bool,
) -> list[str]:  # fmt: skip
    """The rows of a panel at the end of a terminal: the sums so far, and the newest recompilations.

    Args:
        lines: The recompilations, the newest last.
        rows: How many to make.
        columns: How wide.
        wall_s: Since the program began.
        spent_s: Seconds of tracing, lowering and compiling.
        programs: How many were made.
        recompiles: How many of them again.
        color: Whether to put in ANSI colours.
    """
    from rich.text import Text

    share = f" ({spent_s / wall_s:.0%})" if 0 < spent_s <= wall_s else ""
    head = (
        f"jitwatch, {seconds_text(wall_s)}: {seconds_text(spent_s)}{share} compiling, "
        f"{count_text(programs, 'program')}, {count_text(recompiles, 'recompile')}"
    )
    shown = [Text(head, style="reverse"), *(Text(line) for line in lines[-(rows - 1) :])]
    for row in shown:
        row.truncate(columns, overflow="ellipsis")
    texts = printed(shown, color=color, columns=columns).split("\n")
    return [*texts, *[""] * (rows - len(texts))]
