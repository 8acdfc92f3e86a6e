"""Asks policy before a stage runs; what that raises reaches the user's call, and the stage does not run.

JAX tells when a stage begins (`jax.monitoring`, scalar events). Where the persistent cache or reuse could still
answer, JAX's call of XLA itself is waited for.
"""

from __future__ import annotations

from types import FrameType

from jitwatch import _faults
from jitwatch._capture import jax_internals
from jitwatch._capture.events import persistent, reuse, unwatched
from jitwatch._capture.events.frames import Compiling, thread_state
from jitwatch._capture.functions.call_site import call_site, user_frame
from jitwatch._capture.observer import Begun, observer


def ask(stage: str, compiling: Compiling) -> None:
    """Let policy see a stage that is about to run; it may raise."""
    may_load = _faults.contain("monitoring", _may_load, default=False)
    begun = Begun(
        stage, compiling.name, compiling.function, compiling.key, may_load,
        lambda: unwatched.program_of(compiling.name)[:2], call_site, _user_frame,
    )  # fmt: skip
    try:
        observer().before(begun)
    except BaseException:
        for frame in thread_state().stack:
            frame.stopped = True
        _faults.contain("healing", jax_internals.clear_running_dispatch_caches, default=None)
        raise


def _may_load() -> bool:
    return (persistent.is_on() or reuse.is_on()) and jax_internals.can_call_around_xla()


def _user_frame() -> FrameType | None:
    return _faults.contain("an alert", user_frame, default=None)
