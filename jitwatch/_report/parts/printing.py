"""Lays out the parts of a text report with rich, the same on every machine."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

_NARROWEST = 30
_DEFAULT_WIDTH = 100


def columns_of(width: int | None) -> int:
    """Columns to lay out for; those of the terminal if None."""
    # The upper bound keeps a mistaken width from filling memory with padding.
    chosen = shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns if width is None else width
    return min(max(chosen, _NARROWEST), 10_000)


def printed(parts: Iterable[RenderableType], *, color: bool, columns: int) -> str:
    """The parts below each other as one text, with ANSI colours or plain."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        width=columns,
        height=25,  # with a height given, rich asks no terminal for its size
        color_system="standard" if color else None,
        force_terminal=color,
        force_jupyter=False,
        no_color=not color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n"))
