"""What a watched process tells while it runs and at its end, by the settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from jitwatch import _config
from jitwatch._model import Process, Snapshot
from jitwatch._report import selection
from jitwatch._report.recording.terminal import text_for

SETTINGS = ("include", "omit", "sort", "top", "show_all", "quiet", "warn", "live")
"""The options that `reports` goes by."""


class Reports(msgspec.Struct, frozen=True):
    """What is told by the process that began a run."""

    files: Mapping[str, str] = {}
    """Where to write reports at the end, by the form (`_report.forms`)."""
    layout: Mapping[str, Any] = {}
    """Of those for people: `top` and `sort`."""
    text: Callable[[Snapshot, tuple[Process, ...]], str] | None = None
    """Makes the text for standard error at the end; None for none."""
    select: Callable[[Snapshot], Snapshot] = lambda data: data
    """Keeps of a snapshot what is to be in the files."""
    is_wanted: Callable[[Any], bool] = lambda function: True
    """Whether the recompilations of a function are told while it runs."""
    warn: bool = False
    """Whether to say each recompilation when it happens."""
    live: bool = False
    """Whether to show them at the end of the terminal instead, where standard error is one."""


def reports(files: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Reports:
    """The reports of a run: to these files by their form, and what else the settings say.

    Args:
        files: As `Reports.files`.
        given: The values of `SETTINGS`; those in force if left out.
    """
    options = {name: _config.option(name) for name in SETTINGS} if given is None else given
    globs = options["include"], options["omit"]
    layout = {name: options[name] for name in ("top", "sort")}
    render = text_for(sys.stderr, **layout, show_all=options["show_all"])

    def text(data: Snapshot, processes: tuple[Process, ...]) -> str:
        return selection.unmatched_text(data, *globs) or render(selection.select(data, *globs), processes)

    return Reports(
        files=files,
        layout=layout,
        text=None if options["quiet"] else text,
        select=lambda data: selection.select(data, *globs),
        is_wanted=lambda function: selection.is_wanted(function, *globs),
        warn=options["warn"],
        live=options["live"],
    )
