"""The forms in which a report goes to a file, by the file's suffix."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from jitwatch._model import Process, Snapshot

FORMS = {".html": "jitwatch._report.page.render", ".json": "jitwatch._report.recording.as_json"}
"""The module whose `render` makes the text."""


def renderer(suffix: str) -> Callable[[Snapshot, Sequence[Process]], str]:
    """What makes the text of a form, imported when it is asked for."""
    module: Any = importlib.import_module(FORMS[suffix])
    render: Callable[[Snapshot, Sequence[Process]], str] = module.render
    return render
