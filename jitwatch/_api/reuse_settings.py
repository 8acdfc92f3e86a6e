"""How much is reused, and whether the settings ask for it: `JITWATCH_REUSE`, or `[tool.jitwatch]`."""

from __future__ import annotations

from jitwatch import _config, _state
from jitwatch._capture.events import reuse
from jitwatch._capture.events.reuse import Limits
from jitwatch._errors import check_flags


class _Process:
    """The token of whoever asked for the whole process; a block has one of its own."""

    def __init__(self) -> None:
        self.token = object()


def for_process() -> object:
    """The token under which the whole process reuses."""
    return _state.part(_Process).token


def limits(
    max_programs: int | None = None, max_bytes: int | None = None, several_processes: bool | None = None
) -> Limits:
    """The limits that were asked for, else those of the settings.

    Raises:
        JitwatchError: One is not valid.
    """
    if several_processes is None:
        several_processes = _config.option("reuse") == _config.REUSE_EVERYWHERE
    check_flags(several_processes=several_processes)
    return Limits(
        _config.option("reuse_programs", max_programs), _config.option("reuse_bytes", max_bytes), several_processes
    )


def begin_if_set() -> None:
    """Reuse in the whole process if the settings say so, unless the program has asked for it already.

    Raises:
        JitwatchError: A setting is not valid.
    """
    if _config.option("reuse") != _config.REUSE_OFF:
        reuse.reuse().wanted.setdefault(for_process(), limits())
