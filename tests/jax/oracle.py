"""An independent judge of jitwatch's counts and keys: it shares nothing with jitwatch.

Whether a call missed, `sys.setprofile` says, which sees JAX's own `cache_miss` run; whether a body was traced, a
counter in the body; what was lowered and compiled, `jax.monitoring` listeners of its own; and which calls have one key,
a description of the call built from `jax.tree_util`, avals, shardings and the settings that the test itself made.
"""

from __future__ import annotations

import collections
import contextlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

_STAGES = {
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowerings",
    "/jax/core/compile/backend_compile_duration": "compiles",
}
COUNTS = ("hits", "misses", "dispatch_only", "nested", "failures")


class Bracket:
    """One call of a watched function while it runs."""

    def __init__(self, function: Function, nested: bool) -> None:
        self.function, self.nested = function, nested
        self.missed = False
        self.frame: Any = None
        self.ran: collections.Counter[str] = collections.Counter()


class Function(NamedTuple):
    """A watched function, and what the test knows of it."""

    watched: Any
    fun: Callable[..., Any]
    name: str
    statics: Callable[[int], tuple[set[int], set[str]]]
    """For a number of positional arguments, the positions and the names that are static."""
    number: int
    options: dict[str, Any]
    effects: bool = False


class _Thread(threading.local):
    def __init__(self) -> None:
        self.brackets: list[Bracket] = []
        self.tracing = 0
        self.settings: dict[str, Any] = {}
        self.looking, self.elsewhere = False, ""


