"""Takes the fingerprint of each program that JAX compiles or loads, on the thread that does it.

What makes two programs identical is what JAX's persistent cache compares, and besides that the devices, which it leaves
out on GPUs, the backend object, and the Python functions behind host callbacks, which it does not see. The module, the
options and the callbacks are looked at and let go; what is kept of a module is bytes.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

from jitwatch import _faults, _state
from jitwatch._capture import jax_internals
from jitwatch._capture.jax_internals import Compilation
from jitwatch._model import Program
from jitwatch._record.merge_programs import LOCAL
from jitwatch._record.recorder import recorder

MAX_MODULE_BYTES = 1 << 21
"""Of a larger module, which is mostly constants, the text is kept, in which they are digests."""
MAX_TARGETS = 256
_PAYLOADS = (b"tpu_custom_call", b"mosaic_gpu", b"triton", b"CustomSPMDPartitioning")
"""Operations that carry a program of their own, or a pointer, that text cannot be compared in."""
_CUSTOM_CALL = b"custom_call"
_POINTERS = (b"CustomSPMDPartitioning", b"InspectSharding")
"""Operations that carry the address of a Python function: that may be another one's later."""


class Taken(NamedTuple):
    """The program that a thread compiles or loads, or did last."""

    program: str = ""
    size_bytes: int = 0
    module: Callable[[], Any] = lambda: None
    """Gives the module while it exists."""


Look = Callable[[Compilation, Taken, bool], None]
"""Is shown what is about to be compiled or loaded, its fingerprint, and whether this process knew the program."""


class Looked(BaseException):
    """Ends a compilation that somebody only wanted to look at."""


class _ThreadState(threading.local):
    taken = Taken()
    seconds = 0.0
    """That it took to tell."""
    look: Look | None = None


class _Seen:
    """Objects that make programs what they are, by number, and what was worked out for equal options."""

    def __init__(self) -> None:
        self.targets: dict[tuple[Any, ...], tuple[str, str]] = {}
        self.generations: dict[str, list[int]] = {}
        """Of each platform, the numbers of its backends, oldest first."""
        self._numbers = itertools.count(1)
        self._tokens: dict[int, tuple[weakref.ref[Any], int]] = {}

    def number(self) -> int:
        """One that nothing else has."""
        return next(self._numbers)

    def token(self, thing: Any) -> int:
        """A number that stays an object's as long as it exists, and is never another's; it is not kept alive."""
        place, known = id(thing), self._tokens.get(id(thing))
        if known is not None and known[0]() is thing:
            return known[1]
        token = next(self._numbers)
        try:
            self._tokens[place] = weakref.ref(thing, functools.partial(self._tokens.pop, place)), token
        except TypeError:  # cannot be referenced weakly, so it is never the same
            pass
        return token


def _seen() -> _Seen:
    return _state.part(_Seen)


def listen() -> None:
    """Take fingerprints from now on, where this JAX lets it be done."""
    if jax_internals.fingerprints_available():
        jax_internals.call_before_compile_or_load(_before, _after)


def collect() -> tuple[str, float]:
    """What this thread compiled or loaded last, and what it took to tell; once, and nothing where it is not known."""
    thread = _state.part(_ThreadState)
    program, thread.taken = thread.taken.program, Taken()
    return program, thread.seconds


@contextmanager
def looking(look: Look) -> Iterator[None]:
    """Show what this thread is about to compile or load within the block, and end it there by `Looked`."""
    thread = _state.part(_ThreadState)
    try:
        thread.look = look
        yield
    finally:
        thread.look = None


def _before(compilation: Compilation) -> None:
    begun_s = perf_counter()
    look = _state.part(_ThreadState).look
    if look is not None:
        described = _described(compilation)
        look(compilation, described.taken, recorder().programs.knows(described.program.id))
        raise Looked
    thread = _state.part(_ThreadState)
    thread.taken = _faults.contain("a program's fingerprint", _add, compilation, default=Taken())
    thread.seconds = perf_counter() - begun_s


