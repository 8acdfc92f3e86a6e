"""The forms in which a report goes to a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from jitwatch._model import Process, Snapshot

FORMS = {
    "html": "jitwatch._report.page.render",
    "json": "jitwatch._report.recording.as_json",
    "trace": "jitwatch._report.recording.as_trace",
}
"""The module whose `render` makes the text."""
SUFFIXES = {".html": "html", ".json": "json"}
"""The form, where a file's name says it."""


def renderer(form: str) -> Callable[[Snapshot, Sequence[Process]], str]:
    """What makes the text of a form, imported when it is asked for."""
    module: Any = importlib.import_module(FORMS[form])
    render: Callable[[Snapshot, Sequence[Process]], str] = module.render
    return render
