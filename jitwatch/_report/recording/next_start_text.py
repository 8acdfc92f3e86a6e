"""The next start as text: what the persistent cache would save, with which settings, and what it did not keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jitwatch._judge.next_start import WORTH_S, NextStart, Served
from jitwatch._report.recording.programs_text import programs_text
from jitwatch._words.quantity_text import bytes_text, count_text, seconds_text
from jitwatch._words.safe_text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType


def next_start_block(found: NextStart) -> Iterator[RenderableType]:
    """What is to be said; nothing where little was compiled."""
    from rich.padding import Padding
    from rich.text import Text

    if max(found.best.saved_s, found.kept_s) < WORTH_S:
        return
    yield Text(f"The next start: {_headline(found)}", style="bold")
    for line in _with_cache(found) if found.cache_on else _without_cache(found):
        yield Padding(Text(line), (0, 0, 0, 2))


def _headline(found: NextStart) -> str:
    spent = seconds_text(found.compile_s)
    if found.cache_on:
        return f"{seconds_text(found.kept_s)} of {spent} of compiling went into the persistent cache, to be loaded."
    return f"with JAX's persistent cache, {seconds_text(found.best.saved_s)} of {spent} of compiling would be loads."


def _with_cache(found: NextStart) -> Iterator[str]:
    if found.loads:
        yield f"This run loaded {count_text(found.loads, 'program')} in {seconds_text(found.load_s)}."
    for kept in found.not_kept:
        programs = count_text(kept.programs, "program")
        yield f"It did not keep {programs}, {seconds_text(kept.compile_s)}: {clean(kept.why, 200)}."
        yield f"  {programs_text(kept.functions)}"
    if found.not_kept and found.best.saved_s > found.kept_s:
        yield _settings(found)


def _without_cache(found: NextStart) -> Iterator[str]:
    default, *lower = found.served
    for one in (default, *(one for one in lower if one.programs > default.programs)):
        yield _served_text(one)
    if found.calling_back:
        yield f"{count_text(found.calling_back, 'program')} with calls back into Python left aside."
    yield _settings(found)


def _served_text(one: Served) -> str:
    what = f"compiles from {one.min_compile_s:g} s on" if one.min_compile_s else "all compiles"
    if one.min_compile_s == 1.0:
        what += " (JAX's default)"
    size = f", modules of {bytes_text(one.module_bytes)}" if one.module_bytes else ""
    return f"{what}: {count_text(one.programs, 'program')}{size}, {seconds_text(one.saved_s)}"


def _settings(found: NextStart) -> str:
    folder = "" if found.cache_on else "JAX_COMPILATION_CACHE_DIR=/a/folder "
    minimum = f"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS={found.advised_s:g}" if found.advised_s != 1.0 else ""
    return f"set: {folder}{minimum}".rstrip()
