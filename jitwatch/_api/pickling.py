"""How a watched function is pickled and copied."""

from __future__ import annotations

import copy
import copyreg
import functools
import sys
import uuid
import weakref
from collections.abc import Callable
from typing import Any

from jitwatch import _state
from jitwatch._capture import jax_internals
from jitwatch._capture.hook.registry import plain_of


class _Here:
    """Watched functions of this process by the token that their pickles carry."""

    def __init__(self) -> None:
        self.functions: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


def methods_of(function: Any) -> Any:
    return function.cache_info.__self__


class Recipe:
    """How to get a watched function back from a pickle or a copy: itself here, one like it in another process."""

    def __init__(self, function: Any, fun: Any, options: dict[str, Any], rebuild: Callable[..., Any]) -> None:
        """Make it for a watched function.

        Args:
            function: The watched function.
            fun: The user's function in it.
            options: It was made with.
            rebuild: A function of a module; called with a token, `fun` and `options` where the pickle is read.
        """
        self._function = weakref.ref(function)
        self._arguments, self._rebuild = (fun, options), rebuild
        self._token = uuid.uuid4().hex
        _state.part(_Here).functions[self._token] = function

    def add_options(self, options: dict[str, Any]) -> None:
        """Make it with these too."""
        fun, known = self._arguments
        self._arguments = fun, known | options

    def is_for(self, function: Any) -> bool:
        """Whether this recipe is the function's own, not one copied with the attributes of another."""
        return self._function() is function

    def reduce(self) -> Any:
        """By name where the name leads back to the function, as for any Python function; else by its parts."""
        function = self._function()
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
        by_name = _lookup(module, name) is function and not (module == "__main__" and _pickles_by_value())
        return name if by_name else (self._rebuild, (self._token, *self._arguments))


def is_watched(function: Any) -> bool:
    """Whether a function is itself what `watched_jit` returned, not something that copied its attributes."""
    recipe = getattr(function, "_jitwatch", None)
    return isinstance(recipe, Recipe) and recipe.is_for(function)


def _reduce(function: Any) -> Any:
    """How pickle and copy take a PjitFunction apart: one that is not watched as without jitwatch.

    A copy shares the dispatch cache of its original, so it is hooked as that is; a pickle is read where nothing may be.
    """
    if is_watched(function):
        return function._jitwatch.reduce()
    is_copied = sys._getframe(1).f_globals is vars(copy)
    return object.__reduce_ex__(function if is_copied else plain_of(function), 4)


def _lookup(module: Any, qualname: str) -> Any:
    try:
        return functools.reduce(getattr, qualname.split("."), sys.modules[module])
    except (AttributeError, KeyError):
        return None


def _pickles_by_value() -> bool:
    """Whether the pickler at work is one that writes the functions of `__main__` by value."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in ("cloudpickle", "dill"):
            return True
        frame = frame.f_back
    return False


def known_here(token: str) -> Any:
    """The watched function whose recipe has this token; None where it is not of this process, or gone."""
    return _state.part(_Here).functions.get(token)


def register() -> None:
    """Let pickle and copy take watched functions apart by their recipes."""
    copyreg.pickle(jax_internals.PjitFunction, _reduce)
