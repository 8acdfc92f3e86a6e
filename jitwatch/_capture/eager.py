"""The keys of programs that no watched call explains: eager operations, and jitted functions of JAX itself."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from jitwatch import _faults
from jitwatch._capture import jax_internals, keys
from jitwatch._model import CacheKey

_makers: weakref.WeakKeyDictionary[Callable[..., Any], keys.KeyMaker] = weakref.WeakKeyDictionary()


def key_of(name: str) -> CacheKey | None:
    """The key of the program of this name that this thread is about to run; None where it cannot be told."""
    try:
        running = jax_internals.running_dispatch(name)
        if running is None:
            return None
        if running.params is not None or running.fun is None:
            return keys.key_of_primitive(running.args, running.params or {})
        maker = _makers.get(running.fun)
        if maker is None:
            maker = _makers[running.fun] = keys.KeyMaker(running.fun, running.static_argnums, running.static_argnames)
        return maker.call(running.args, running.kwargs).key
    except Exception as error:
        _faults.record("the key of an eager operation", error)
        return None
