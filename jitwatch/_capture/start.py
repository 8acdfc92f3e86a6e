"""What capture does once in a state, before the first function is watched."""

from __future__ import annotations

import os

import jax

import jitwatch
from jitwatch import _state
from jitwatch._capture import jax_internals
from jitwatch._capture.events import stages
from jitwatch._capture.keys import trace_context
from jitwatch._capture.keys.values import describe
from jitwatch._capture.observer import Observer, observe
from jitwatch._record import user_context
from jitwatch._record.recorder import recorder


class _Start:
    def __init__(self) -> None:
        self.begun = False


def has_begun() -> bool:
    """Whether `begin` was called in this state."""
    return _state.part(_Start).begun


def begin(observer: Observer) -> bool:
    """Listen to JAX's events, and tell this observer of them; returns whether that is new."""
    start = _state.part(_Start)
    if start.begun:
        return False
    start.begun = True
    observe(observer)
    _state.part(user_context.Describing).describe = describe
    recorder().jax_version = jax.__version__
    recorder().held = jax_internals.held_executables
    jax_internals.exclude_from_tracebacks(os.path.dirname(jitwatch.__file__))
    trace_context.remember_initial_context()
    stages.listen()
    return True
