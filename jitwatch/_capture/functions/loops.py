"""Whether a running line stands in a loop of its function, told from the function's bytecode."""

from __future__ import annotations

import dis
import functools
from types import CodeType, FrameType

COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def is_in_loop(frame: FrameType) -> bool:
    """Whether what a frame runs may run again before its function returns."""
    if frame.f_code.co_name in COMPREHENSIONS:
        return True
    return any(first <= frame.f_lasti <= last for first, last in _loops(frame.f_code))


@functools.lru_cache(maxsize=1024)
def _loops(code: CodeType) -> tuple[tuple[int, int], ...]:
    """First and last offset of each loop: where a jump leads back to, and the jump; waiting in `await` is none."""
    return tuple(
        (step.argval, step.offset)
        for step in dis.get_instructions(code)
        if "JUMP_BACKWARD" in step.opname and not step.opname.endswith("NO_INTERRUPT")
    )
