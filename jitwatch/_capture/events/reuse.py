"""Hands out the executable that exists where JAX asks XLA for an identical program: off until somebody asks for it.

Placed at JAX's call of XLA, so below the persistent cache, where the options are final. What makes two programs the
same here is their fingerprint, and besides that the backend object, the device list and all of the compile options:
JAX's own key leaves out devices on GPUs, and options of which it says that they do not change what is compiled, such as
dumps. A program that calls back into Python, or carries an address, is always compiled.

Executables cannot be referenced weakly, so a bounded number of them is kept.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Any, NamedTuple

from jitwatch import _faults, _state
from jitwatch._capture import jax_internals
from jitwatch._capture.events import fingerprints
from jitwatch._capture.events.fingerprints import Taken
from jitwatch._capture.jax_internals import XlaCall
from jitwatch._record.merge_programs import LOCAL

CODE_PER_MODULE = 256
"""Bytes of an executable for each byte of its module, supposed where a backend does not tell: 20 to 600 on CPUs."""
MAX_SUPPOSED_BYTES = 4 << 20
"""A module from which more would follow is mostly constants, of which an executable holds a copy."""


class Limits(NamedTuple):
    """How much is kept, and where."""

    max_programs: int
    max_bytes: int
    """Of code; where a backend does not tell, of what is supposed of the size of the module."""
    several_processes: bool = False
    """Whether to reuse too in a process that runs programs together with others."""


class Executable(NamedTuple):
    """What is handed out."""

    executable: Any
    seconds: float
    """That XLA took for it."""
    size_bytes: int
    platform: str
    backend: int
    """Number of the backend object."""


class Asked(NamedTuple):
    """A program as JAX asks XLA for it."""

    identity: Hashable
    platform: str
    backend: int
    """Number of the backend object."""
    size_bytes: int
    """With which it counts where the backend does not tell how large its code is."""
    limits: Limits
    """In force."""


class _UnderWay:
    """A compilation that others wait for; whoever runs it holds the lock."""

    def __init__(self) -> None:
        self.lock = _state.Lock()
        self.made: Executable | None = None


class _ThreadState(threading.local):
    def __init__(self) -> None:
        self.compiling: list[Asked] = []
        """What the thread compiles, the innermost last."""


class Reuse:
    """The executables of this process, those that were not asked for the longest time first."""

    def __init__(self) -> None:
        self.wanted: dict[object, Limits] = {}
        """Who wants programs to be reused, each under a token of its own, in the order in which they came."""
        self.size_bytes = 0
        self._lock = _state.Lock()
        self._kept: OrderedDict[Hashable, Executable] = OrderedDict()
        self._under_way: dict[Hashable, _UnderWay] = {}

    def limits(self) -> Limits | None:
        """What was asked for last; None where reuse is off."""
        return next(reversed(tuple(self.wanted.values())), None) if self.wanted else None

    def __len__(self) -> int:
        return len(self._kept)

    def tidy(self) -> None:
        """Let all executables go, if nobody wants them any more."""
        if self.wanted:
            return
        with self._lock:
            gone, self._kept, self.size_bytes = self._kept, OrderedDict(), 0
        gone.clear()  # without the lock, as the backend frees what it holds

    def has(self, asked: Asked) -> bool:
        """Whether the executable of a program is there."""
        return asked.identity in self._kept

    def begin_in_child(self) -> None:
        """After a fork: what was under way has nobody to end it."""
        self._under_way = {}

    def executable(self, asked: Asked, compile: Callable[[], Any]) -> tuple[Any, float | None]:
        """The executable of a program, and the seconds that XLA took for it if it was there already.

        Threads that ask for the same one at once wait for the first of them. One that is within a compilation does not:
        two such threads could wait for each other.
        """
        compiling = _state.part(_ThreadState).compiling
        depth = len(compiling)
        while not depth:
            kept = _faults.contain("reuse", self._take, asked, default=None)
            if kept is not None:
                return kept.executable, kept.seconds
            own = _UnderWay()
            with own.lock:  # freed whatever happens, so that nobody waits in vain
                first = self._under_way.setdefault(asked.identity, own)
                if first is own:
                    try:
                        compiling.append(asked)
                        begun_s = perf_counter()
                        made = compile()
                        seconds = perf_counter() - begun_s
                        own.made = _faults.contain("reuse", self._keep, asked, made, seconds, default=None)
                        return made, None
                    finally:
                        del compiling[depth:]
                        self._under_way.pop(asked.identity, None)
            with first.lock:
                there = first.made
            if there is not None:
                return there.executable, there.seconds
            if self._under_way.get(asked.identity) is first:  # its thread was interrupted at its very end
                self._under_way.pop(asked.identity, None)
        return compile(), None

    def _take(self, asked: Asked) -> Executable | None:
        with self._lock:
            kept = self._kept.get(asked.identity)
            if kept is not None:
                self._kept.move_to_end(asked.identity)
            return kept

    def _keep(self, asked: Asked, executable: Any, seconds: float) -> Executable:
        size_bytes = jax_internals.generated_code_bytes(executable) or asked.size_bytes
        made = Executable(executable, seconds, size_bytes, asked.platform, asked.backend)
        gone = []
        with self._lock:
            for identity, kept in tuple(self._kept.items()):
                # Of a platform whose backend was made anew, the old one must not be kept alive by its executables.
                if kept.platform == made.platform and kept.backend != made.backend:
                    gone.append(self._drop(identity))
            while self._kept and self._is_beyond(asked.limits, size_bytes):
                gone.append(self._drop(next(iter(self._kept))))
            if self.wanted and not self._is_beyond(asked.limits, size_bytes):
                self._kept[asked.identity] = made
                self.size_bytes += size_bytes
        return made

    def _is_beyond(self, limits: Limits, more_bytes: int) -> bool:
        return len(self._kept) >= limits.max_programs or self.size_bytes + more_bytes > limits.max_bytes

    def _drop(self, identity: Hashable) -> Executable:
        kept = self._kept.pop(identity)
        self.size_bytes -= kept.size_bytes
        return kept


def reuse() -> Reuse:
    """What may be reused in the state in force."""
    return _state.part(Reuse)


def is_on() -> bool:
    """Whether a compilation may be answered by an executable that exists."""
    return reuse().limits() is not None


def asked(call: XlaCall | None) -> Asked | None:
    """What JAX asks XLA for; None for what must be compiled, and for everything where reuse is off."""
    limits = reuse().limits()
    if limits is None or call is None:
        return None
    return of_program(fingerprints.of_module(call.module), call, limits)


def of_program(program: Taken, call: XlaCall, limits: Limits) -> Asked | None:
    """What a call of XLA asks for whose program is known; None for what must be compiled."""
    if not program.program or program.program.endswith(LOCAL) or call.host_callbacks:
        return None
    if not limits.several_processes and jax_internals.is_one_of_several_processes(call.backend):
        return None
    backend = fingerprints.token(call.backend)
    options = hashlib.sha256(jax_internals.options_bytes(call.options)).digest()
    devices = tuple(device.id for device in call.executable_devices)
    identity = program.program, backend, devices, options
    return Asked(identity, call.backend.platform, backend, _supposed_bytes(program.size_bytes), limits)


def _supposed_bytes(module_bytes: int) -> int:
    return max(module_bytes, min(CODE_PER_MODULE * module_bytes, MAX_SUPPOSED_BYTES))
