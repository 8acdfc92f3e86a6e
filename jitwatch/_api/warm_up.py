"""Compiles declared calls ahead, so that real calls with their keys are hits."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np

from jitwatch._api.declared_calls import REAL, DeclaredFunction
from jitwatch._capture import jax_internals
from jitwatch._capture.events import frames
from jitwatch._capture.functions.call_site import caller
from jitwatch._capture.hook.watch import Watch
from jitwatch._capture.jax_internals import contexts
from jitwatch._capture.keys.key_maker import KeyMaker
from jitwatch._errors import JitwatchError, check_flags, repr_of
from jitwatch._policy.declared import (
    VALID_LEAVES,
    Entry,
    Spec,
    array_shape,
    check_paths,
    entries,
    entry_text,
    is_array_like,
    refuse_path,
    shape_of,
)

_UNSIZED = "None, for any size, is valid in `expect` only; a program is compiled for fixed sizes"


class _Call(NamedTuple):
    """One declared call with nothing left open but the data of its arrays."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    text: str


class Plan:
    """The declared calls of one warm-up, and how to run them."""

    def __init__(self, watch: Watch, specs: Entry | Iterable[Entry], like: Any) -> None:
        self._watch = watch
        self._caller = caller()
        self._donated = jax_internals.donated_arguments(watch.inner)
        calls = _Calls(watch, None if like is None else _example(like))
        self.calls = [calls.call(entry, where) for where, entry in entries(specs, "specs")]

    def compile_one_by_one(self, function: Any, done: Callable[[], None], *, run: bool) -> None:
        """Compile each call, by making it or without."""
        for number, call in enumerate(self.calls, 1):
            with self._named(number, call):
                if run:
                    self._make(function, call)
                else:
                    self._watch.compile_lowered(self._lowered(call), self._caller)
            done()

    def compile_in_threads(self, function: Any, done: Callable[[], None], *, run: bool, threads: int) -> None:
        """Trace and lower each call on this thread, whose settings are part of the key, and compile it on another."""
        pool = ThreadPoolExecutor(threads, thread_name_prefix="jitwatch-warm-up")
        waiting: deque[tuple[int, _Call, Future[None]]] = deque()

        def finish(at_most: int) -> None:
            while len(waiting) > at_most:
                number, call, compiled = waiting.popleft()
                with self._named(number, call):
                    compiled.result()
                    if run:
                        self._make(function, call)
                done()

        try:
            for number, call in enumerate(self.calls, 1):
                try:
                    with self._named(number, call):
                        lowered = self._lowered(call)
                except Exception:
                    finish(0)  # the calls before this one are under way
                    raise
                waiting.append((number, call, pool.submit(self._watch.compile_lowered, lowered, self._caller)))
                finish(2 * threads)  # lowered programs take memory
            finish(0)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an interrupt, XLA finishes what it is at by itself

    def _make(self, function: Any, call: _Call) -> None:
        args, kwargs = self._changed(call, lambda leaf, donated: _with_data(leaf, copy=donated))
        with frames.declaring():
            jax.block_until_ready(function(*args, **kwargs))

    def _lowered(self, call: _Call) -> Any:
        args, kwargs = self._changed(call, lambda leaf, _: leaf if isinstance(leaf, REAL) else _abstract(leaf))
        return self._watch.ahead("lower", tuple(args), kwargs)

    def _changed(
        self, call: _Call, change: Callable[[Any, bool], Any]
    ) -> tuple[list[Any], dict[str, Any]]:  # fmt: skip
        """The arguments with each traced leaf changed, given whether its argument is donated."""
        args, kwargs = list(call.args), dict(call.kwargs)
        for at in self._watch.key_maker.traced(call.args, call.kwargs):
            holder: Any = args if isinstance(at, int) else kwargs
            donated = at in self._donated
            holder[at] = jax.tree_util.tree_map(lambda leaf, donated=donated: change(leaf, donated), holder[at])
        return args, kwargs

    @contextmanager
    def _named(self, number: int, call: _Call) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(f"jitwatch: in the warm-up, spec {number} of {len(self.calls)}: {call.text}")
            raise


