"""Computes the cache key of a call: a readable description of everything JAX's dispatch cache compares.

Runs on misses and on request only. Two calls get equal keys exactly if JAX's C++ takes their signatures for equal
(`jax_jit.h`, CallSignature); what it splits and flattens is taken from C++ itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jitwatch._capture import jax_internals
from jitwatch._capture.keys import equinox
from jitwatch._capture.keys.trees import LEAF, MAX_INTERNED, TreeInfo, interned, read_tree, tree_of
from jitwatch._capture.keys.trees import STATICS as _STATICS
from jitwatch._capture.keys.values import describe
from jitwatch._model import Argument, CacheKey, Leaf, StaticArgument

CHUNK = 32
_WIDE = tuple(map(np.dtype, ("int64", "uint64", "float64", "complex128")))


class Call(NamedTuple):
    """A key and what is needed to lower the same program again; the latter must not outlive JAX's own cache entry."""

    key: CacheKey
    under_trace: bool
    positional: int
    static_at: tuple[int, ...]
    static_values: tuple[Any, ...]
    static_names: tuple[str, ...]
    dynamic_names: tuple[str, ...]
    treedefs: tuple[Any, ...]
    shardings: Any
    """Of all leaves; one object where they have the same, which most calls do."""


class KeyMaker:
    """Computes keys for the calls of one function."""

    def __init__(self, fun: Callable[..., Any], argnums: Sequence[int], argnames: Sequence[str]) -> None:
        self._argnums, self._argnames = argnums, argnames
        self._positional, self._variadic, self._defaults = _parameters(fun)
        self.unwrapper: equinox.Unwrapper | None = None
        if equinox.is_wrapper(fun):
            self.unwrapper = equinox.Unwrapper(lambda *tree: read_tree(*tree)[0].tree, _STATICS.static)

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The key of `fun(*args, **kwargs)` on this thread, now."""
        signature, leaves = jax_internals.split_arguments(args, kwargs, self._argnums, self._argnames)
        static_names, dynamic_names = tuple(signature.static_arg_names), tuple(signature.dynamic_arg_names)
        static_values, treedefs = tuple(signature.static_args), tuple(signature.dynamic_arg_treedefs)
        statics_at = self.static_positions(len(args))
        dynamic_at = [i for i in range(len(args)) if i not in statics_at]
        arguments = self._arguments(args, kwargs, treedefs, dynamic_at, dynamic_names)
        prng: dict[int, str] = {}
        start = 0
        for argument, info in arguments:
            prng |= {start + i: dtype for i, dtype in info.prng_leaves.items()}
            start += len(argument.paths)
        records = _leaves(leaves, prng)
        transform = _transform(leaves)
        array_type = jax_internals.ArrayImpl
        shardings = [leaf.sharding if type(leaf) is array_type else None for leaf in leaves]
        same = all(sharding is shardings[0] for sharding in shardings)
        key = CacheKey(
            arguments=tuple(argument for argument, _ in arguments),
            leaf_chunks=tuple(interned(tuple(records[i : i + CHUNK])) for i in range(0, len(records), CHUNK)),
            statics=self._statics(sorted(statics_at), static_values, static_names),
            omitted=self._omitted(len(args), kwargs),
            context=context_now(),
            transform=transform,
        )
        if self.unwrapper is not None:
            key = self.unwrapper(key, args)
        under_trace = bool(transform) or not jax_internals.trace_state_clean()
        return Call(
            key, under_trace, len(args), tuple(sorted(statics_at)), static_values, static_names, dynamic_names,
            treedefs, (shardings[0] if shardings else None) if same else tuple(shardings),
        )  # fmt: skip

    def abstract_arguments(self, call: Call) -> tuple[list[Any], dict[str, Any]]:
        """Arguments without data that make JAX trace and lower the same program as those of `call`."""
        leaves = [leaf for chunk in call.key.leaf_chunks for leaf in chunk]
        shardings = call.shardings if isinstance(call.shardings, tuple) else (call.shardings,) * len(leaves)
        abstract = iter([_abstract(leaf, sharding) for leaf, sharding in zip(leaves, shardings, strict=True)])
        dynamic = iter([_unflatten(treedef, abstract) for treedef in call.treedefs])
        statics = iter(call.static_values)
        args = [next(statics) if i in call.static_at else next(dynamic) for i in range(call.positional)]
        return args, dict(zip(call.static_names, statics, strict=True)) | dict(
            zip(call.dynamic_names, dynamic, strict=True)
        )

    def static_positions(self, count: int) -> set[int]:
        """Of so many positional arguments, the static ones."""
        return {n % count for n in self._argnums if -count <= n < count} if count else set()

    def traced(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int | str]:
        """Positions and names of the traced arguments of a call."""
        static = self.static_positions(len(args))
        return [i for i in range(len(args)) if i not in static] + [
            name for name in kwargs if name not in self._argnames
        ]

    def leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The traced leaves of a call in the order of its key."""
        return jax_internals.split_arguments(args, kwargs, self._argnums, self._argnames)[1]

    def name(self, position: int) -> str:
        """What a positional argument is called."""
        if position < len(self._positional):
            return self._positional[position]
        return f"{self._variadic}[{position - len(self._positional)}]"

    def _arguments(
        self, args: Any, kwargs: Any, treedefs: Any, positions: list[int], names: tuple[str, ...]
    ) -> list[tuple[Argument, TreeInfo]]:
        given = [(self.name(i), False, args[i]) for i in positions] + [(name, True, kwargs[name]) for name in names]
        result = []
        for (name, by_keyword, value), treedef in zip(given, treedefs, strict=True):
            info = tree_of(treedef, value)
            argument = Argument(name, by_keyword, info.tree, interned(tuple(name + path for path in info.paths)))
            result.append((interned(argument), info))
        return result

    def _statics(self, at: list[int], values: tuple[Any, ...], names: tuple[str, ...]) -> tuple[StaticArgument, ...]:
        how = [(self.name(i), False) for i in at] + [(name, True) for name in names]
        return tuple(
            interned(StaticArgument(name, by_keyword, _STATICS.static(value)))
            for (name, by_keyword), value in zip(how, values, strict=True)
        )

    def _omitted(self, given: int, kwargs: dict[str, Any]) -> tuple[str, ...]:
        passed = set(self._positional[:given])
        return tuple(name for name in self._defaults if name not in passed and name not in kwargs)


