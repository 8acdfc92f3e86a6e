"""`watched_jit`, the drop-in for `jax.jit`, and the methods that a watched function has on top."""

from __future__ import annotations

import atexit
import copyreg
import functools
import inspect
import os
import sys
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar, overload

import jax
import msgspec

import jitwatch
from jitwatch import _config, _faults
from jitwatch._api.declared_calls import declared_for
from jitwatch._api.key_views import KeyView, diff_keys, key_views
from jitwatch._capture import jax_internals
from jitwatch._capture.events import stages
from jitwatch._capture.hook import fallback
from jitwatch._capture.hook.watch import Watch, hooked, plain_of
from jitwatch._capture.keys import key_maker
from jitwatch._errors import JitwatchError
from jitwatch._explain.programs import steps_of
from jitwatch._judge.judge import is_stuck, judge_function
from jitwatch._model import CacheInfo, CacheKey, Finding, FunctionStats
from jitwatch._policy import progress
from jitwatch._policy.churn import Policy, policy_of
from jitwatch._policy.declared import Entry
from jitwatch._policy.say import Action, honour_warning_options
from jitwatch._record.recorder import RECORDER

P = ParamSpec("P")
R = TypeVar("R")
_FUNCTIONS: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


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

    def cache_report(self, *, color: bool | None = None, width: int | None = None) -> str:
        """This function's cache as text."""

    def cache_keys(self) -> list[KeyView]:
        """The known keys with their counts, oldest first, and a way to look at the program of each."""

    def cache_key(self, *args: P.args, **kwargs: P.kwargs) -> CacheKey:
        """The key of a call with these arguments, without calling."""

    def diff_keys(self, first: int, second: int) -> str:
        """Two keys by number, side by side, and the difference of their programs."""

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
def watched_jit(fun: Callable[P, R], /, **options: Any) -> WatchedFunction[P, R]: ...
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
    in the same way. Each hit costs some 150 to 200 ns more. With `JITWATCH_MODE=off` it is the plain `jax.jit` object.

    Args:
        fun: The function; an already jitted one keeps its own options. Left out, the result is a decorator.
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
        JitwatchError: One of these, or an option in the environment or in pyproject.toml, is not valid.
        TypeError, ValueError: What `jax.jit` raises for the same arguments.
    """
    own = {
        "max_keys": max_keys, "max_compiles": max_compiles, "on_excess": on_excess, "expect": expect,
        "warn_compiles": warn_compiles,
    }  # fmt: skip
    policy = _faults.contain("reading the options", _policy, own, default=None)
    if not fun and options.keys() <= jit_option_names():
        return functools.partial(watched_jit, **own, **options)
    known = _faults.contain("reading the options", _known_options, fun, options, default=None)
    jitted, options = (_jit(fun, options), options) if known is None else (fun[0], known)
    if policy is None or _config.option("mode") == "off":
        return jitted
    return _faults.contain("watching a function", watch_jitted, jitted, options, policy, own, default=jitted)


def _policy(own: dict[str, Any]) -> Policy:
    return policy_of(**{name: value for name, value in own.items() if name != "expect"})


def _known_options(fun: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any] | None:
    """The options of a function that is jitted already, to which none are added; None for any other."""
    if len(fun) != 1 or options or not jax_internals.is_jitted(fun[0]):
        return None
    return jax_internals.jit_options(fun[0], jit_option_names())


@functools.cache
def jit_option_names() -> frozenset[str]:
    """The keyword arguments of the installed `jax.jit`."""
    parameters = inspect.signature(jax_internals.plain_jit).parameters.values()
    return frozenset(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


def _jit(fun: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if len(fun) == 1 and not options.keys() & {"device", "backend"}:
        return jax_internals.plain_jit(*fun, **options)
    with warnings.catch_warnings(record=True) as caught:  # deprecated; JAX blames its caller, and means the user
        warnings.simplefilter("always")
        jitted = jax_internals.plain_jit(*fun, **options)
    for warning in caught:
        warnings.warn(warning.message, stacklevel=3)
    return jitted


def watch_jitted(jitted: Any, options: dict[str, Any], policy: Policy, own: dict[str, Any]) -> Any:
    """The watched form of a jitted function; the same object if it is watched already.

    Args:
        jitted: What `jax.jit` returned.
        options: Of `jax.jit`.
        policy: Made from `own` and the settings.
        own: The options of jitwatch's own that were given.
    """
    if is_watched(jitted):
        return jitted
    begin()
    try:
        hash(weakref.ref(jax_internals.jitted_function(jitted)))
    except TypeError:  # JAX cannot cache it either, and says so when it is called
        return jitted
    if jax_internals.exact_hook_available():
        result, watch = hooked(jitted, options, policy)
    else:
        result, watch = fallback.wrapped(jitted, options, policy)
    if own.get("expect") is not None:
        watch.record.policy = msgspec.structs.replace(policy, expect=declared_for(watch, own["expect"]))
    _add_methods(result, watch, options, own)
    return result


def watch_plainly(jitted: Any, options: dict[str, Any], policy: Policy, *, count_hits: bool) -> Any:
    """The hooked form of a jitted function without methods on top, or itself where this JAX has no exact hook."""
    if is_watched(jitted) or plain_of(jitted) is not jitted or not jax_internals.exact_hook_available():
        return jitted
    begin()
    try:
        return hooked(jitted, options, policy, count_hits=count_hits)[0]
    except TypeError:  # no weak reference to the function: JAX cannot cache it either, and says so when it is called
        return jitted


@functools.cache
def begin() -> None:
    """What happens once, before the first function is watched."""
    progress.decide()
    RECORDER.jax_version = jax.__version__
    jax_internals.exclude_from_tracebacks(os.path.dirname(jitwatch.__file__))
    key_maker.remember_initial_context()
    RECORDER.programs.steps_of = steps_of
    stages.listen()
    honour_warning_options()
    atexit.register(RECORDER.keep_stale)  # registered after JAX's own, so it runs before JAX clears its caches
    copyreg.pickle(jax_internals.PjitFunction, _reduce)


_OWN = ("cache_info", "cache_stats", "cache_report", "cache_keys", "cache_key", "diff_keys", "check", "heal", "warm_up")


def _add_methods(function: Any, watch: Watch, options: dict[str, Any], own: dict[str, Any]) -> None:
    """Put jitwatch's methods on the function object, and JAX's own with their stages attributed."""
    methods = _Methods(watch, weakref.ref(function))
    for name in _OWN:
        setattr(function, name, getattr(methods, name))
    function._jitwatch = _Recipe(function, watch.fun, options | own)
    function.__dict__ = _OwnAttributes(function.__dict__)
    for name in ("lower", "trace", "eval_shape"):
        setattr(function, name, _ahead(watch, name))


class _OwnAttributes(dict[str, Any]):
    """Attributes of a watched function, some of which must not go with the others into a wrapper.

    `functools.wraps` and `jax.jit` copy the attributes of the function that they wrap by `dict.update`. With `lower`
    among them, `lower` of the wrapper would lower the wrapped function.
    """

    hidden = ("lower", "trace", "eval_shape", "_fun", "_jitwatch")

    def __iter__(self) -> Iterator[str]:  # without it `dict.update` copies in C
        return (name for name in super().__iter__() if name not in self.hidden)

    def keys(self) -> Any:
        """The names that a wrapper may copy."""
        return list(self)


class _Methods:
    """The methods of one watched function; bound, they go with it into any wrapper that copies its attributes."""

    def __init__(self, watch: Watch, function: Callable[[], Any]) -> None:
        self._watch, self._function = watch, function

    def cache_info(self) -> CacheInfo:
        """Counts since the start or the last `jitwatch.reset()`."""
        stats = self._watch.record.stats()
        ran = stats.stages
        return CacheInfo(
            stats.hits, stats.misses, len(stats.keys), ran.traces, ran.lowerings, ran.compiles, ran.loads,
            stats.dispatch_only, stats.nested, stats.failures,
        )  # fmt: skip

    def cache_stats(self) -> FunctionStats:
        """Everything recorded of this function, as plain data."""
        return self._watch.record.stats()

    def cache_report(self, *, color: bool | None = None, width: int | None = None) -> str:
        """This function's cache as text."""
        from jitwatch._report.recording.text import render_function

        misses = RECORDER.misses_of(self._watch.record.id)
        return render_function(self.cache_stats(), misses, color=bool(color), width=width)

    def cache_keys(self) -> list[KeyView]:
        """The known keys with their counts, oldest first, and a way to look at the program of each."""
        return key_views(self._watch)

    def cache_key(self, /, *args: Any, **kwargs: Any) -> CacheKey:
        """The key of a call with these arguments, without calling."""
        return self._watch.key_maker.call(args, kwargs).key

    def diff_keys(self, first: int, second: int) -> str:
        """Two keys by number, side by side, and the difference of their programs."""
        return diff_keys(self.cache_keys(), first, second)

    def check(self) -> list[Finding]:
        """What is wrong with this function's recompilations, and with outside values that its programs keep."""
        return judge_function(self.cache_stats())

    def heal(self) -> int:
        """Put keys that are stuck on JAX's slow path back on the fast one, without compiling; how many there were."""
        stuck = [key for key in self._watch.record.stats().keys if is_stuck(key)]
        self._watch.heal()
        return len(stuck)

    def warm_up(
        self, /, specs: Entry | Iterable[Entry], *, like: Any = None, threads: int = 1, run: bool = True,
        progress: bool | None = None,
    ) -> int:  # fmt: skip
        """Compile declared calls ahead, and make each once; see `jitwatch.WatchedFunction.warm_up`."""
        from jitwatch._api.warm_up import warm_up

        return warm_up(
            self._watch, self._function(), specs, like=like, threads=threads, run=run, progress=progress
        )  # fmt: skip

    def __reduce__(self) -> Any:
        function = self._function()
        if function is None:
            raise JitwatchError("the watched function of these methods no longer exists")
        return (_methods_of, (function,))


