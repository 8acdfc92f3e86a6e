"""Watches every jitted function of a process, without a change to its code."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import wrapt

from jitwatch import _config, _faults, _state
from jitwatch._blocks import Block
from jitwatch._errors import check_flags


class _Installation:
    """Who wants all functions watched, and the patch that does it."""

    def __init__(self) -> None:
        self._lock = _state.AwaitedLock()
        self.installed = False
        self.blocks: dict[object, int] = {}
        """Blocks of `watching()` that are under way, each with its thread: one step adds one and takes it away."""
        self._patch: Any = None
        self._count_hits = False
        self._hook_registered = False

    def begin(self, *, count_hits: bool) -> None:
        """Put the patch in place, or see to that when jax is imported."""
        if self._patch is None:
            self._count_hits = count_hits
            if sys.modules.get("jax") is not None:
                self.apply()
            elif not self._hook_registered:
                self._hook_registered = True
                wrapt.register_post_import_hook(self.apply, "jax")

    def end(self) -> None:
        """Take the patch away if nobody wants it any more."""
        with self._lock:
            if self._patch is not None and not self.installed and not self.blocks:
                patch, self._patch = self._patch, None
                _faults.contain("the end of watching", patch.remove, default=None)

    def begin_in_child(self) -> None:
        """After a fork: the blocks of other threads have nobody to end them."""
        here = threading.get_ident()
        self.blocks = {block: thread for block, thread in self.blocks.items() if thread == here}
        self.end()

    def apply(self, _: Any = None) -> None:
        """Put the patch in place if somebody wants it; jax is imported."""
        _faults.contain("watching all functions", self._apply, default=None)

    def _apply(self) -> None:
        # Imported before the lock is taken: a thread that imports jax meanwhile holds Python's lock on it, and comes
        # here for this one.
        from jitwatch._api.start import begin
        from jitwatch._capture.hook.patching import Patch
        from jitwatch._policy.policy import policy_of_all

        policy = policy_of_all()
        begin()
        with self._lock:
            if self._patch is None and (self.installed or self.blocks):
                self._patch = Patch(policy, count_hits=self._count_hits)


def install(*, count_hits: bool = False) -> None:
    """Watch each function that is jitted from now on, in the program and in every library.

    `jax.jit` goes on to return JAX's own jitted functions, and a hit costs what it cost before. May be called before
    jax is imported, and again without effect. Functions that were jitted before are not watched; what they compile is
    reported by JAX's name and the line that called them. With `JITWATCH_MODE=off` nothing is watched.

    Args:
        count_hits: Count hits too, for each key; some 150 to 200 ns a call.
    """
    check_flags(count_hits=count_hits)
    installation = _state.part(_Installation)
    if not installation.installed and not _config.is_off():
        try:
            installation.installed = True
            installation.begin(count_hits=count_hits)
        except BaseException:  # a setting that is not valid
            installation.installed = False
            raise


def uninstall() -> None:
    """Put JAX's own `jax.jit` back; functions that were jitted meanwhile stay watched."""
    installation = _state.part(_Installation)
    installation.installed = False
    installation.end()


def watching(*, count_hits: bool = False) -> Block[None]:
    """Watch each function that is jitted within a block, or a decorated function, on any thread.

    Within an installed watch it changes nothing.

    Args:
        count_hits: As for `install`.
    """
    check_flags(count_hits=count_hits)
    return Block(lambda: _watching(count_hits=count_hits))


@contextmanager
def _watching(*, count_hits: bool) -> Iterator[None]:
    if _config.is_off():
        yield
        return
    installation, block = _state.part(_Installation), object()
    try:
        installation.blocks[block] = threading.get_ident()
        installation.begin(count_hits=count_hits)
        yield
    finally:
        installation.blocks.pop(block, None)
        installation.end()
