"""How to be told of what JAX does: its monitoring, and its calls of XLA and of the persistent cache.

Part of `jax_internals`, and under its rules. Measured on JAX 0.6.1 to 0.12.0.1.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from jax._src import compiler, distributed, monitoring, xla_bridge

_XLA_FUNCTIONS = ("backend_compile_and_load", "backend_compile")  # the second before JAX 0.7


class XlaCall(NamedTuple):
    """What JAX hands to XLA, when the persistent cache had no answer. Nothing of it may be changed.

    The fields are JAX's own parameters in their order (JAX 0.6.1 to 0.12).
    """

    backend: Any
    module: Any
    executable_devices: Any
    options: Any
    """Final: JAX may have changed those that it looked in the persistent cache with."""
    host_callbacks: Any


Around = Callable[[XlaCall | None, Callable[[], Any]], Any]
"""Gives the executable of a call of XLA, which it may do itself; None for a call that is not what jitwatch knows."""


def call_around_xla(around: Around) -> None:
    """Call `around` each time in place of JAX's call of XLA, with that call; it may raise.

    A second time for the same function without effect.
    """

    def compile_within(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            call = XlaCall(*args, **kwargs)
        except TypeError:
            call = None
        return around(call, lambda: original(*args, **kwargs))

    for name in _XLA_FUNCTIONS:
        original = getattr(compiler, name, None)
        if original is not None and getattr(original, "jitwatch_callback", None) is not around:
            wrapped = functools.wraps(original)(functools.partial(compile_within, original))
            wrapped.jitwatch_callback = around  # type: ignore[attr-defined]
            setattr(compiler, name, wrapped)


def is_called_around_xla(around: Around) -> bool:
    """Whether `call_around_xla` of this function holds; a program may put other functions in place of JAX's."""
    for name in _XLA_FUNCTIONS:  # at each miss, so in the plainest way
        original = getattr(compiler, name, None)
        if original is not None and getattr(original, "jitwatch_callback", None) is not around:
            return False
    return True


def generated_code_bytes(executable: Any) -> int:
    """The size of an executable's code; 0 where its backend does not say, as on CPUs (JAX 0.6.1 to 0.12)."""
    try:
        return max(int(executable.size_of_generated_code_in_bytes()), 0)
    except Exception:
        return 0


def memory_of(executable: Any) -> tuple[int, int]:
    """Bytes of an executable's code, and of the temporaries that it needs while it runs; 0 where it does not say."""
    try:
        stats = executable.get_compiled_memory_stats()
        return max(int(stats.generated_code_size_in_bytes), 0), max(int(stats.temp_size_in_bytes), 0)
    except Exception:  # not every backend knows
        return generated_code_bytes(executable), 0


def held_executables() -> tuple[int, int]:
    """How many executables of this process are alive, and the bytes of their code; asks no backend to set itself up.

    None in a forked child: of JAX's locks and XLA's, any may be held there by a thread that the child does not have.
    """
    try:
        if os.getpid() != _PROCESS:
            return 0, 0
        alive = [each for client in backends_if_set_up() for each in client.live_executables()]
        return len(alive), sum(map(generated_code_bytes, alive))
    except Exception:
        return 0, 0


def backends_if_set_up() -> tuple[Any, ...]:
    """XLA's clients that JAX has set up so far; takes no lock of JAX's, which a forked child may find held for ever."""
    return tuple(getattr(xla_bridge, "_backends", {}).values())


_PROCESS = os.getpid()


def is_one_of_several_processes(backend: Any) -> bool:
    """Whether this process runs a program together with others: then a compilation can need all of them."""
    own = backend.process_index()
    return bool(
        (distributed.global_state.num_processes or 1) > 1
        or any(device.process_index != own for device in backend.devices())
    )


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


def can_call_around_xla() -> bool:
    """Whether this JAX has a function of those that `call_around_xla` looks for."""
    return any(hasattr(compiler, name) for name in _XLA_FUNCTIONS)
