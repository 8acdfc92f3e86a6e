"""Programs that no watched call explains: eager operations, functions of JAX's own or jitted before watching."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from jitwatch import _faults
from jitwatch._capture import jax_internals, keys
from jitwatch._model import CacheKey

_makers: weakref.WeakKeyDictionary[Callable[..., Any], keys.KeyMaker] = weakref.WeakKeyDictionary()


class Program(NamedTuple):
    """What a thread is about to run."""

    key: CacheKey | None
    """None where it cannot be told."""
    defined_at: str
    """`file:line` of a function that was jitted before watching; empty for an operation or a function of JAX's."""


def program_of(name: str) -> Program:
    """The program of this name that this thread is about to run."""
    try:
        running = jax_internals.running_dispatch(name)
        return Program(None, "") if running is None else Program(_key(running), _defined_at(running.fun))
    except Exception as error:
        _faults.record("the key of an eager operation", error)
        return Program(None, "")


def _key(running: jax_internals.Dispatch) -> CacheKey | None:
    if running.params is not None or running.fun is None:
        return keys.key_of_primitive(running.args, running.params or {})
    maker = _makers.get(running.fun)
    if maker is None:
        maker = _makers[running.fun] = keys.KeyMaker(running.fun, running.static_argnums, running.static_argnames)
    return maker.call(running.args, running.kwargs).key


def _defined_at(fun: Callable[..., Any] | None) -> str:
    inner = inspect.unwrap(fun) if fun is not None else None
    module = str(getattr(inner, "__globals__", {}).get("__name__", ""))
    return "" if fun is None or module.partition(".")[0] == "jax" else jax_internals.source_of(fun)
