"""The forms in which a report goes to a file."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from jitwatch._model import Process, Snapshot
from jitwatch._report.compared import Kept

FORMS = {
    "html": "jitwatch._report.page.render",
    "json": "jitwatch._report.recording.as_json",
    "trace": "jitwatch._report.recording.as_trace",
}
"""The module whose `render` makes the text."""
SUFFIXES = {".html": "html", ".json": "json"}
"""The form, where a file's name says it."""


def renderer(
    form: str, kept: Kept | None = None, *, top: int | None = None, sort: str = "spent"
) -> Callable[[Snapshot, Sequence[Process]], str]:
    """What makes the text of a form, imported when it is asked for.

    Args:
        form: One of `FORMS`.
        kept: Reads programs that were kept, for the page to compare; None for none.
        top: Functions and findings to show on the page; as many as it has room for if None.
        sort: The order of functions there.
    """
    module: Any = importlib.import_module(FORMS[form])
    render: Callable[..., str] = module.render
    return functools.partial(render, kept=kept, top=top, sort=sort) if form == "html" else render
