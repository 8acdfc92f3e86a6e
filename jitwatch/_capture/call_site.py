"""Finds the user's line: the first frame outside jax, the libraries built on it, and jitwatch."""

from __future__ import annotations

import sys
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
    """`file:line` of the innermost frame of the user's on this thread; empty if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_user(frame):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


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
