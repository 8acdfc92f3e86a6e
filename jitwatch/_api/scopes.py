"""What a program asks for: everything so far, or everything within a `with` block, as data or as text."""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jitwatch import _config, _state
from jitwatch._blocks import Block
from jitwatch._errors import JitwatchError, check_flags, repr_of
from jitwatch._model import Snapshot
from jitwatch._record.moments import Moment
from jitwatch._record.recorder import recorder
from jitwatch._words.safe_text import clean


def snapshot() -> Snapshot:
    """Everything recorded in this process since the start or the last `reset()`, as plain data."""
    return recorder().snapshot()


def reset() -> None:
    """Count from zero again. JAX's caches stay as they are, so a key that was compiled before goes on to hit.

    Warnings begin anew too: what was said before is said again if it happens again.
    """
    _state.current().reset()


def metrics() -> dict[str, int | float]:
    """Counts and seconds since the start or the last `reset()` as numbers by name, to log beside a loss.

    The names begin with `jitwatch/`, and are always the same ones (docs/metrics.md). It takes as long as `snapshot()`.
    """
    from jitwatch._export.metrics import metrics_of

    return metrics_of(snapshot())


class Report(str):
    """A report as text, which a Python prompt and a notebook show as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(re.sub(_COLORS, '', self))}</pre>"


_COLORS = r"\x1b\[[0-9;]*m"


def report(data: Snapshot | None = None, *, color: bool | None = None, width: int | None = None) -> Report:
    """All watched functions as text, the one that lost most seconds to compilation first.

    The result is a string; at a prompt and in a notebook it shows itself. The settings `include`, `omit`, `top` and
    `sort` apply.

    Args:
        data: What to report; everything so far if left out.
        color: Whether to colour the text; if left out, only where standard output is a terminal and `NO_COLOR` is not
            set.
        width: In columns; if left out, that of the terminal.
    """
    from jitwatch._report.recording.text import render
    from jitwatch._report.selection import select

    if data is not None:
        _checked(data)
    check_layout(color, width)
    if data is None and _config.is_off():
        return Report(f"{_config.off_text()}, so nothing is watched.")
    if color is None:
        color = sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    include, omit, top, sort = map(_config.option, ("include", "omit", "top", "sort"))
    chosen = select(snapshot() if data is None else data, include, omit)
    return Report(render(chosen, color=color, width=width, max_functions=top, sort=sort))


def report_json(data: Snapshot | None = None) -> str:
    """The same as JSON, in the form of docs/json.md.

    Raises:
        JitwatchError: What is given is no snapshot.
    """
    from jitwatch._report.recording.as_json import render

    return render(snapshot() if data is None else _checked(data), ())


def _checked(data: Any) -> Snapshot:
    if not isinstance(data, Snapshot):
        raise JitwatchError(f"report() was given {repr_of(data)}; give what a snapshot() returned, or nothing.")
    return data


def check_layout(color: Any, width: Any) -> None:
    """Refuse arguments of a text report that say nothing.

    Raises:
        JitwatchError: One is not valid.
    """
    if color is not None:
        check_flags(color=color)
    if width is not None and (isinstance(width, bool) or not isinstance(width, int) or width < 1):
        raise JitwatchError(f"width is {repr_of(width)}; valid is a whole number of at least 1: columns of the text.")


class Recording:
    """What happened in one `with jitwatch.recording()` block, on all threads; still growing until the block ends."""

    def __init__(self) -> None:
        self._before = recorder().moment()
        self._after: Moment | None = None

    def snapshot(self) -> Snapshot:
        """The block's own counts as plain data."""
        after = self._after or recorder().moment()
        return recorder().between(self._before, after)

    def report(self, *, color: bool | None = None, width: int | None = None) -> Report:
        """The block's own counts as text."""
        return report(None if _config.is_off() else self.snapshot(), color=color, width=width)

    def _repr_html_(self) -> str:
        """For notebooks."""
        from jitwatch._report.page.render import recording_part

        return recording_part(self.snapshot())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For IPython on a terminal."""
        printer.text(self.report(color=False))

    def to_html(self) -> str:
        """The block's own counts as one HTML page, to write to a file and open in a browser."""
        from jitwatch._report.page.render import render

        return render(self.snapshot())

    def compiles(self, name: str | None = None) -> int:
        """XLA compilations in the block: of all watched functions, or of those with this name.

        Raises:
            JitwatchError: No watched function has the name.
        """
        functions = self.snapshot().functions
        if name is not None:
            known = sorted({function.name for function in functions})
            functions = tuple(function for function in functions if function.name == name)
            if not functions:
                raise JitwatchError(
                    f"No watched function is named {name!r}; there are: {', '.join(map(clean, known)) or 'none'}."
                )
        return sum(function.stages.compiles for function in functions)


def recording() -> Block[Recording]:
    """Count a block on its own; blocks may nest and overlap, and none changes the counts of another."""
    return Block(_recording, refuse=_NO_DECORATOR)


_NO_DECORATOR = (
    "jitwatch.recording() hands its counts to a block, and a decorated function could not get at them; write "
    "`with jitwatch.recording() as r:` inside."
)


@contextmanager
def _recording() -> Iterator[Recording]:
    scope = Recording()
    try:
        yield scope
    finally:
        scope._after = recorder().moment()