def warm_up(
    watch: Watch, function: Any, specs: Entry | Iterable[Entry], *, like: Any, threads: int, run: bool,
    progress: bool | None,
) -> int:  # fmt: skip
    """See `WatchedFunction.warm_up`."""
    if type(threads) is not int or threads < 1:
        raise JitwatchError(f"threads is {repr_of(threads)}; valid is a whole number from 1.")
    check_flags(run=run)
    if progress is not None:
        check_flags(progress=progress)
    plan = Plan(watch, specs, like)
    before = watch.record.stats().stages.compiles
    with _progress(watch.record.name, len(plan.calls), progress) as done:
        if threads == 1 or not _other_threads_help():
            plan.compile_one_by_one(function, done, run=run)
        else:
            plan.compile_in_threads(function, done, run=run, threads=threads)
    return watch.record.stats().stages.compiles - before


def _other_threads_help() -> bool:
    """Whether this thread's calls find what another one compiles.

    JAX 0.6.1 looks for it by the settings of the thread that compiled, so these must be the same; 0.10.2 and 0.12 keep
    it with the lowered program.
    """
    if jax.version.__version_info__ >= (0, 10, 2):
        return True
    with ThreadPoolExecutor(1) as pool:
        return bool(pool.submit(contexts.trace_context).result() == contexts.trace_context())


def _example(like: Any) -> Spec:
    example = Spec(like, {}) if type(like) is tuple else like
    if not isinstance(example, Spec):
        raise JitwatchError(
            f"like is of type {type(like).__qualname__}; valid are jitwatch.spec(...) and a tuple of the positional "
            "arguments."
        )
    if any(value is ... for value in (*example.args, *example.kwargs.values())):
        raise JitwatchError("like leaves an argument open with `...`; it must be a whole call.")
    return example


class _Calls:
    """Makes calls of declarations, with what these leave open taken from an example."""

    def __init__(self, watch: Watch, example: Spec | None) -> None:
        self._key_maker: KeyMaker = watch.key_maker
        self._function = DeclaredFunction(watch)
        self._example = example
        if example is not None:
            self._function.check(example.args, example.kwargs)
            positions = {self._key_maker.name(i): value for i, value in enumerate(example.args)}
            self._by_name = positions | example.kwargs

    def call(self, entry: Entry, where: str) -> _Call:
        """The call that an entry declares.

        Raises:
            JitwatchError: It does not fit the function or the example.
        """
        text = entry_text(entry)
        if isinstance(entry, Spec):
            args, kwargs = self._filled(entry, where)
        elif self._example is None:
            raise JitwatchError(f"{where}: {text} declares a part of a call only; give a whole example call by like=.")
        else:
            args, kwargs = self._replaced(self._example, entry, where)
        try:
            self._function.check(args, kwargs)
        except JitwatchError as error:
            raise JitwatchError(f"{where}: {error}") from None
        self._check_leaves(args, kwargs, where)
        return _Call(args, kwargs, text)

    def _check_leaves(self, args: Any, kwargs: dict[str, Any], where: str) -> None:
        traced = [args[at] if isinstance(at, int) else kwargs[at] for at in self._key_maker.traced(args, kwargs)]
        for leaf in jax.tree_util.tree_leaves(traced):
            if leaf is ...:
                raise JitwatchError(f"{where}: `...` stands for a whole argument, and this one is a part of one.")
            if is_array_like(leaf):
                try:
                    shape = array_shape(leaf)
                except JitwatchError as error:
                    raise JitwatchError(f"{where}: {error}") from None
                if None in shape:
                    raise JitwatchError(f"{where}: a shape is {leaf.shape}; {_UNSIZED}.")

    def _filled(self, entry: Spec, where: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A declared call with `...` as in the example."""

        def filled(name: str, value: Any) -> Any:
            if value is not ...:
                return value
            if self._example is None:
                raise JitwatchError(f"{where}: argument {name!r} is `...`; give an example call by like=.")
            if name not in self._by_name:
                raise JitwatchError(
                    f"{where}: argument {name!r} is `...`, and the call given by like= has no such one."
                )
            return self._by_name[name]

        args = tuple(filled(self._key_maker.name(i), value) for i, value in enumerate(entry.args))
        return args, {name: filled(name, value) for name, value in entry.kwargs.items()}

    def _replaced(self, example: Spec, entry: Any, where: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The example with what an entry declares at some paths."""
        check_paths(entry, where, self._function.parameters)
        args, kwargs = list(example.args), dict(example.kwargs)
        left_out = self._function.defaults - {self._key_maker.name(at) for at in range(len(args))}
        kwargs |= {name: entry[name] for name in entry if name in left_out - kwargs.keys()}
        traced = self._key_maker.traced(tuple(args), kwargs)
        arguments = iter(self._key_maker.call(tuple(args), kwargs).key.arguments)
        valid = []
        for at in (*range(len(args)), *kwargs):
            holder: Any = args if isinstance(at, int) else kwargs
            name = self._key_maker.name(at) if isinstance(at, int) else at
            if at not in traced:
                valid.append(name)
                holder[at] = entry.get(name, holder[at])
        for at in traced:
            holder = args if isinstance(at, int) else kwargs
            paths = next(arguments).paths
            valid += paths
            leaves, treedef = jax.tree_util.tree_flatten(holder[at])
            changed = [
                _as_declared(leaf, entry[path], f"{where}, {path!r}") if path in entry else leaf
                for path, leaf in zip(paths, leaves, strict=True)
            ]
            holder[at] = treedef.unflatten(changed)
        for path in entry.keys() - set(valid):
            refuse_path(path, where, valid)
        return tuple(args), kwargs


def _as_declared(leaf: Any, value: Any, where: str) -> Any:
    """What is declared for a leaf of the example; a shape alone leaves everything else as it is there."""
    if value is ...:
        return leaf
    shape = shape_of(value)
    if shape is None:
        if isinstance(value, REAL) or is_array_like(value):
            return value
        raise JitwatchError(f"{where} is declared as {repr_of(value):.60}; valid are {VALID_LEAVES}.")
    if None in shape:
        raise JitwatchError(f"{where} is declared as {repr_of(value)}; {_UNSIZED}.")
    if isinstance(leaf, (np.ndarray, np.generic)):
        return np.zeros(value, leaf.dtype)
    if is_array_like(leaf):
        committed = getattr(leaf, "committed", True)  # a shape in the place of an array has a sharding or has none
        sharding = getattr(leaf, "sharding", None) if committed else None
        return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding, weak_type=getattr(leaf, "weak_type", False))
    if shape:
        raise JitwatchError(
            f"{where} is declared with the shape {repr_of(value)}; the example has the number {repr_of(leaf)} there."
        )
    return leaf


