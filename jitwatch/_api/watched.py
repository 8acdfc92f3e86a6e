"""`watched_jit`, the drop-in for `jax.jit`, and the methods that a watched function has on top."""

from __future__ import annotations

import difflib
import functools
import gc
import inspect
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from jitwatch import _config, _faults
from jitwatch._api.declared_calls import declared_for, without_arrays
from jitwatch._api.key_views import KeyLike, KeyView
from jitwatch._api.methods import add_methods
from jitwatch._api.pickling import is_watched, known_here, methods_of
from jitwatch._api.scopes import Report
from jitwatch._api.start import begin
from jitwatch._api.unwatched import with_methods
from jitwatch._capture import jax_internals
from jitwatch._capture.functions.callers_name import call_as
from jitwatch._capture.hook import fallback
from jitwatch._capture.hook.registry import plain_of, watches_by_name
from jitwatch._capture.hook.watch import Watch, hooked
from jitwatch._errors import JitwatchError
from jitwatch._model import CacheInfo, CacheKey, Finding, FunctionStats
from jitwatch._policy.declared import Entry
from jitwatch._policy.policy import agreed, check_excess, policy_of
from jitwatch._policy.say import Action

OWN_OPTIONS = ("max_keys", "max_compiles", "on_excess", "expect", "warn_compiles")
P = ParamSpec("P")
R = TypeVar("R")