def _parameters(fun: Callable[..., Any]) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Names of the positional parameters, of the variadic one, and of those with defaults."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):  # no signature: JAX numbers the arguments too
        return (), "args", ()
    kinds = inspect.Parameter
    positional = tuple(p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD))
    variadic = next((p.name for p in parameters if p.kind is kinds.VAR_POSITIONAL), "args")
    return positional, variadic, tuple(p.name for p in parameters if p.default is not kinds.empty)


def _leaves(values: list[Any], prng: dict[int, str]) -> list[Leaf]:
    shardings: dict[int, str] = {}
    return [_leaf(value, prng.get(i), shardings) for i, value in enumerate(values)]


def _leaf(value: Any, prng: str | None, shardings: dict[int, str]) -> Leaf:
    if type(value) is jax_internals.ArrayImpl:
        shape, dtype, weak, committed, sharding, layout = jax_internals.array_parts(value)
        text = shardings.get(id(sharding))
        if text is None:
            text = shardings[id(sharding)] = sharding_text(sharding)
        raw = (shape, dtype, weak, committed, text, layout, prng)
        return _known_leaves.get(raw) or _array_leaf(raw)
    if isinstance(value, jax.core.Tracer):
        aval = value.aval
        weak = bool(getattr(aval, "weak_type", False))
        shape, dtype = tuple(getattr(aval, "shape", ())), str(getattr(aval, "dtype", aval))
        return interned(Leaf(shape, dtype, weak, "tracer", False, None, None))
    try:
        shape, dtype, weak = jax_internals.value_signature(value)
    except Exception:  # not an array type; JAX raises its own error when it is called
        return interned(Leaf((), type(value).__qualname__, False, "python", False, None, None))
    return interned(Leaf(shape, _dtype_text(dtype), weak, "python" if weak else "numpy", False, None, None))


def key_of_primitive(args: tuple[Any, ...], params: dict[str, Any]) -> CacheKey:
    """The key of an eager operation: its operands, and its parameters as static arguments."""
    operands = tuple(f"args[{i}]" for i in range(len(args)))
    return CacheKey(
        arguments=tuple(interned(Argument(name, False, LEAF, (name,))) for name in operands),
        leaf_chunks=(interned(tuple(_leaves(list(args), {}))),),
        statics=tuple(
            interned(StaticArgument(name, True, _STATICS.static(value))) for name, value in sorted(params.items())
        ),
        omitted=(),
        context=context_now(),
    )


def _abstract(leaf: Leaf, sharding: Any) -> Any:
    if leaf.dtype.startswith("key<"):
        return jax_internals.key_data_like(leaf.dtype, leaf.shape)
    weak = leaf.weak_type and leaf.dtype != "bool"  # a Python bool has no weak aval, only a weak dispatch key
    dtype = np.dtype(leaf.dtype)
    if dtype in _WIDE and not jax.config.jax_enable_x64:  # without data, JAX would take it for its narrow kin
        return jax_internals.wide_array(leaf.shape, dtype, sharding)
    return jax.ShapeDtypeStruct(leaf.shape, dtype, sharding=sharding, weak_type=weak)


