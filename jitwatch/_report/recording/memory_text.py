"""The memory of compiled programs as text, where it is worth a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jitwatch._report.memory import FunctionMemory, Memory
from jitwatch._words.quantity_text import bytes_text, count_text
from jitwatch._words.safe_text import clean, short_place

if TYPE_CHECKING:
    from rich.console import RenderableType

WORTH_BYTES = 10_000_000
WORTH_PROGRAMS = 1_000
"""Executables alive from which on it is said: each holds code, and a process can have only so much of it."""
_MAX_FUNCTIONS = 5


def memory_block(memory: Memory) -> Iterator[RenderableType]:
    """What is to be said; nothing where programs take little."""
    from rich.padding import Padding
    from rich.text import Text

    large = [one for one in memory.functions if max(one.temp_bytes, one.code_bytes) >= WORTH_BYTES]
    if not large and memory.held_programs < WORTH_PROGRAMS and memory.held_code_bytes < WORTH_BYTES:
        return
    code = f", {bytes_text(memory.held_code_bytes)} of code" if memory.held_code_bytes else ""
    alive = f"{count_text(memory.held_programs, 'executable')} alive at the end{code}" if memory.held_programs else ""
    yield Text(f"Memory of compiled programs{': ' if alive else ''}{alive}", style="bold")
    for one in large[:_MAX_FUNCTIONS]:
        yield Padding(Text(_function_text(one)), (0, 0, 0, 2))
    if len(large) > _MAX_FUNCTIONS:
        yield Padding(Text(f"… {count_text(len(large) - _MAX_FUNCTIONS, 'more function')}", style="dim"), (0, 0, 0, 2))


def _function_text(one: FunctionMemory) -> str:
    place = f" ({short_place(one.place, 60)})" if one.place else ""
    temp = f"up to {bytes_text(one.temp_bytes)} of temporaries" if one.temp_bytes else ""
    code = f"{bytes_text(one.code_bytes)} of code in {count_text(one.programs, 'program')}" if one.code_bytes else ""
    return f"{clean(one.name, 60)}{place}: {', '.join(filter(None, (temp, code)))}"