def _abstract(leaf: Any) -> Any:
    """What stands for an array, in a form that JAX lowers."""
    if not is_array_like(leaf):
        return leaf
    dtype, weak = leaf.dtype, getattr(leaf, "weak_type", False)
    sharding = getattr(leaf, "sharding", None) or _sharding_here(tuple(leaf.shape))
    if not jax.dtypes.issubdtype(dtype, jax.dtypes.extended):
        dtype = jax.dtypes.canonicalize_dtype(dtype)
    return jax.ShapeDtypeStruct(leaf.shape, dtype, sharding=sharding, weak_type=weak)


def _sharding_here(shape: tuple[int, ...]) -> Any:
    """What arrays made here and now are committed to: the mesh of `jax.set_mesh`; None where there is none."""
    return None if jax.sharding.get_abstract_mesh().empty else jax.numpy.zeros(shape).sharding


def _with_data(leaf: Any, *, copy: bool) -> Any:
    """A leaf that JAX can be called with: zeros for what stands for an array, a copy of what would be donated."""
    if isinstance(leaf, jax.Array):
        return jax.device_put(leaf, may_alias=False) if copy else leaf
    return leaf if isinstance(leaf, REAL) or not is_array_like(leaf) else _zeros(_abstract(leaf))


def _zeros(leaf: jax.ShapeDtypeStruct) -> Any:
    """Zeros as `jax.numpy.zeros` makes them, or committed to the sharding; no program is compiled for them."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        keys = jax_internals.zero_keys(leaf.shape, leaf.dtype)
        return keys if leaf.sharding is None else jax.device_put(keys, leaf.sharding)
    array = jax.device_put(np.zeros(leaf.shape, leaf.dtype), leaf.sharding)
    return jax_internals.weakly_typed(array) if leaf.weak_type and leaf.dtype != bool else array


@contextmanager
def _progress(name: str, total: int, show: bool | None) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, and what moves it on by one."""
    if not (sys.stderr is not None and sys.stderr.isatty() if show is None else show):
        yield lambda: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from jitwatch._words.safe_text import clean

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"warm up {escape(clean(name, 60))}", total=total)
        yield lambda: bar.advance(task)