class Oracle:
    """Counts what watched functions do between `watching()` and its end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._thread = _Thread()
        self.per_function: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.per_key: dict[tuple[int, Any], collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.by_name: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        self.aside: collections.Counter[str] = collections.Counter()
        """Stages of programs that are none of the watched functions' own: helpers and eager operations."""
        self.names: set[str] = set()
        self._known_keys: dict[int, list[tuple[Any, Any]]] = collections.defaultdict(list)
        self._served: dict[int, list[tuple[Any, int]]] = collections.defaultdict(list)
        self._stuck: dict[int, list[Any]] = collections.defaultdict(list)
        """Keys whose first call raised: JAX does not serve them from its dispatch cache until it is emptied."""
        self.cleared = 0

    # What the program under test reports.

    def body(self, fun: Callable[..., Any]) -> contextlib.AbstractContextManager[None]:
        """To be entered by the Python body of a watched function."""
        assert not self._thread.looking, "looking at a key ran the function again"
        if not jax.config.jax_disable_jit:
            bracket = next((b for b in reversed(self._thread.brackets) if b.function.fun is fun), None)
            with self._lock:
                self.by_name[fun.__name__]["traces"] += 1
            if bracket is not None:
                bracket.ran["traces"] += 1
        return self.under_trace(0 if jax.config.jax_disable_jit else 1)

    @contextlib.contextmanager
    def under_trace(self, change: int = 1) -> Iterator[None]:
        """While the test runs Python code under a trace or a transform of JAX."""
        self._thread.tracing += change
        try:
            yield
        finally:
            self._thread.tracing -= change

    @contextlib.contextmanager
    def setting(self, **values: Any) -> Iterator[None]:
        """While settings hold that are part of JAX's key; None is for the default."""
        before = self._thread.settings
        self._thread.settings = {name: value for name, value in (before | values).items() if value is not None}
        try:
            yield
        finally:
            self._thread.settings = before

    @contextlib.contextmanager
    def flag(self, **values: Any) -> Iterator[None]:
        """`looking`: jitwatch looks at a key. `elsewhere`: what compiles under this name is no watched function."""
        for name, value in values.items():
            setattr(self._thread, name, value)
        try:
            yield
        finally:
            self._thread.looking, self._thread.elsewhere = False, ""

    def clear(self) -> None:
        """JAX's caches were emptied: from here on a known key may miss."""
        with self._lock:
            self.cleared += 1

    def call(self, function: Function, /, *args: Any, **kwargs: Any) -> Any:
        """Call a watched function, and note what happened."""
        key, ours = self._keys(function, args, kwargs)
        number = function.number
        nested = self._under_trace(args, kwargs)
        bracket = Bracket(function, nested)
        self._thread.brackets.append(bracket)
        cleared, served = self.cleared, self._last_served(number, key)
        counted, failed = not jax.config.jax_disable_jit, False
        try:
            return function.watched(*args, **kwargs)
        except BaseException:
            failed = True
            raise
        finally:
            self._thread.brackets.pop()
            assert failed or ours is not None, "jitwatch has no key for a call that JAX served"
            if counted:
                self._count(bracket, number, ours, failed)
                if not nested and failed and served != cleared:
                    self._stuck[number].append(key)
                if not nested and not failed:
                    self._check_served(bracket, key, cleared, served)
                    self._served[number].append((key, cleared))

    def _under_trace(self, args: Any, kwargs: Any) -> bool:
        values = jax.tree.leaves((args, kwargs))
        return self._thread.tracing > 0 or any(isinstance(value, jax.core.Tracer) for value in values)

    # What the oracle makes of it.

    def _count(self, bracket: Bracket, number: int, ours: Any, failed: bool) -> None:
        ran = bracket.ran
        counts = collections.Counter(
            hits=not bracket.missed and not failed,
            misses=bracket.missed and not bracket.nested,
            nested=bracket.missed and bracket.nested,
            failures=bracket.missed and failed,
            dispatch_only=bracket.missed and not bracket.nested and not failed and not any(ran.values()),
        )
        with self._lock:
            self.per_function[number].update(counts)
            if ours is not None:
                self.per_key[number, ours].update(counts)
                self.per_key[number, ours].update(ran)

    def _last_served(self, number: int, key: Any) -> int | None:
        """How often the caches had been emptied when JAX last served the key; None if it never did."""
        with self._lock:
            return max((cleared for other, cleared in self._served[number] if _same(key, other)), default=None)

    def _check_served(self, bracket: Bracket, key: Any, cleared: int, served: int | None) -> None:
        """Check the oracle itself: JAX serves a call exactly if it served one of the same key before."""
        if not bracket.missed and threading.active_count() == 1:
            assert served is not None, f"the oracle's key is too fine: JAX served {key}"
        stuck = any(_same(key, other) for other in self._stuck[bracket.function.number])
        if served == cleared == self.cleared and not bracket.function.effects and not stuck:
            assert not bracket.missed, f"the oracle's key is too coarse: JAX did not serve {key}"

    def _keys(self, function: Function, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The oracle's key and jitwatch's; checks that they tell the same calls apart."""
        try:
            ours = function.watched.cache_key(*args, **kwargs)
        except Exception:  # a static argument is not hashable: JAX must raise as well
            return None, None
        key = full_key(function, args, kwargs, self._thread.settings)
        number = function.number
        if self._under_trace(args, kwargs):
            return key, ours
        with self._lock:
            pairs = self._known_keys[number]
            for other, other_ours in pairs:
                same = _same(key, other)
                assert same == (ours == other_ours), (
                    f"jitwatch takes for {'different' if same else 'equal'} what JAX does not:"
                    f"\n{key}\n{other}\n{ours}\n{other_ours}"
                )
                if same:
                    return key, ours
            pairs.append((key, ours))
            return key, ours

    # Where the evidence comes from.

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Listen on this thread; other threads of the program call `watching_thread` themselves."""
        global _listening
        _listening = self
        try:
            with self.watching_thread():
                yield
        finally:
            _listening = None

    @contextlib.contextmanager
    def watching_thread(self) -> Iterator[None]:
        """See each run of JAX's `cache_miss` on this thread."""
        before = sys.getprofile()
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _profile(self, frame: Any, event: str, result: Any) -> None:
        code = frame.f_code
        if code.co_name != "cache_miss" or event not in ("call", "return") or not code.co_filename.endswith("pjit.py"):
            return
        fun = inspect.unwrap(frame.f_locals["fun"])
        if getattr(fun, "__name__", None) not in self.names or hasattr(frame.f_locals["fun"], "lower"):
            return  # not watched; or a plain jit of a watched function, whose own misses are its own
        bracket = self._thread.brackets[-1] if self._thread.brackets else None
        if bracket is not None and bracket.function.fun is fun and bracket.frame in (None, frame):
            bracket.frame = frame if event == "call" else None
            bracket.missed = True
            return
        with self._lock:  # called by JAX itself, under a transform
            self.by_name[fun.__name__]["unbracketed"] += event == "call"
            self.by_name[fun.__name__]["unbracketed failures"] += event == "return" and result is None

    def on_stage(self, stage: str, name: str) -> None:
        """A program was lowered or compiled."""
        if self._thread.looking:
            return
        bracket = self._thread.brackets[-1] if self._thread.brackets else None
        with self._lock:
            if name not in self.names or name == self._thread.elsewhere:
                self.aside[stage] += 1
                return
            self.by_name[name][stage] += 1
        if bracket is not None and bracket.function.name == name:
            bracket.ran[stage] += 1


_listening: Oracle | None = None


def _on_duration(event: str, _: float, **details: Any) -> None:
    if _listening is not None and event in _STAGES:
        name = str(details.get("fun_name", ""))
        _listening.on_stage(_STAGES[event], name.removeprefix("jit(").removesuffix(")"))


jax.monitoring.register_event_duration_secs_listener(_on_duration)


def full_key(function: Function, args: Any, kwargs: Any, settings: dict[str, Any]) -> Any:
    """All that JAX's dispatch cache compares of one call, in values with `==`."""
    positions, names = function.statics(len(args))
    parts: list[Any] = [len(args)]
    x64 = settings.get("x64", False)
    for place, value in [*enumerate(args), *sorted(kwargs.items())]:
        if place in positions or place in names:
            parts.append((place, "static", type(value), _Value(value)))
        else:
            leaves, tree = jax.tree_util.tree_flatten(value)
            parts.append((place, "traced", tree, [_leaf(leaf, x64) for leaf in leaves]))
    return parts, settings


class _Value:
    """Compares as the value does, and shows it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.value)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other)


def _leaf(value: Any, x64: bool) -> Any:
    if isinstance(value, jax.core.Tracer):
        return ("tracer", value.shape, str(value.dtype), value.weak_type)
    if isinstance(value, jax.Array):
        typed = jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
        return (
            "array", value.shape, str(value.dtype), str(jax.random.key_impl(value)) if typed else value.weak_type,
            _sharding(value.sharding), value.committed, None if typed else _layout(value),
        )  # fmt: skip
    if isinstance(value, (np.ndarray, np.generic)):
        return ("host", value.shape, str(value.dtype if x64 else _narrow(value.dtype)), False)
    kind = next(kind for kind in (bool, int, float, complex) if isinstance(value, kind))
    wide = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}[kind]
    return ("host", (), wide if x64 else str(_narrow(np.dtype(wide))), True)


def _narrow(dtype: np.dtype[Any]) -> Any:
    narrow = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}
    return np.dtype(narrow[dtype.name]) if dtype.name in narrow else dtype


def _sharding(sharding: Any) -> Any:
    if isinstance(sharding, jax.sharding.NamedSharding):
        mesh = sharding.mesh
        ids = [device.id for device in mesh.devices.flat]
        return ("named", mesh.axis_names, mesh.devices.shape, ids, str(sharding.spec), sharding.memory_kind)
    assert isinstance(sharding, jax.sharding.SingleDeviceSharding), sharding
    return ("single", [device.id for device in sharding.device_set], sharding.memory_kind)


def _layout(array: Any) -> Any:
    """The order of axes in memory; JAX before 0.6.2 calls the format a layout."""
    form = array.format if hasattr(array, "format") else array.layout
    layout = form.layout if hasattr(form, "layout") else form.device_local_layout
    return None if layout is None else layout.major_to_minor
