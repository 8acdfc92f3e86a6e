"""The methods that a watched function has on top of JAX's."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jitwatch._api.declared_calls import DeclaredFunction
from jitwatch._api.key_views import KeyLike, KeyView, diff_keys, key_views
from jitwatch._api.pickling import Recipe, methods_of
from jitwatch._api.scopes import Report, check_layout
from jitwatch._capture import jax_internals
from jitwatch._capture.hook.watch import Watch
from jitwatch._errors import JitwatchError
from jitwatch._judge.upkeep import is_stuck
from jitwatch._model import CacheInfo, CacheKey, Finding, FunctionStats
from jitwatch._policy.declared import Entry
from jitwatch._policy.verdict import verdict
from jitwatch._record.recorder import recorder

METHODS = (
    "cache_info", "cache_stats", "cache_report", "cache_keys", "cache_key", "diff_keys", "check", "heal",
    "warm_up", "_repr_html_",
)  # fmt: skip


def add_methods(function: Any, watch: Watch, options: dict[str, Any], rebuild: Callable[..., Any]) -> None:
    """Put jitwatch's methods on the function object, and JAX's own with their stages attributed."""
    methods = Methods(watch, weakref.ref(function))
    for name in METHODS:
        setattr(function, name, getattr(methods, name))
    function._jitwatch = Recipe(function, watch.fun, options, rebuild)
    function.__dict__ = _OwnAttributes(function.__dict__)
    for name in ("lower", "trace", "eval_shape"):
        setattr(function, name, _ahead(watch, name))


class _OwnAttributes(dict[str, Any]):
    """Attributes of a watched function, some of which must not go with the others into a wrapper.

    `functools.wraps` and `jax.jit` copy the attributes of the function that they wrap by `dict.update`. With `lower`
    among them, `lower` of the wrapper would lower the wrapped function.
    """

    hidden = ("lower", "trace", "eval_shape", "_fun", "_jitwatch", "_repr_html_")

    def __iter__(self) -> Iterator[str]:  # without it `dict.update` copies in C
        return (name for name in super().__iter__() if name not in self.hidden)

    def keys(self) -> Any:
        """The names that a wrapper may copy."""
        return list(self)


class Methods:
    """The methods of one watched function; bound, they go with it into any wrapper that copies its attributes."""

    def __init__(self, watch: Watch, function: Callable[[], Any]) -> None:
        self.watch, self._function = watch, function

    def cache_info(self) -> CacheInfo:
        """Counts since the start or the last `jitwatch.reset()`."""
        return self.watch.record.info()

    def cache_stats(self) -> FunctionStats:
        """Everything recorded of this function, as plain data."""
        return self.watch.record.stats()

    def cache_report(self, *, color: bool | None = None, width: int | None = None) -> Report:
        """This function's cache as text."""
        from jitwatch._report.recording.text import render_function

        check_layout(color, width)
        misses = recorder().misses_of(self.watch.record.id)
        return Report(render_function(self.cache_stats(), misses, self.check(), color=bool(color), width=width))

    def _repr_html_(self) -> str:
        """The same for notebooks."""
        from jitwatch._report.page.render import function_part

        return function_part(recorder().definition_snapshot(self.watch.record))

    def cache_keys(self) -> list[KeyView]:
        """The known keys with their counts, oldest first, and a way to look at the program of each."""
        return key_views(self.watch)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> CacheKey:
        """The key of a call with these arguments, without calling."""
        DeclaredFunction(self.watch).check(args, kwargs)
        return self.watch.key_maker.call(args, kwargs).key

    def diff_keys(self, first: KeyLike, second: KeyLike) -> str:
        """Two keys, by number or as they came from `cache_keys()`, side by side, and how their programs differ."""
        return diff_keys(self.cache_keys(), first, second)

    def check(self) -> list[Finding]:
        """What is wrong with this function's recompilations, and with outside values that its programs keep."""
        record = self.watch.record
        return list(verdict(recorder().definition_snapshot(record)).all_findings())

    def heal(self) -> int:
        """Put keys that are stuck on JAX's slow path back on the fast one, without compiling; how many there were."""
        stuck = [key for key in self.watch.record.stats().keys if is_stuck(key)]
        self.watch.heal()
        return len(stuck)

    def warm_up(
        self, /, specs: Entry | Iterable[Entry], *, like: Any = None, threads: int = 1, run: bool = True,
        progress: bool | None = None,
    ) -> int:  # fmt: skip
        """Compile declared calls ahead, and make each once; see `jitwatch.WatchedFunction.warm_up`."""
        from jitwatch._api.warm_up import warm_up

        function = self._function() or self.watch.remade(self.watch)
        return warm_up(
            self.watch, function, specs, like=like, threads=threads, run=run, progress=progress
        )  # fmt: skip

    def __reduce__(self) -> Any:
        function = self._function()
        if function is None:
            raise JitwatchError("the watched function of these methods no longer exists")
        return (methods_of, (function,))


def _ahead(watch: Watch, name: str) -> Any:
    """JAX's `lower`, `trace` or `eval_shape` of one watched function."""

    def ahead(*args: Any, **kwargs: Any) -> Any:
        return watch.ahead(name, args, kwargs)

    ahead.__name__ = ahead.__qualname__ = name
    ahead.__doc__ = getattr(jax_internals.PjitFunction, name).__doc__
    return jax_internals.api_boundary(ahead)
