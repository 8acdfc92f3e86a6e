"""The avals of programs that no watched function explains, from the log record that JAX makes of each compilation.

JAX's events say which program was compiled, not for what. Its logger says both, at DEBUG unless `jax_log_compiles` is
set. While listening, records are made that would not be otherwise, and a filter drops them again after reading, so that
what the user's logging prints stays as it was.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from jitwatch import _faults
from jitwatch._capture import keys
from jitwatch._model import CacheKey

# Since JAX 0.4.38 at least: "Compiling %s with global shapes and types %s. Argument mapping: %s."
_LOGGER = "jax._src.interpreters.pxla"
_thread = threading.local()


class _Reader(logging.Filter):
    """Reads JAX's record of a compilation, and lets through what the logger would have let through without it."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._level = logger.level

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record would exist without jitwatch."""
        try:
            if str(record.msg).startswith("Compiling") and isinstance(record.args, tuple) and len(record.args) > 1:
                name = str(record.args[0])
                _thread.avals = name.removeprefix("jit(").removesuffix(")"), record.args[1]
        except Exception as error:
            _faults.record("reading JAX's log", error)
        return record.levelno >= self._level_without()

    def _level_without(self) -> int:
        if self._logger.level != logging.DEBUG:  # set by the user since
            return self._logger.getEffectiveLevel()
        if self._level:
            return self._level
        return self._logger.parent.getEffectiveLevel() if self._logger.parent else logging.WARNING

    def remove(self) -> None:
        """Put the logger back."""
        self._logger.removeFilter(self)
        if self._logger.level == logging.DEBUG:
            self._logger.setLevel(self._level)


def read() -> _Reader:
    """Begin to read; `remove()` of the result ends it."""
    logger = logging.getLogger(_LOGGER)
    reader = _Reader(logger)
    logger.addFilter(reader)
    logger.setLevel(logging.DEBUG)
    return reader


def key_of(name: str) -> CacheKey | None:
    """The key of the program of this name that this thread compiled last; None while nothing is read."""
    last_name, avals = getattr(_thread, "avals", ("", ()))
    if last_name != name:
        return None
    _thread.avals = ("", ())
    return keys.key_of_avals(tuple(_as_tuple(avals)))


def _as_tuple(avals: Any) -> Any:
    return avals if isinstance(avals, (tuple, list)) else (avals,)