def _methods_of(function: Any) -> Any:
    return function.cache_info.__self__


def _ahead(watch: Watch, name: str) -> Any:
    """JAX's `lower`, `trace` or `eval_shape` of one watched function."""

    def ahead(*args: Any, **kwargs: Any) -> Any:
        return watch.ahead(name, args, kwargs)

    ahead.__name__ = ahead.__qualname__ = name
    ahead.__doc__ = getattr(jax_internals.PjitFunction, name).__doc__
    return jax_internals.api_boundary(ahead)


class _Recipe:
    """How to get a watched function back from a pickle or a copy: itself here, one like it in another process."""

    def __init__(self, function: Any, fun: Any, options: dict[str, Any]) -> None:
        self._function = weakref.ref(function)
        self._arguments = (fun, options)
        self._token = uuid.uuid4().hex
        _FUNCTIONS[self._token] = function

    def is_for(self, function: Any) -> bool:
        """Whether this recipe is the function's own, not one copied with the attributes of another."""
        return self._function() is function

    def reduce(self) -> Any:
        """By name where the name leads back to the function, as for any Python function; else by its parts."""
        function = self._function()
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
        by_name = _lookup(module, name) is function and not (module == "__main__" and _pickles_by_value())
        return name if by_name else (_rebuild, (self._token, *self._arguments))


def is_watched(function: Any) -> bool:
    """Whether a function is itself what `watched_jit` returned, not something that copied its attributes."""
    recipe = getattr(function, "_jitwatch", None)
    return isinstance(recipe, _Recipe) and recipe.is_for(function)


def _reduce(function: Any) -> Any:
    """How pickle and copy take a PjitFunction apart: one that is not watched as without jitwatch."""
    return function._jitwatch.reduce() if is_watched(function) else object.__reduce_ex__(plain_of(function), 4)


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


def _rebuild(token: str, fun: Any, options: dict[str, Any]) -> Any:
    return _FUNCTIONS.get(token) or watched_jit(fun, **options)
