"""Puts a `jax.jit` that watches in the place of JAX's, in `jax` and in every module that imported it before."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

import jax

from jitwatch import _faults
from jitwatch._capture import jax_internals
from jitwatch._capture.functions.callers_name import call_as
from jitwatch._capture.hook.registry import watch_of
from jitwatch._capture.hook.watch import hooked


class Patch:
    """The replacement, while it is in place."""

    def __init__(self, policy: Any, *, count_hits: bool) -> None:
        self._policy = policy
        self._count_hits = count_hits
        self._places: list[tuple[ModuleType, str]] = []
        self._in_place = True
        self.jit = self._make_jit()
        self._ahead = jax_internals.ahead_functions()
        try:
            jax_internals.set_ahead_functions({name: _counted_ahead(name, of) for name, of in self._ahead.items()})
            for module in tuple(sys.modules.values()):
                _faults.contain("watching the functions of a module", self._replace_in, module, default=None)
        except BaseException:  # a Ctrl-C
            self.remove()
            raise

    def remove(self) -> None:
        """Put JAX's own `jit` back wherever this one still stands; functions made meanwhile stay watched."""
        self._in_place = False  # for copies of `jit` that were taken meanwhile
        for module, name in self._places:
            if vars(module).get(name) is self.jit:
                setattr(module, name, jax_internals.plain_jit)
        self._places.clear()
        jax_internals.set_ahead_functions(self._ahead)

    def _replace_in(self, module: Any) -> None:
        # JAX's own modules keep JAX's jit, so that its internal functions stay as they are; `jax.jit` is the user's.
        names = vars(module) if isinstance(module, ModuleType) else {}
        if module is not jax and str(names.get("__name__", "")).partition(".")[0] in ("jax", "jaxlib", "jitwatch"):
            return
        for name, value in tuple(names.items()):
            if value is jax_internals.plain_jit:
                self._places.append((module, name))
                setattr(module, name, self.jit)

    def _make_jit(self) -> Any:
        @functools.wraps(jax_internals.plain_jit)
        def jit(*fun: Any, **options: Any) -> Any:
            if _faults.contain("reading the options", jax_internals.is_plain_use_of_jit, fun, options, default=True):
                jitted = jax_internals.plain_jit(*fun, **options)
            else:
                jitted = call_as(sys._getframe(1), jax_internals.plain_jit, *fun, **options)
            if not self._in_place or str(sys._getframe(1).f_globals.get("__name__")).startswith("jax."):
                return jitted  # a helper of JAX's own: its name says more than a line in JAX
            if not isinstance(jitted, jax_internals.PjitFunction):  # a decorator, since JAX 0.8.1
                return functools.partial(jit, **options)
            return _faults.contain("watching a function", self._watch, jitted, options, default=jitted)

        return jit

    def _watch(self, jitted: Any, options: dict[str, Any]) -> Any:
        return watch_plainly(jitted, options, self._policy, count_hits=self._count_hits)


def watch_plainly(jitted: Any, options: dict[str, Any], policy: Any, *, count_hits: bool) -> Any:
    """The hooked form of a jitted function without methods on top, or itself where this JAX has no exact hook."""
    if watch_of(jitted) is not None or not jax_internals.exact_hook_available():
        return jitted
    try:
        return hooked(jitted, options, policy, count_hits=count_hits, by_name=False)[0]
    except TypeError:  # no weak reference to the function: JAX cannot cache it either, and says so when it is called
        return jitted


def _counted_ahead(name: str, original: Any) -> Any:
    """JAX's `lower`, `trace` or `eval_shape` of all jitted functions, with those of hooked ones counted."""

    @functools.wraps(original)
    def ahead(function: Any, /, *args: Any, **kwargs: Any) -> Any:
        watch = _faults.contain("work ahead of time", watch_of, function, default=None)
        return original(function, *args, **kwargs) if watch is None else watch.ahead(name, args, kwargs)

    return jax_internals.api_boundary(ahead)