def of_module(module: Any) -> Taken:
    """What is known of the module that this thread is about to compile; nothing of one that it did not announce."""
    taken = _state.part(_ThreadState).taken
    return taken if taken.module() is module else Taken()


def _after(executable: Any) -> None:
    begun_s = perf_counter()
    thread = _state.part(_ThreadState)
    _faults.contain("a program's memory", _measure, thread.taken.program, executable, default=None)
    thread.seconds += perf_counter() - begun_s


def _measure(program: str, executable: Any) -> None:
    if program and not recorder().programs.is_measured(program):
        recorder().programs.measure(program, *jax_internals.memory_of(executable))


class _Described(NamedTuple):
    """A program, and from what its text is made."""

    taken: Taken
    program: Program
    data: bytes
    read: Callable[[bytes], str]
    free: str
    """What of the options depends on committed arguments."""


def _add(compilation: Compilation) -> Taken:
    """Take a fingerprint; the program is kept with its text from now on."""
    taken, program, data, read, free = _described(compilation)
    recorder().programs.add(program, data, read)
    keep = recorder().programs.keep
    if keep is not None:
        text = functools.partial(jax_internals.located_text_of, compilation.computation)
        _faults.contain("keeping a program", keep, program, jax_internals.text_suffix(free), text, default=None)
    return taken


def _described(compilation: Compilation) -> _Described:
    module = jax_internals.canonical_module(compilation.computation)
    target, free = _target(compilation)
    data = searched = module
    read: Callable[[bytes], str] = functools.partial(jax_internals.read_module, free=free)
    if len(module) > MAX_MODULE_BYTES:
        searched = jax_internals.text_of(compilation.computation, free).encode()
        data, read = zlib.compress(searched, 1), _decompressed
    if _CUSTOM_CALL not in searched:  # a megabyte of constants is searched once, then
        searched = b""
    tokens = _callbacks(compilation, searched)
    digest = hashlib.sha256(module)
    digest.update(f"{target} {free} {tokens}".encode())
    known = digest.hexdigest()[:32] + (LOCAL if tokens else "")
    comparable = not tokens and not any(name in searched for name in _PAYLOADS)
    taken = Taken(known, size_bytes=len(module), module=weakref.ref(compilation.computation))
    return _Described(taken, Program(known, target, (), len(module), comparable), data, read, free)


def _decompressed(data: bytes) -> str:
    return zlib.decompress(data).decode()


def _target(compilation: Compilation) -> tuple[str, str]:
    """A digest of devices, backend and compile options, and what of the options depends on committed arguments.

    JAX's part of it is worked out once for equal options.
    """
    devices = tuple(device.id for device in compilation.devices.flat)
    options = jax_internals.options_bytes(compilation.compile_options)
    described = _seen().token(compilation.backend), devices, hashlib.sha256(options).digest()
    targets = _seen().targets
    target = targets.get(described)
    if target is None:
        platform, (key, free) = compilation.backend.platform, jax_internals.target_key(compilation)
        says = key, platform, devices, _generation(platform, described[0])
        if len(targets) >= MAX_TARGETS:
            targets.clear()
        target = targets[described] = hashlib.sha256(repr(says).encode()).hexdigest()[:20], free
    return target


def _generation(platform: str, backend: int) -> int:
    """The how-manieth backend of its platform this is: 0 but after JAX was made to set up its backends anew."""
    seen = _seen().generations.setdefault(platform, [])
    if backend not in seen:
        seen.append(backend)
    return seen.index(backend)


def token(thing: Any) -> int:
    """A number that stays an object's as long as it exists, and is never another's."""
    return _seen().token(thing)


def _callbacks(compilation: Compilation, searched: bytes) -> str:
    """What tells the Python functions that a program calls from others, in this process; empty for none."""
    tokens = [_seen().token(callback) for callback in compilation.host_callbacks or ()]
    if any(name in searched for name in _POINTERS):
        tokens.append(_seen().number())
    return " ".join(map(str, tokens))