class WatchedFunction(Protocol[P, R]):
    """What `watched_jit` returns: JAX's own jitted function with these methods on top of JAX's."""

    __name__: str
    __wrapped__: Callable[P, R]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def lower(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def trace(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def eval_shape(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...
    def clear_cache(self) -> None: ...

    def cache_info(self) -> CacheInfo:
        """Counts since the start or the last `jitwatch.reset()`."""

    def cache_stats(self) -> FunctionStats:
        """Everything recorded of this function, as plain data."""

    def cache_report(self, *, color: bool | None = None, width: int | None = None) -> Report:
        """This function's cache as text."""

    def cache_keys(self) -> list[KeyView]:
        """The known keys with their counts, oldest first, and a way to look at the program of each."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> CacheKey:
        """The key of a call with these arguments, without calling."""

    def diff_keys(self, first: KeyLike, second: KeyLike) -> str:
        """Two keys, by number or as they came from `cache_keys()`, side by side, and how their programs differ."""

    def check(self) -> list[Finding]:
        """What is wrong with this function's recompilations, and with outside values that its programs keep."""

    def heal(self) -> int:
        """Put keys that are stuck on JAX's slow path back on the fast one, without compiling; how many there were."""

    def warm_up(
        self, specs: Entry | Iterable[Entry], *, like: Any = None, threads: int = 1, run: bool = True,
        progress: bool | None = None,
    ) -> int:  # fmt: skip
        """Compile declared calls ahead, so that real calls like them are hits of JAX's dispatch cache.

        Each declared call is made once, with zeros for what stands for an array: what the function does besides
        computing, such as callbacks, happens too. Arrays that are given stay alive, also where they are donated.

        Args:
            specs: `jitwatch.spec(...)`, a dict from paths to what is there, or a list of both.
            like: An example call, as `jitwatch.spec(...)` or a tuple of positional arguments. It gives whatever the
                declarations leave open: arguments that are `...`, all that a dict does not name, and of a leaf that is
                declared by its shape alone its dtype and placement.
            threads: In how many threads XLA compiles. The function is traced, lowered and called on this one.
            run: Whether to make the calls. Without it the programs are compiled and kept ahead of time only, and the
                first real call of each costs a miss without a stage, some 0.3 ms.
            progress: Whether to show a progress bar; if left out, where standard error is a terminal.

        Returns:
            The number of programs that XLA compiled.

        Raises:
            JitwatchError: A declaration does not fit the function or the example; nothing was compiled.
            Exception: What JAX or the function raises, with a note that names the declared call. What was done before
                stays.
        """


@overload
def watched_jit(
    fun: Callable[P, R], /, *, max_keys: int | None = ..., max_compiles: int | None = ...,
    on_excess: Action | None = ..., expect: Any = ..., warn_compiles: int | None = ..., **options: Any,
) -> WatchedFunction[P, R]: ...  # fmt: skip
@overload
def watched_jit(
    *, max_keys: int | None = ..., max_compiles: int | None = ..., on_excess: Action | None = ..., expect: Any = ...,
    warn_compiles: int | None = ..., **options: Any,
) -> Callable[[Callable[P, R]], WatchedFunction[P, R]]: ...  # fmt: skip


def watched_jit(
    *fun: Any, max_keys: int | None = None, max_compiles: int | None = None, on_excess: Action | None = None,
    expect: Any = None, warn_compiles: int | None = None, **options: Any,
) -> Any:  # fmt: skip
    """Jit a function as `jax.jit` does, and count what its cache does.

    The result is a real jitted function of JAX: everything that takes one takes it, and it computes, fails and caches
    in the same way. Each hit costs some 150 to 200 ns more. With `JITWATCH_MODE=off` it is the plain `jax.jit` object:
    the methods are there, and count nothing.

    Args:
        fun: The function. Of one that is jitted already, also by `watched_jit`, this makes what `jax.jit` makes of it:
            a jitted function around it; `jitwatch.watch` watches it as it is. Left out, the result is a decorator.
        max_keys: Keys to keep for this function; calls with further ones are counted in the totals only.
        max_compiles: Compilations that are allowed; the next one is in excess.
        expect: The calls that may compile, as `jitwatch.spec(...)` or as dictionaries from path to shape; a compilation
            for any other is in excess.
        on_excess: What to do before XLA compiles in excess: `warn`; `raise` `RecompilationError`, and not compile; or a
            function that is called with an `Alert`, and may raise. If left out, `warn`, or `raise` with
            `JITWATCH_MODE=error`.
        warn_compiles: Needless compilations for one cause from which on to warn, if neither of the above is given.
        **options: Every argument of the installed `jax.jit`.

    Raises:
        JitwatchError: One of these, or an option in the environment or in pyproject.toml, is not valid; or another
            watched function of the same function has another value for it.
        TypeError, ValueError: What `jax.jit` raises for the same arguments.
    """
    own = {
        "max_keys": max_keys, "max_compiles": max_compiles, "on_excess": on_excess, "expect": expect,
        "warn_compiles": warn_compiles,
    }  # fmt: skip
    own = {name: value for name, value in own.items() if value is not None}
    valid = _faults.contain("reading the options", _are_valid, own, default=False)
    if not fun and options.keys() <= jit_option_names():
        return functools.partial(watched_jit, **own, **options)
    jitted = _jit(fun, options)
    if not valid:
        return jitted
    return _faults.contain("watching a function", _watched, jitted, options, own, default=jitted)


@overload
def watch(
    jitted: Callable[P, R], /, *, max_keys: int | None = ..., max_compiles: int | None = ...,
    on_excess: Action | None = ..., expect: Any = ..., warn_compiles: int | None = ...,
) -> WatchedFunction[P, R]: ...  # fmt: skip
@overload
def watch(
    *, max_keys: int | None = ..., max_compiles: int | None = ..., on_excess: Action | None = ..., expect: Any = ...,
    warn_compiles: int | None = ...,
) -> Callable[[Callable[P, R]], WatchedFunction[P, R]]: ...  # fmt: skip


def watch(
    *jitted: Any, max_keys: int | None = None, max_compiles: int | None = None, on_excess: Action | None = None,
    expect: Any = None, warn_compiles: int | None = None,
) -> Any:  # fmt: skip
    """Watch a function that is jitted already, with the options that it was jitted with.

    The result is a jitted function like the given one, which stays as it is: they share what was traced, lowered and
    compiled ahead, not JAX's dispatch cache. Of a function that is watched already, `watched_jit` or `watch` made it,
    the result is that function itself, with the options that are given here in the place of its own. With
    `JITWATCH_MODE=off` the result is the given function, on which the methods of a watched one are put.

    Args:
        jitted: What `jax.jit` returned. Left out, the result is a decorator.
        max_keys: As for `watched_jit`, and so are the others.
        max_compiles: As for `watched_jit`.
        on_excess: As for `watched_jit`.
        expect: As for `watched_jit`.
        warn_compiles: As for `watched_jit`.

    Raises:
        JitwatchError: It is no jitted function, or an option is not valid.
    """
    own = {
        "max_keys": max_keys, "max_compiles": max_compiles, "on_excess": on_excess, "expect": expect,
        "warn_compiles": warn_compiles,
    }  # fmt: skip
    own = {name: value for name, value in own.items() if value is not None}
    valid = _faults.contain("reading the options", _are_valid, own, default=False)
    if not jitted:
        return functools.partial(watch, **own)
    (function,) = jitted
    if is_watched(function):
        _faults.contain("watching a function", _ask, function, own, default=None)
        return function
    if not jax_internals.is_jitted(function):
        raise JitwatchError(
            f"{function!r} is no jitted function; watch() takes what jax.jit returned, and watched_jit() any function."
        )
    options: dict[str, Any] = {}
    jit_options = jax_internals.jit_options
    options = _faults.contain("reading the options", jit_options, function, jit_option_names(), default=options)
    plain = _faults.contain("watching a function", plain_of, function, default=function)
    return (
        _faults.contain("watching a function", _watched, plain, options, own, default=function) if valid else function
    )


def _are_valid(own: dict[str, Any]) -> bool:
    policy_of(**{name: value for name, value in own.items() if name != "expect"})
    return True


@functools.cache
def jit_option_names() -> frozenset[str]:
    """The keyword arguments of the installed `jax.jit`."""
    parameters = inspect.signature(jax_internals.plain_jit).parameters.values()
    return frozenset(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


def _jit(fun: tuple[Any, ...], options: dict[str, Any]) -> Any:
    try:
        if _faults.contain("reading the options", jax_internals.is_plain_use_of_jit, fun, options, default=True):
            return jax_internals.plain_jit(*fun, **options)
        return call_as(sys._getframe(2), jax_internals.plain_jit, *fun, **options)
    except TypeError as error:
        for name in options.keys() - jit_option_names():
            for near in difflib.get_close_matches(name, OWN_OPTIONS, 1):
                error.add_note(f"jitwatch: did you mean {near}?")
        raise


def _watched(jitted: Any, options: dict[str, Any], own: dict[str, Any]) -> Any:
    return with_methods(jitted) if _config.is_off() else watch_jitted(jitted, options, own)


def watch_jitted(jitted: Any, options: dict[str, Any], own: dict[str, Any]) -> Any:
    """The watched form of a jitted function.

    Args:
        jitted: What `jax.jit` returned.
        options: Of `jax.jit`.
        own: The options of jitwatch's own that were given.
    """
    begin()
    try:
        hash(weakref.ref(jax_internals.jitted_function(jitted)))
    except TypeError:  # JAX cannot cache it either, and says so when it is called
        return jitted
    make = hooked if jax_internals.exact_hook_available() else fallback.wrapped
    result, watch = make(jitted, options, policy_of())
    add_methods(result, watch, options, _rebuild)
    _ask(result, own)
    return result


def _ask(function: Any, own: dict[str, Any]) -> None:
    """Put options in force for a watched function, in the place of those that it had."""
    watch = methods_of(function).watch
    own = dict(own)
    if "expect" in own:
        own["expect"] = without_arrays(own["expect"], watch)
    asked = watch.asked | own
    if "expect" in own:
        asked["expect"] = declared_for(watch, own["expect"])
    policy = policy_of(**_agreed(watch, asked))
    check_excess(policy, asked)
    watch.asked = asked
    for each in watches_by_name(watch.record):
        each.policy = policy
    watch.record.ask(policy)
    function._jitwatch.add_options(own)


def _agreed(watch: Watch, asked: dict[str, Any]) -> dict[str, Any]:
    """The options of all that share a record with `watch`, which asks for these."""
    try:
        return agreed(watch.record.name, asked, _asked_of_others(watch))
    except JitwatchError:
        pass
    gc.collect()  # one that is gone may only wait for the cycle collector
    return agreed(watch.record.name, asked, _asked_of_others(watch))


def _asked_of_others(watch: Watch) -> list[dict[str, Any]]:
    return [other.asked for other in watches_by_name(watch.record) if other is not watch]


def _rebuild(token: str, fun: Any, options: dict[str, Any]) -> Any:
    """A watched function from its pickle: itself where it is of this process, else one like it."""
    return known_here(token) or watched_jit(fun, **options)
