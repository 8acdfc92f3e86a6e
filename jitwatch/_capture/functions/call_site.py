"""Finds the user's line: the first frame outside jax, the libraries built on it, and jitwatch."""

from __future__ import annotations

import os
import sys
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FrameType, TracebackType

# Top-level packages whose frames are never "the user's line".
LIBRARIES = frozenset(
    (
        *("jax", "jaxlib", "flax", "optax", "equinox", "haiku", "numpyro", "diffrax", "lineax", "optimistix", "orbax"),
        *("blackjax", "jaxopt", "chex", "distrax", "rlax", "tensorflow_probability", "keras", "absl"),
        *("numpy", "scipy", "jaxtyping", "beartype", "typeguard", "wrapt", "jitwatch", "pluggy", "_pytest"),
        *("functools", "contextlib", "threading", "concurrent", "asyncio", "runpy", "importlib"),
    )
)

_PASSED_THROUGH = frozenset(("jax", "jaxlib", "jitwatch", "functools", "contextlib"))


def call_site() -> str:
    """`file:line` of `user_frame()`; empty if there is none."""
    frame = user_frame()
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def user_frame() -> FrameType | None:
    """The innermost frame of the user's on this thread that is not only a decorator's wrapper; None if there is none.

    If all of the user's frames are wrappers, it is the innermost of them.
    """
    frame: FrameType | None = sys._getframe(1)
    wrapper = None
    while frame is not None:
        if is_user(frame):
            if not _is_wrapper(frame):
                return frame
            wrapper = wrapper or frame
        frame = frame.f_back
    return wrapper


def _is_wrapper(frame: FrameType) -> bool:
    """Whether a frame runs a function that takes any arguments and has in its closure one that wraps another.

    Frames do not say what function they run, so `__wrapped__` of the wrapper itself cannot be asked for.
    """
    code = frame.f_code
    if not (code.co_flags & CO_VARARGS and code.co_flags & CO_VARKEYWORDS and code.co_freevars):
        return False
    values = frame.f_locals
    return any(hasattr(values.get(name), "__wrapped__") for name in code.co_freevars)


def running_test() -> str:
    """The test of pytest or unittest that is under way; empty outside any."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == "unittest.case" and frame.f_code.co_name == "run":
            return str(frame.f_locals["self"])
        frame = frame.f_back
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]  # also of the test that began this process


def innermost_user_line(traceback: TracebackType | None) -> str | None:
    """`file:line` of the deepest frame of the user's in a traceback."""
    found = None
    while traceback is not None:
        if is_user(traceback.tb_frame):
            found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


def is_user(frame: FrameType) -> bool:
    """Whether a frame belongs to neither a library of `LIBRARIES` nor the interpreter's own start-up."""
    name = str(frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] not in LIBRARIES and not frame.f_code.co_filename.startswith("<frozen")


def caller_library() -> str:
    """The library that called JAX on this thread: the package of the innermost frame that is not JAX's or jitwatch's.

    Empty where that frame is the user's own.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _PASSED_THROUGH:
            return package if package in LIBRARIES else ""
        frame = frame.f_back
    return ""
