"""The text report for a stream, coloured where that is a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def text_for(stream: Any, *, top: int | None = None, sort: str = "spent", show_all: bool = False) -> Callable[..., str]:
    """What makes the text report for a stream, coloured where that is a terminal; the others are as in `render`."""

    def text(data: Any, processes: Any = ()) -> str:
        from jitwatch._report.recording.text import render

        color = _is_terminal(stream) and not os.environ.get("NO_COLOR")
        return render(
            data, color=color, max_functions=top, sort=sort, show_all=show_all, processes=processes, recorded=True
        )

    return text


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:  # none, closed by the program since, or of its own making
        return False
