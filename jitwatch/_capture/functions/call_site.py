"""Finds the author's line: the innermost frame that runs neither JAX, nor jitwatch, nor any other library."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FrameType, TracebackType
from typing import NamedTuple

from jitwatch._capture import places


class Caller(NamedTuple):
    """Who had JAX do something."""

    place: str
    """`file:line` of `user_frame()`; empty if there is none."""
    library: str
    """The package that called JAX in between; empty where it was the author's own frame."""


def caller() -> Caller:
    """Who called JAX on this thread."""
    frame = user_frame()
    innermost = next((each for each in frames() if not places.is_passed_through(each.f_code.co_filename)), None)
    if innermost is None or innermost is frame or is_user(innermost):
        return Caller(place_of(frame), "")
    package = _package(innermost)
    return Caller(place_of(frame), "" if frame is not None and package == _package(frame) else package)


def call_site() -> str:
    """The place of `caller()`."""
    return place_of(user_frame())


def user_frame() -> FrameType | None:
    """The innermost frame of the author's on this thread that is not only a decorator's wrapper; None if there is none.

    If all of the author's frames are wrappers, it is the innermost of them. If there are none at all, the program is
    itself an installed one: then it is the innermost frame of the package that was called first.
    """
    wrapper = None
    for frame in frames():
        if is_user(frame):
            if not _is_wrapper(frame):
                return frame
            wrapper = wrapper or frame
    return wrapper or _of_installed_program()


def _of_installed_program() -> FrameType | None:
    found = [frame for frame in frames() if not places.is_passed_through(frame.f_code.co_filename)]
    called = [frame for frame in found if not places.is_script_of_installer(frame.f_code.co_filename)]
    package = _package(called[-1]) if called else ""
    return next((frame for frame in called if _package(frame) == package), found[0] if found else None)


def frames() -> Iterator[FrameType]:
    """The frames of this thread around whoever asks, innermost first.

    Without its own: a frame in a list that it holds is a cycle, and the user's arrays in frames around it live with it.
    """
    frame: FrameType | None = sys._getframe(1).f_back
    while frame is not None:
        yield frame
        frame = frame.f_back


def place_of(frame: FrameType | None) -> str:
    """`file:line` that a frame runs; empty for none."""
    return "" if frame is None else places.named(f"{frame.f_code.co_filename}:{frame.f_lineno}")


def _package(frame: FrameType) -> str:
    names = frame.f_globals
    return str(names.get("__package__") or names.get("__name__", "")).partition(".")[0]


def _is_wrapper(frame: FrameType) -> bool:
    """Whether a frame runs a function that takes any arguments and has in its closure one that wraps another.

    Frames do not say what function they run, so `__wrapped__` of the wrapper itself cannot be asked for.
    """
    if not takes_anything(frame):
        return False
    values = frame.f_locals
    return any(hasattr(values.get(name), "__wrapped__") for name in frame.f_code.co_freevars)


def takes_anything(frame: FrameType) -> bool:
    """Whether a frame runs a closure that takes any arguments, as what decorators put around a function does."""
    code = frame.f_code
    return bool(code.co_flags & CO_VARARGS and code.co_flags & CO_VARKEYWORDS and code.co_freevars)


def running_test() -> str:
    """The test of pytest or unittest that is under way; empty outside any."""
    for frame in frames():
        if frame.f_globals.get("__name__") == "unittest.case" and frame.f_code.co_name == "run":
            return str(frame.f_locals["self"])
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]  # also of the test that began this process


def innermost_user_line(traceback: TracebackType | None) -> str | None:
    """`file:line` of the deepest frame of the author's in a traceback."""
    found = None
    while traceback is not None:
        if is_user(traceback.tb_frame):
            found = places.named(f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return found


def is_user(frame: FrameType) -> bool:
    """Whether a frame is one of the author's, and not of a library or of generated code."""
    return places.is_of_author(frame.f_code.co_filename, frame.f_globals)
