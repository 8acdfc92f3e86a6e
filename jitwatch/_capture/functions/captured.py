"""Plain Python values that a traced body reads from outside: a program keeps those that it was traced with.

When one of them is another one now, hits go on to return what the old one gave. Compared on misses and on request,
never on a hit.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from jitwatch._capture import places
from jitwatch._capture.keys.values import describe
from jitwatch._model import Change

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
MAX_ELEMENTS = 64


class Read(NamedTuple):
    """A name that the body reads from outside, and the line where it does."""

    name: str
    line: int
    free: bool
    """Whether it is a closure variable, and not a global."""


def values_of(fun: Callable[..., Any]) -> dict[Read, Any]:
    """The plain values that the function reads from its globals and its closure, as they are now."""
    function = _python_function(fun)
    if function is None:
        return {}
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    found = {}
    for read in _reads(function.__code__):
        try:
            value = cells[read.name].cell_contents if read.free else function.__globals__[read.name]
        except (KeyError, ValueError):  # a builtin, or not assigned yet
            continue
        if _is_plain(value):
            found[read] = value.copy() if isinstance(value, np.ndarray) else value
    return found


def differences(fun: Callable[..., Any], then: dict[Read, Any]) -> Iterator[Change]:
    """The values of `then` that are others now."""
    if not then:
        return
    now = values_of(fun)
    function = _python_function(fun)
    file = "" if function is None else function.__code__.co_filename
    for read, old in then.items():
        if read in now and not _same(old, now[read]):
            place = places.named(f"{file}:{read.line}")
            yield Change("stale_capture", f"{read.name} at {place}", describe(old), describe(now[read]))


def _python_function(fun: Any) -> types.FunctionType | None:
    while not isinstance(fun, types.FunctionType):
        if isinstance(fun, functools.partial):
            fun = fun.func
        elif isinstance(fun, types.MethodType):
            fun = fun.__func__
        else:
            return None
    return fun


@functools.lru_cache(maxsize=4096)
def _reads(code: types.CodeType) -> tuple[Read, ...]:
    """What a body, with the functions defined in it, reads from outside; not what it also writes, such as counters."""
    reads: dict[str, Read] = {}
    written: set[str] = set()
    for instruction in _instructions(code):
        name, line = instruction.argval, instruction.positions.lineno if instruction.positions else None
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and isinstance(name, str):
            reads.setdefault(name, Read(name, line or code.co_firstlineno, free=False))
        elif instruction.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF") and name in code.co_freevars:
            reads.setdefault(name, Read(name, line or code.co_firstlineno, free=True))
        elif instruction.opname in ("STORE_GLOBAL", "STORE_DEREF"):
            written.add(name)
    return tuple(read for name, read in reads.items() if name not in written)


def _instructions(code: types.CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _instructions(constant)


def _is_plain(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.size <= MAX_ELEMENTS and value.dtype.kind in "biufc"
    if type(value) is tuple:
        return len(value) <= MAX_ELEMENTS and all(map(_is_plain, value))
    return type(value) in _PLAIN or isinstance(value, np.generic)


def _same(old: Any, new: Any) -> bool:
    if type(old) is not type(new):
        return False
    if isinstance(old, np.ndarray):
        return old.shape == new.shape and old.dtype == new.dtype and bool(np.array_equal(old, new, equal_nan=True))
    return bool(old == new) or (old != old and new != new)
