"""Calls a function as if a frame of the user's did, so that a warning blames the user's line."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType, FunctionType
from typing import Any, TypeVar

T = TypeVar("T")


def call_as(frame: FrameType, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """What the function returns, called from a frame with the file, the line and the module of `frame`.

    A warning with a `stacklevel` then has that place, and its module's record of what was warned of: as without us, and
    without a change of the filters of `warnings`, which all threads share.
    """
    code = _call.__code__.replace(
        co_filename=frame.f_code.co_filename, co_name=frame.f_code.co_name, co_firstlineno=frame.f_lineno
    )
    return FunctionType(code, frame.f_globals)(function, args, kwargs)  # type: ignore[no-any-return]


_call: Any = lambda function, args, kwargs: function(*args, **kwargs)  # noqa: E731  (on one line, as its line is told)
