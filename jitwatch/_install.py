"""Watches every jitted function of a process, without a change to its code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import wrapt

_lock = threading.RLock()
_patch: Any = None
_wanted: dict[str, Any] | None = None
_hook_registered = False


def install(*, count_hits: bool = False) -> None:
    """Watch each function that is jitted from now on, in the program and in every library.

    `jax.jit` goes on to return JAX's own jitted functions, and a hit costs what it cost before. May be called before
    jax is imported, and again without effect. Functions that were jitted before are not watched; what they compile is
    reported by JAX's name and the line that called them.

    Args:
        count_hits: Count hits too, for each key; some 150 to 200 ns a call.
    """
    global _wanted, _hook_registered
    with _lock:
        if _wanted is not None:
            return
        _wanted = {"count_hits": count_hits}
        if "jax" in sys.modules:
            _apply(sys.modules["jax"])
        elif not _hook_registered:
            _hook_registered = True
            wrapt.register_post_import_hook(_apply, "jax")


def uninstall() -> None:
    """Put JAX's own `jax.jit` back; functions that were jitted meanwhile stay watched."""
    global _patch, _wanted
    with _lock:
        _wanted = None
        if _patch is not None:
            _patch.remove()
            _patch = None


@contextmanager
def watching(*, count_hits: bool = False) -> Iterator[None]:
    """Watch each function that is jitted within the block; within an installed watch it changes nothing."""
    already = _wanted is not None
    install(count_hits=count_hits)
    try:
        yield
    finally:
        if not already:
            uninstall()


def _apply(_: Any) -> None:
    global _patch
    with _lock:
        if _wanted is not None and _patch is None:
            from jitwatch._capture.patching import Patch

            _patch = Patch(**_wanted)
