"""Watches every jitted function of a process, without a change to its code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import wrapt

from jitwatch import _faults

_lock = threading.RLock()
_patch: Any = None
_installed = False
_blocks = 0
"""Blocks of `watching()` that are under way, on all threads."""
_count_hits = False
_hook_registered = False


def install(*, count_hits: bool = False) -> None:
    """Watch each function that is jitted from now on, in the program and in every library.

    `jax.jit` goes on to return JAX's own jitted functions, and a hit costs what it cost before. May be called before
    jax is imported, and again without effect. Functions that were jitted before are not watched; what they compile is
    reported by JAX's name and the line that called them.

    Args:
        count_hits: Count hits too, for each key; some 150 to 200 ns a call.
    """
    global _installed
    with _lock:
        if not _installed:
            _installed = True
            try:
                _begin(count_hits=count_hits)
            except BaseException:  # a setting that is not valid
                _installed = False
                raise


def uninstall() -> None:
    """Put JAX's own `jax.jit` back; functions that were jitted meanwhile stay watched."""
    global _installed
    with _lock:
        _installed = False
        _end()


@contextmanager
def watching(*, count_hits: bool = False) -> Iterator[None]:
    """Watch each function that is jitted within the block, on any thread; within an installed watch it changes nothing.

    Args:
        count_hits: As for `install`.
    """
    global _blocks
    with _lock:
        _blocks += 1
        try:
            _begin(count_hits=count_hits)
        except BaseException:
            _blocks -= 1
            raise
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            _end()


def _begin(*, count_hits: bool) -> None:
    """Put the patch in place, or see to that when jax is imported; the lock is held."""
    global _count_hits, _hook_registered
    if _patch is None:
        _count_hits = count_hits
        if sys.modules.get("jax") is not None:
            _apply()
        elif not _hook_registered:
            _hook_registered = True
            wrapt.register_post_import_hook(_apply, "jax")


def _end() -> None:
    """Take the patch away if nobody wants it any more; the lock is held."""
    global _patch
    if _patch is not None and not _installed and not _blocks:
        patch, _patch = _patch, None
        _faults.contain("the end of watching", patch.remove, default=None)


def _apply(_: Any = None) -> None:
    global _patch
    with _lock:
        if _patch is None and (_installed or _blocks):
            _patch = _faults.contain("watching all functions", _make_patch, default=None)


def _make_patch() -> Any:
    from jitwatch._capture.hook.patching import Patch

    return Patch(count_hits=_count_hits)
