"""The programs that no watched call explains: eager operations, and functions that are jitted without being watched."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jitwatch import _faults, _state
from jitwatch._capture import jax_internals, places
from jitwatch._capture.events.frames import TracedBody
from jitwatch._capture.functions import identity
from jitwatch._capture.functions.brought import captured_by
from jitwatch._capture.keys import key_maker
from jitwatch._errors import pass_interrupt
from jitwatch._model import CacheKey
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder

MAX_LOWERED = 10_000
_OF_JAX = os.path.dirname(jax.__file__) + os.sep


class _Known:
    """What was seen of functions that are not watched."""

    def __init__(self) -> None:
        self.makers: weakref.WeakKeyDictionary[Callable[..., Any], key_maker.KeyMaker] = weakref.WeakKeyDictionary()
        self.tokens: weakref.WeakKeyDictionary[Callable[..., Any], int] = weakref.WeakKeyDictionary()
        self.numbers = itertools.count(1)
        self.lowered: dict[str, str] = {}
        """Where the function is defined that was lowered last under a name; for those compiled ahead of time."""


def _known() -> _Known:
    return _state.part(_Known)


class Program(NamedTuple):
    """A program that is compiled for no watched function."""

    record: FunctionRecord
    key: CacheKey | None
    """None where it cannot be told."""
    kind: str
    """As in `Miss`; `call` for an eager operation."""


def program_of(name: str) -> Program:
    """What this thread is compiling under a name."""
    return _faults.contain("naming a program", _program_of, name, default=None) or _unknown(name)


def _unknown(name: str) -> Program:
    return Program(recorder().other(name), None, "call")


def _program_of(name: str) -> Program | None:
    running = jax_internals.running_dispatch(name)
    if running is None:
        here = places.named(jax_internals.running_definition(name))
        place = here or _known().lowered.get(name, "")
        kind = "backward" if here else "aot"
        return Program(recorder().other(name, defined_at=place), None, kind) if _is_users(place) else None
    key = key_of(name)
    fun = running.fun
    place = "" if fun is None or running.params is not None else definition_of(fun)
    if fun is None or not _is_users(place):
        return Program(recorder().other(name), key, "call")
    known = _known()
    token = known.tokens.get(fun) or known.tokens.setdefault(fun, next(known.numbers))
    record = recorder().other(
        name, identity.qualified_name(fun, name), place, identity.bound_values(fun), token, identity.code_of(fun)
    )
    record.objects, record.in_use = identity.bound_objects(fun), weakref.ref(fun)
    if record.captured is None and record.defined_at:
        record.captured = captured_by(fun)
    return Program(record, key, "call")


def running_function(name: str) -> Callable[..., Any] | None:
    """The unwatched function, not one of JAX's own, that this thread runs under a name; None if there is none."""
    return _faults.contain("naming a program", _running_function, name, default=None)


def _running_function(name: str) -> Callable[..., Any] | None:
    running = jax_internals.running_dispatch(name)
    fun = None if running is None or running.params is not None else running.fun
    return None if fun is None or isinstance(fun, TracedBody) or not _is_users(definition_of(fun)) else fun


def is_of_another(name: str, record: FunctionRecord) -> bool:
    """Whether a program that is compiled outside any watched call is that of a function that shares only the name."""
    if running_function(name) is not None:
        return True
    here = _faults.contain("naming a program", jax_internals.running_definition, name, default="")
    return bool(here and record.source) and here != record.source


def lowered(name: str) -> None:
    """Remember which function's program was lowered under a name, as nothing tells when it is compiled later."""
    place = _faults.contain("naming a program", jax_internals.running_definition, name, default="")
    lowered = _known().lowered
    if len(lowered) >= MAX_LOWERED:
        lowered.clear()
    lowered[name] = places.named(place)


def definition_of(fun: Any) -> str:
    """`file:line` of a function, or of what an object does when it is called; empty where Python does not know."""
    return identity.definition_of(fun)


def _is_users(place: str) -> bool:
    return bool(place) and not place.startswith(_OF_JAX)


def key_of(name: str) -> CacheKey | None:
    """The key of the program of this name that this thread is about to run; None where it cannot be told."""
    try:
        running = jax_internals.running_dispatch(name)
        if running is None:
            return None
        if running.params is not None or running.fun is None:
            return key_maker.key_of_primitive(running.args, running.params or {})
        makers = _known().makers
        maker = makers.get(running.fun)
        if maker is None:
            maker = makers[running.fun] = key_maker.KeyMaker(
                running.fun, running.static_argnums, running.static_argnames
            )
        return maker.call(running.args, running.kwargs).key
    except BaseException as error:
        pass_interrupt(error)
        _faults.record("the key of an eager operation", error)
        return None
