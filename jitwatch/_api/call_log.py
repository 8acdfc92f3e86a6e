"""Prints one line for each call of a watched function: what was called, and what JAX's cache answered."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from jitwatch import _hub
from jitwatch._blocks import Block, is_being_defined
from jitwatch._capture.hook.registry import empty_dispatch_caches, log_switch
from jitwatch._errors import JitwatchError, repr_of
from jitwatch._model import LoggedCall, Stages
from jitwatch._record.sums import program_count

MAX_LINES = 500
"""Kept for who asks; a log of a long program must not fill the memory."""


def call_log(write: Callable[[str], Any] | None = None) -> Block[list[str]]:
    """Log each call of every watched function while a block, or a decorated function, runs, on all threads.

    Inside the block each call takes JAX's slow dispatch (some 0.3 ms), so that hits are seen one by one; counts come
    out as they would without the block.

    Args:
        write: Called with each line; prints to standard error if left out.

    Returns:
        The block; `with call_log() as lines` gives the lines so far, the last 500 of them.
    """
    if write is not None and not callable(write):
        raise JitwatchError(f"call_log() was given {repr_of(write)}; give a function that takes a line.")
    if is_being_defined(write, sys._getframe(1)):
        return Block(_call_log)(write)  # type: ignore[arg-type]
    return Block(lambda: _call_log(write))


@contextmanager
def _call_log(write: Callable[[str], Any] | None = None) -> Iterator[list[str]]:
    lines: list[str] = []
    numbers = itertools.count(1)
    write = write or (lambda line: print(line, file=sys.stderr))

    def show(event: Any) -> None:
        if isinstance(event, LoggedCall):
            line = f"call {next(numbers)}: {call_line(event)}"
            lines.append(line)
            del lines[:-MAX_LINES]
            write(line)

    switch, log = log_switch(), object()
    ends = ExitStack()
    try:
        ends.callback(_hub.subscribe(show))
        switch.open[log] = threading.get_ident()
        empty_dispatch_caches()
        yield lines
    finally:
        switch.open.pop(log, None)  # first, so that nothing keeps the calls from JAX's fast path
        ends.close()
        if not switch.active:
            switch.kept = {}
        empty_dispatch_caches()


def call_line(event: LoggedCall) -> str:
    """One call as text: `f(x f32[3], n=2) -> COMPILED executable 2 (trace 3 ms, lower 2 ms, compile 81 ms)`."""
    from jitwatch._words.key_text import key_line
    from jitwatch._words.safe_text import clean

    arguments = "…" if event.key is None else key_line(event.key, 160)
    return f"{clean(event.name)}({arguments}) -> {clean(_outcome(event), 400)}"


def _outcome(event: LoggedCall) -> str:
    miss = event.miss
    executable = "executable" if event.executable is None else f"executable {event.executable}"
    if miss is None:
        return f"CACHED {executable}"
    if miss.failed is not None:
        place = f" at {miss.failed_at}" if miss.failed_at else ""
        argument = f", argument {miss.failed_argument}" if miss.failed_argument else ""
        return f"FAILED {miss.failed}{place}{argument}"
    ran = miss.stages
    if miss.kind == "nested" and not program_count(ran):
        return "TRACED into the program around it" if ran.traces else "reused in the program around it"
    if ran.compiles:
        return f"COMPILED {executable} ({_times(ran)})"
    if ran.loads:
        return f"LOADED {executable} from the persistent cache ({_times(ran)})"
    if ran.reused:
        return f"REUSED {executable} of an identical program ({_times(ran)})"
    if miss.slow_path:
        return f"CACHED {executable}, slow path (this call never uses the fast one)"
    return f"CACHED {executable}, new entry in the dispatch cache"


def _times(ran: Stages) -> str:
    from jitwatch._words.quantity_text import seconds_text

    parts = (
        ("trace", ran.trace_s), ("lower", ran.lower_s), ("compile", ran.compile_s), ("load", ran.load_s),
        ("reuse", ran.reuse_s),
    )  # fmt: skip
    return ", ".join(f"{name} {seconds_text(seconds)}" for name, seconds in parts if seconds)
