"""The programs of the process, each once: what is known of it, and its text as long as there is room.

A text is read and compared when somebody asks for it, without a lock, and not kept after that. How it is read and
compared, those who have JAX and who explain hand in: this package knows neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

import msgspec

from jitwatch import _faults
from jitwatch._model import Program, Snapshot
from jitwatch._record.sums import programs_in, several_of_a_definition

MAX_PROGRAMS = 20_000
MAX_TEXT_BYTES = 64 << 20


class ProgramStore:
    """Programs by id, the oldest of which make room."""

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        """Share a lock, which is never held while a text is read or compared."""
        self.steps_of: Callable[[str], tuple[str, ...]] | None = None
        """Makes `Program.steps` of a text; until it is set, there are none."""
        self.keep: Callable[[Program, str, Callable[[], str]], None] | None = None
        """Is given each program as it is made, what its text ends with, and what makes its text with locations."""
        self.dropped = self.dropped_texts = 0
        self._lock = lock
        self._programs: dict[str, Program] = {}
        self._texts: dict[str, tuple[bytes, Callable[[bytes], str]]] = {}
        self._measured: set[str] = set()
        self._text_bytes = 0

    def add(self, program: Program, data: bytes, read: Callable[[bytes], str]) -> None:
        """Keep a program, and the data from which `read` makes its text."""
        with self._lock:
            if program.id in self._programs:
                return
            while len(self._programs) >= MAX_PROGRAMS:
                oldest = next(iter(self._programs))
                del self._programs[oldest]
                self._measured.discard(oldest)
                self.dropped += 1
                self._drop_text(oldest)
            self._programs[program.id] = program
            self._texts[program.id] = data, read
            self._text_bytes += len(data)
            while self._text_bytes > MAX_TEXT_BYTES:
                self.dropped_texts += 1
                self._drop_text(next(iter(self._texts)))

    def _drop_text(self, program: str) -> None:
        data, _ = self._texts.pop(program, (b"", None))
        self._text_bytes -= len(data)

    def measure(self, program: str, code_bytes: int, temp_bytes: int) -> None:
        """Note what memory a program's executable takes."""
        with self._lock:
            known = self._programs.get(program)
            if known is not None:
                self._programs[program] = msgspec.structs.replace(known, code_bytes=code_bytes, temp_bytes=temp_bytes)
                self._measured.add(program)

    def is_measured(self, program: str) -> bool:
        """Whether the memory of a program is known, or known to be none."""
        return program in self._measured

    def knows(self, program: str) -> bool:
        """Whether a program was compiled or loaded in this process, as far as that is kept."""
        return program in self._programs

    def as_known(self, programs: Iterable[str]) -> tuple[Program, ...]:
        """What is known of some programs by now; nothing but the id of one that had to make room."""
        return tuple(self._programs.get(program) or Program(program) for program in programs)

    def with_steps(self, programs: Iterable[str], *, within_s: float = math.inf) -> tuple[Program, ...]:
        """Programs with their steps, where their texts are still there, and for as many as the time allows."""
        asked, until_s = tuple(programs), monotonic() + within_s
        for program in asked:
            if monotonic() > until_s:
                break
            self._compare(program)
        return self.as_known(asked)

    def _compare(self, program: str) -> None:
        kept, steps_of = self._texts.get(program), self.steps_of
        if kept is None or steps_of is None:
            return
        unknown: tuple[str, ...] = ()
        steps = _faults.contain("comparing programs", _steps, steps_of, *kept, default=unknown)
        with self._lock:
            if program in self._texts and program in self._programs:
                self._programs[program] = msgspec.structs.replace(self._programs[program], steps=steps)
                self._drop_text(program)

    def described(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot with its programs; with steps where a definition has two or more of them."""
        several = several_of_a_definition((*snapshot.functions, *snapshot.others))
        self.with_steps(several)
        known = self.as_known(dict.fromkeys((*several, *programs_in(snapshot))))
        return msgspec.structs.replace(snapshot, programs=known, dropped_programs=self.dropped)


def _steps(steps_of: Callable[[str], tuple[str, ...]], data: bytes, read: Callable[[bytes], str]) -> tuple[str, ...]:
    return steps_of(read(data))
