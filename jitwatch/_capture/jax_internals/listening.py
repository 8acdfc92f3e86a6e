"""How to be told of what JAX does: its monitoring, and its calls of XLA and of the persistent cache.

Part of `jax_internals`, and under its rules. Measured on JAX 0.6.1 to 0.12.0.1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jax._src import compiler, monitoring

_XLA_FUNCTIONS = ("backend_compile_and_load", "backend_compile")  # the second before JAX 0.7


def call_before_xla(callback: Callable[[], None]) -> None:
    """Call `callback` each time before JAX has XLA compile, when the persistent cache had no answer; it may raise.

    A second time for the same callback without effect.
    """

    def compile_after(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        callback()
        return original(*args, **kwargs)

    for name in _XLA_FUNCTIONS:
        original = getattr(compiler, name, None)
        if original is not None and not _calls(original, callback):
            wrapped = functools.partial(compile_after, original)
            wrapped.jitwatch_callback = callback  # type: ignore[attr-defined]
            setattr(compiler, name, wrapped)


def is_called_before_xla(callback: Callable[[], None]) -> bool:
    """Whether `call_before_xla` of this callback holds; a program may put other functions in place of JAX's."""
    for name in _XLA_FUNCTIONS:  # at each miss, so in the plainest way
        original = getattr(compiler, name, None)
        if original is not None and not _calls(original, callback):
            return False
    return True


def _calls(function: Any, callback: Callable[[], None]) -> bool:
    return getattr(function, "jitwatch_callback", None) is callback


_LISTENERS = {
    "event": "_event_listeners", "duration": "_event_duration_secs_listeners", "scalar": "_scalar_listeners",
}  # fmt: skip


def has_listener(kind: str, listener: Callable[..., Any]) -> bool:
    """Whether `jax.monitoring` has a listener of a kind: `event`, `duration` or `scalar`.

    A program may clear them all. Where JAX does not let it be told, it has what was given to it once.
    """
    known = getattr(monitoring, _LISTENERS[kind], None)
    for each in _given[kind] if known is None else known:  # not `in`, which may run a listener's own `==`
        if each is listener:
            return True
    if known is None:
        _given[kind].append(listener)
    return False


_given: dict[str, list[Callable[..., Any]]] = {kind: [] for kind in _LISTENERS}


def can_call_before_xla() -> bool:
    """Whether this JAX has a function of those that `call_before_xla` looks for."""
    return any(hasattr(compiler, name) for name in _XLA_FUNCTIONS)
