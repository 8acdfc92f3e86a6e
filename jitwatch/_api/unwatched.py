"""Where jitwatch is off: a plain jitted function with the methods of a watched one, which do no harm and count nothing.

What the methods ask of a watch stands in for one, so that they are the same.
"""

from __future__ import annotations

import functools
import weakref
from html import escape
from typing import Any

from jitwatch import _config
from jitwatch._api.methods import METHODS, Methods
from jitwatch._api.scopes import Report
from jitwatch._capture import jax_internals
from jitwatch._capture.keys.key_maker import KeyMaker
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder
from jitwatch._words.safe_text import clean


class _Unwatched:
    """What the methods need of a watch; nothing ever counts in its record, which no report knows."""

    def __init__(self, jitted: Any) -> None:
        self.fun = jax_internals.jitted_function(jitted)
        self._jitted = weakref.ref(jitted)
        self._another = jax_internals.jit_another(jitted)

    @functools.cached_property
    def key_maker(self) -> KeyMaker:
        """Makes keys on request, as without it `cache_key` would have nothing to say."""
        return KeyMaker(self.fun, *jax_internals.static_positions(self.inner))

    @functools.cached_property
    def record(self) -> FunctionRecord:
        """A record of zeros."""
        name = jax_internals.jitted_name(self.inner)
        return FunctionRecord(recorder(), 0, name, name, "", (), approximate=False, hits_counted=False)

    @property
    def inner(self) -> Any:
        """The jitted function; if nobody holds that any more, one that shares its caches."""
        return self._jitted() or self._another()

    def remade(self, _: Any) -> Any:
        """The same, where a watch would make its hooked function anew."""
        return self.inner

    def ahead(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """JAX's `lower`, `trace` or `eval_shape`."""
        return getattr(self.inner, name)(*args, **kwargs)

    def compile_lowered(self, lowered: Any, _: Any) -> None:
        """Compile a program that `ahead` lowered."""
        lowered.compile()

    def heal(self) -> None:
        """Nothing that jitwatch does keeps a key of it on the slow path."""


class _UnwatchedMethods(Methods):
    """The methods of a function that is not watched: counts are zero, and there are no keys."""

    def cache_report(self, *, color: bool | None = None, width: int | None = None) -> Report:
        """Why there is nothing to report."""
        return Report(f"{clean(self.watch.record.name)}: {_config.off_text()}, so its calls are not counted.")

    def _repr_html_(self) -> str:
        """The same for notebooks."""
        return f"<p>{escape(self.cache_report())}</p>"

    def diff_keys(self, first: Any, second: Any) -> str:
        """Why there is nothing to compare."""
        return self.cache_report()


def with_methods(jitted: Any) -> Any:
    """The plain jitted function itself, on which the methods of a watched one exist from now on."""
    stand_in: Any = _Unwatched(jitted)
    methods = _UnwatchedMethods(stand_in, weakref.ref(jitted))
    for name in METHODS:
        setattr(jitted, name, getattr(methods, name))
    return jitted
