"""`reuse` and `reusing`: a program that this process has compiled already is not compiled again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from jitwatch import _config
from jitwatch._api import reuse_settings
from jitwatch._api.start import begin
from jitwatch._blocks import Block
from jitwatch._capture import jax_internals
from jitwatch._capture.events.reuse import Limits
from jitwatch._capture.events.reuse import reuse as in_force
from jitwatch._errors import check_flags


def reuse(
    on: bool = True, *, max_programs: int | None = None, max_bytes: int | None = None,
    several_processes: bool | None = None,
) -> None:  # fmt: skip
    """From now on, give JAX the executable that exists where it asks XLA for an identical program.

    Identical: the same module, for the same devices and backend object, with the same compile options, without calls
    back into Python. What is compiled from now on is kept for that, within bounds; tracing and lowering are still paid.
    Reused programs are counted apart, as `reused`, and stay findings. docs/reuse.md says what to know.

    Args:
        on: False ends it, and lets go what was kept.
        max_programs: How many are kept at most; 2,000, or what the option `reuse_programs` says, if left out.
        max_bytes: Of code, likewise; 1 GiB, or `reuse_bytes`.
        several_processes: Whether to reuse also where this process runs programs together with others. All of them
            must then compile the same programs in the same order.

    Raises:
        JitwatchError: A bound or a flag is not valid.
    """
    check_flags(on=on)
    token = reuse_settings.for_process()
    if not on:
        in_force().wanted.pop(token, None)
        in_force().tidy()
        return
    limits = reuse_settings.limits(max_programs, max_bytes, several_processes)
    if _is_possible():
        in_force().wanted[token] = limits


def reusing(
    *, max_programs: int | None = None, max_bytes: int | None = None, several_processes: bool | None = None
) -> Block[None]:
    """Reuse programs as `reuse` says while a block, or a decorated function, runs, on all threads.

    What was kept is let go at the end, unless somebody else goes on to reuse.
    """
    limits = reuse_settings.limits(max_programs, max_bytes, several_processes)
    return Block(lambda: _reusing(limits))


@contextmanager
def _reusing(limits: Limits) -> Iterator[None]:
    token = object()
    try:
        if _is_possible():
            in_force().wanted[token] = limits
        yield
    finally:
        in_force().wanted.pop(token, None)
        in_force().tidy()


def _is_possible() -> bool:
    """Whether JAX is watched, and lets programs be told and handed out."""
    if _config.option("mode") == "off":
        return False
    begin()
    if jax_internals.fingerprints_available() and jax_internals.can_call_around_xla():
        return True
    warnings.warn("jitwatch.reuse() has no effect with this version of JAX.", stacklevel=2)
    return False
