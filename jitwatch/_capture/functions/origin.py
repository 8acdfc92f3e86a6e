"""Who asked for a program that is no watched function's: the function around the user's line, and what it called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import FrameType

from jitwatch import _faults, _state
from jitwatch._capture import places
from jitwatch._capture.functions.call_site import frames, is_user, place_of, takes_anything, user_frame
from jitwatch._capture.functions.loops import COMPREHENSIONS, is_in_loop
from jitwatch._capture.jax_internals import callers
from jitwatch._model import Origin

MAX_ORIGINS = 10_000
MAX_NAME = 200
_INITIALISER = re.compile(r"_*init(?:ial[a-z]*)?(?:_|$)|.*_init(?:iali[sz]er?)?_*$")


class _Origins:
    """The origins so far, so that the misses of one line share theirs."""

    def __init__(self) -> None:
        self.known: dict[Origin, Origin] = {}


def origin() -> Origin:
    """Who asked for what this thread compiles; all empty where no frame of the user's runs."""
    found = _faults.contain("the function around a line", _origin, default=Origin())
    known = _state.part(_Origins).known
    if len(known) >= MAX_ORIGINS:
        known.clear()
    return known.setdefault(found, found)


def _origin() -> Origin:
    line = user_frame()
    if line is None:
        return Origin()
    every = list(frames())
    around = _function_around(line)
    at_module_level = around.f_code.co_name == "<module>"
    under, under_at, initialises = _outermost(every)
    definition = places.named(f"{around.f_code.co_filename}:{around.f_code.co_firstlineno}")
    inside = every[: every.index(line)]
    return Origin(
        function="" if at_module_level else _name(around),
        defined_at="" if at_module_level else definition, called_at="" if at_module_level else _caller_of(around),
        looped=is_in_loop(line), called=_called(inside), under=under, under_at=under_at, initialises=initialises,
        mapped=any(callers.transform_name(frame) == "vmap" for frame in every), within=_within(inside),
    )  # fmt: skip


def _name(frame: FrameType) -> str:
    """The name of the function that a frame runs, without those that it is defined in."""
    return frame.f_code.co_qualname.rpartition("<locals>.")[2][:MAX_NAME]


def _function_around(line: FrameType) -> FrameType:
    """The frame of the function that a line stands in, which for a comprehension is the one around that."""
    frame = line
    while frame.f_code.co_name in COMPREHENSIONS and frame.f_back is not None and is_user(frame.f_back):
        frame = frame.f_back
    return frame


def _caller_of(around: FrameType) -> str:
    """The user's line that called a function; empty if none did."""
    frame = around.f_back
    while frame is not None and not is_user(frame):
        frame = frame.f_back
    return place_of(frame)


def _called(within: Sequence[FrameType]) -> str:
    """What of JAX's a line called, by the frames within it; empty for an operator, and for what JAX jits."""
    return next((name for name in map(callers.called_name, reversed(within)) if name), "")[:MAX_NAME]


def _within(inside: Sequence[FrameType]) -> str:
    """The library's function that a line called, by the frames within it, and not a decorator's wrapper of it."""
    called = [frame for frame in reversed(inside) if not places.is_passed_through(frame.f_code.co_filename)]
    return next((_name(frame) for frame in called if not takes_anything(frame)), "")


def _outermost(every: Sequence[FrameType]) -> tuple[str, str, bool]:
    """The outermost transform or initialiser that runs, the user's line that called it, and whether it initialises.

    A transform that a library applies within its own function is that function's business.
    """
    outer, is_direct = None, False
    for frame in reversed(every):
        transform = callers.transform_name(frame)
        if outer is not None and ((transform and is_direct) or _initialises(frame)):
            return transform or _name(frame), place_of(outer), not transform
        if is_user(frame):
            outer, is_direct = frame, True
        elif not callers.is_of_jax(frame) or callers.called_name(frame):
            is_direct = False
    return "", "", False


def _initialises(frame: FrameType) -> bool:
    """Whether a function's name says that it makes first values: `init`, `Net.__init__`, `init_params`."""
    if callers.is_of_jax(frame):
        return callers.is_initializer(frame)
    return bool(_INITIALISER.match(frame.f_code.co_name))