def _unflatten(treedef: Any, leaves: Iterator[Any]) -> Any:
    return treedef.unflatten([next(leaves) for _ in range(treedef.num_leaves)])


_known_leaves: dict[Any, Leaf] = {}


def _array_leaf(raw: Any) -> Leaf:
    shape, dtype, weak, committed, sharding, layout, prng = raw
    if prng is not None:  # JAX sees the key's data, the user sees the key
        shape, dtype = shape[: len(shape) - 1], prng
    leaf: Leaf = interned(
        Leaf(tuple(shape), _dtype_text(dtype), weak, "jax", committed, sharding, str(layout) if layout else None)
    )
    if len(_known_leaves) >= MAX_INTERNED:
        _known_leaves.clear()
    _known_leaves[raw] = leaf
    return leaf


@functools.lru_cache(maxsize=1024)
def _dtype_text(dtype: Any) -> str:
    return str(dtype)


@functools.lru_cache(maxsize=4096)
def sharding_text(sharding: Any) -> str:
    """A sharding as text that differs exactly where JAX tells two shardings apart."""
    kind = type(sharding).__name__
    memory = f", memory={sharding.memory_kind}" if sharding.memory_kind is not None else ""
    if isinstance(sharding, jax.sharding.SingleDeviceSharding):
        (device,) = sharding.device_set
        return f"{device}{memory}"
    if isinstance(sharding, jax.sharding.NamedSharding):
        return f"NamedSharding({mesh_text(sharding.mesh)}, {sharding.spec}{memory})"
    devices = ",".join(str(device.id) for device in sorted(sharding.device_set, key=lambda device: device.id))
    return f"{kind}({describe(sharding)}, devices [{devices}]{memory})"


def mesh_text(mesh: Any) -> str:
    """Axis names, sizes and types of a mesh, and its devices in order."""
    axes = ", ".join(f"{name!r}: {size}" for name, size in mesh.shape.items())
    types = getattr(mesh, "axis_types", None)
    ids = f" devices {[device.id for device in mesh.devices.flat]}" if isinstance(mesh, jax.sharding.Mesh) else ""
    named_types = "" if not types else " " + ",".join(getattr(kind, "name", str(kind)) for kind in types)
    return f"mesh({axes}{named_types}{ids})"


def _transform(leaves: list[Any]) -> tuple[str, ...]:
    """The kinds of tracer among the leaves, innermost value last: `('JVPTracer', 'DynamicJaxprTracer')`."""
    kinds: dict[str, None] = {}
    for leaf in leaves:
        while isinstance(leaf, jax.core.Tracer):
            kinds[type(leaf).__name__] = None
            leaf = jax_internals.tracer_value(leaf)
    return tuple(kinds)


_CONTEXT_NAMES = {
    "mesh_context_manager": "mesh (mesh_context_manager)",
    "abstract_mesh_context_manager": "abstract mesh (abstract_mesh_context_manager)",
    "compute_on_context_manager": "compute_on (compute_on_context_manager)",
    "xla_metadata_context_manager": "xla_metadata (xla_metadata_context_manager)",
    "axis_env_state": "axis names (axis_env_state)",
}
"""What users call the entries of JAX's trace context that are no config values, with JAX's own name."""
_contexts: dict[Any, tuple[tuple[str, str], ...]] = {}
_initial_context: tuple[Any, ...] = ()


def remember_initial_context() -> None:
    """Take the settings of now as those that go without saying."""
    global _initial_context
    _initial_context = jax_internals.trace_context()


def x64_at_start() -> bool:
    """Whether 64-bit types were on when watching began."""
    return bool(dict(zip(jax_internals.context_names(), _initial_context, strict=False)).get("jax_enable_x64"))


def context_now() -> tuple[tuple[str, str], ...]:
    """The settings on this thread that are part of a key, as far as they changed since watching began."""
    values = jax_internals.trace_context()
    known = _contexts.get(values)
    if known is None:
        if len(_contexts) >= 64:  # contexts can hold objects of the user's: keep few
            _contexts.clear()
        known = _contexts[values] = tuple(
            (_CONTEXT_NAMES.get(name, name), _context_text(value))
            for name, value, initial in zip(jax_internals.context_names(), values, _initial_context, strict=False)
            if not (value is initial or value == initial)
        )
    return known


def _context_text(value: Any) -> str:
    if hasattr(value, "axis_names") and hasattr(value, "shape"):
        return mesh_text(value)
    return describe(value)
