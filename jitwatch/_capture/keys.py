"""Computes the cache key of a call: a readable description of everything JAX's dispatch cache compares.

Runs on misses and on request only. Two calls get equal keys exactly if JAX's C++ takes their signatures for equal
(`jax_jit.h`, CallSignature); what it splits and flattens is taken from C++ itself.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from jitwatch._capture import jax_internals, static_parts, unwrap, unwrap_equinox
from jitwatch._capture.values import _PRIMITIVES, StaticTable, describe
from jitwatch._model import Argument, CacheKey, Leaf, Static, StaticArgument, Tree

T = TypeVar("T")
CHUNK = 32
_LEAF = Tree("*")
_WIDE = tuple(map(np.dtype, ("int64", "uint64", "float64", "complex128")))
_STATICS = StaticTable()
_intern: dict[Any, Any] = {}
MAX_INTERNED = 200_000


def interned(value: T) -> T:
    """The first object equal to `value`, so that keys share their equal parts."""
    if len(_intern) >= MAX_INTERNED:  # endless churn; only sharing is lost
        _intern.clear()
    known: T = _intern.setdefault(value, value)
    return known


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


class TreeInfo(NamedTuple):
    """A treedef in readable form."""

    tree: Tree
    paths: tuple[str, ...]
    """Relative to the argument."""
    prng_leaves: dict[int, str]
    """Index of each leaf that is a typed PRNG key, with its dtype."""


class KeyMaker:
    """Computes keys for the calls of one function."""

    def __init__(self, fun: Callable[..., Any], argnums: Sequence[int], argnames: Sequence[str]) -> None:
        self._argnums, self._argnames = argnums, argnames
        self._positional, self._variadic, self._defaults = _parameters(fun)
        self.unwrapper: unwrap_equinox.Unwrapper | None = None
        if unwrap_equinox.is_wrapper(fun):
            self.unwrapper = unwrap_equinox.Unwrapper(lambda *tree: _read_tree(*tree)[0].tree, _STATICS.static)

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The key of `fun(*args, **kwargs)` on this thread, now."""
        signature, leaves = jax_internals.split_arguments(args, kwargs, self._argnums, self._argnames)
        static_names, dynamic_names = tuple(signature.static_arg_names), tuple(signature.dynamic_arg_names)
        static_values, treedefs = tuple(signature.static_args), tuple(signature.dynamic_arg_treedefs)
        statics_at = {n % len(args) for n in self._argnums if -len(args) <= n < len(args)} if args else set()
        dynamic_at = [i for i in range(len(args)) if i not in statics_at]
        arguments = self._arguments(args, kwargs, treedefs, dynamic_at, dynamic_names)
        prng: dict[int, str] = {}
        start = 0
        for argument, info in arguments:
            prng |= {start + i: dtype for i, dtype in info.prng_leaves.items()}
            start += len(argument.paths)
        records = _leaves(leaves, prng)
        transform = _transform(leaves)
        shardings = [getattr(leaf, "sharding", None) if _is_array(leaf) else None for leaf in leaves]
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

    def _name(self, position: int) -> str:
        if position < len(self._positional):
            return self._positional[position]
        return f"{self._variadic}[{position - len(self._positional)}]"

    def _arguments(
        self, args: Any, kwargs: Any, treedefs: Any, positions: list[int], names: tuple[str, ...]
    ) -> list[tuple[Argument, TreeInfo]]:
        given = [(self._name(i), False, args[i]) for i in positions] + [(name, True, kwargs[name]) for name in names]
        result = []
        for (name, by_keyword, value), treedef in zip(given, treedefs, strict=True):
            info = self._tree(treedef, value)
            argument = Argument(name, by_keyword, info.tree, interned(tuple(name + path for path in info.paths)))
            result.append((interned(argument), info))
        return result

    @staticmethod
    def _tree(treedef: Any, value: Any) -> TreeInfo:
        known = _safe_trees.get(treedef)
        if known is None:
            known, safe = _read_tree(treedef, value)
            if safe and len(_safe_trees) < MAX_INTERNED:
                _safe_trees[treedef] = known
        return known

    def _statics(self, at: list[int], values: tuple[Any, ...], names: tuple[str, ...]) -> tuple[StaticArgument, ...]:
        how = [(self._name(i), False) for i in at] + [(name, True) for name in names]
        return tuple(
            interned(StaticArgument(name, by_keyword, _STATICS.static(value)))
            for (name, by_keyword), value in zip(how, values, strict=True)
        )

    def _omitted(self, given: int, kwargs: dict[str, Any]) -> tuple[str, ...]:
        passed = set(self._positional[:given])
        return tuple(name for name in self._defaults if name not in passed and name not in kwargs)


# Treedefs whose static parts are all names and numbers, so that keeping them keeps no object of the user's alive.
_safe_trees: dict[Any, TreeInfo] = {}


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


def _read_tree(treedef: Any, value: Any) -> tuple[TreeInfo, bool]:
    """A treedef in readable form, and whether it may be kept as a dict key."""
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(value)[0]]
    prng: dict[int, str] = {}
    safe = True
    renamed = False
    position = 0

    def read(node: Any, depth: int) -> Tree:
        nonlocal position, renamed, safe
        data = node.node_data()
        if data is None:
            position += 1
            return _LEAF
        kind, aux = data
        if kind is jax_internals.PRNGKeyArray:
            prng[position] = f"key<{jax_internals.prng_name(aux)}>"
            position += node.num_leaves
            return _LEAF
        if kind is type(None):
            return interned(Tree("None"))
        keys: list[str] = []
        children: list[Tree] = []
        nodes = node.children()
        for i, child in enumerate(nodes):
            path = paths[position] if position < len(paths) else ()
            keys.append(_child_key(kind, aux, i, len(nodes), path, depth, child))
            children.append(read(child, depth + 1))
        static, plain = _node_static(kind, aux, keys)
        safe = safe and plain
        tree = Tree(_kind_name(kind), tuple(keys), static, tuple(children))
        if kind in (dict, list, tuple):
            return interned(tree)
        shown = unwrap.renamed(kind, aux, tree, node)
        renamed = renamed or shown is not tree
        return interned(shown)

    tree = read(treedef, 0)
    texts = _leaf_paths(tree) if renamed else (jax.tree_util.keystr(path) for path in paths)
    return TreeInfo(tree, interned(tuple(texts)), prng), safe


def _leaf_paths(tree: Tree, path: str = "") -> Iterator[str]:
    if tree.kind == "*":
        yield path
    for key, child in zip(tree.keys, tree.children, strict=True):
        yield from _leaf_paths(child, path + key)


_kind_names: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()
_kinds_named: dict[str, int] = {}


def _kind_name(kind: type) -> str:
    """The class of a node; `Name#2` for a second class of the same name, which JAX takes for another structure."""
    name = _kind_names.get(kind)
    if name is None:
        number = _kinds_named[kind.__qualname__] = _kinds_named.get(kind.__qualname__, 0) + 1
        name = _kind_names[kind] = kind.__qualname__ if number == 1 else f"{kind.__qualname__}#{number}"
    return name


def _node_static(kind: type, aux: Any, keys: list[str]) -> tuple[Static | None, bool]:
    """The static part of one node, and whether it is made of names and numbers only."""
    if kind in (dict, list, tuple) or (aux is None and hasattr(kind, "_fields")):
        if kind is not dict or all(type(key) in _PRIMITIVES for key in aux):
            return None, True
        return _STATICS.part(tuple(aux), "dict"), False
    if aux is None:
        return None, True
    return _STATICS.part(aux, _kind_name(kind), lambda: unwrap.aux_parts(kind, aux, keys)), False


def _child_key(kind: type, aux: Any, i: int, count: int, path: Any, depth: int, child: Any) -> str:
    """How the user reaches child `i` of a node; `path` is that of the child's first leaf."""
    if kind is dict:
        return f"[{aux[i]!r}]" if type(aux[i]) in _PRIMITIVES else f"[{_STATICS.part(aux[i], 'dict key').text}]"
    if kind in (list, tuple):
        return f"[{i}]"
    if hasattr(kind, "_fields"):
        return f".{kind._fields[i]}"
    if child.num_leaves and depth < len(path):
        return str(jax.tree_util.keystr((path[depth],)))
    names = static_parts.child_names(kind, aux, count)
    return names[i] or f"[<child {i}>]"


def _leaves(values: list[Any], prng: dict[int, str]) -> list[Leaf]:
    shardings: dict[int, str] = {}
    return [_leaf(value, prng.get(i), shardings) for i, value in enumerate(values)]


def _leaf(value: Any, prng: str | None, shardings: dict[int, str]) -> Leaf:
    if type(value) is jax_internals.ArrayImpl:
        sharding = value.sharding
        text = shardings.get(id(sharding))
        if text is None:
            text = shardings[id(sharding)] = sharding_text(sharding)
        committed, layout = jax_internals.array_committed(value), jax_internals.array_layout(value)
        raw = (value.shape, value.dtype, value.weak_type, committed, text, layout, prng)
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
        arguments=tuple(interned(Argument(name, False, _LEAF, (name,))) for name in operands),
        leaf_chunks=(interned(tuple(_leaves(list(args), {}))),),
        statics=tuple(
            interned(StaticArgument(name, True, _STATICS.static(value))) for name, value in sorted(params.items())
        ),
        omitted=(),
        context=context_now(),
    )


def _is_array(value: Any) -> bool:
    return type(value) is jax_internals.ArrayImpl


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


_contexts: dict[Any, tuple[tuple[str, str], ...]] = {}
_initial_context: tuple[Any, ...] = ()


def remember_initial_context() -> None:
    """Take the settings of now as those that go without saying."""
    global _initial_context
    _initial_context = jax_internals.trace_context()


def context_now() -> tuple[tuple[str, str], ...]:
    """The settings on this thread that are part of a key, as far as they changed since watching began."""
    values = jax_internals.trace_context()
    known = _contexts.get(values)
    if known is None:
        if len(_contexts) >= 64:  # contexts can hold objects of the user's: keep few
            _contexts.clear()
        known = _contexts[values] = tuple(
            (name, _context_text(value))
            for name, value, initial in zip(jax_internals.context_names(), values, _initial_context, strict=False)
            if not (value is initial or value == initial)
        )
    return known


def _context_text(value: Any) -> str:
    if hasattr(value, "axis_names") and hasattr(value, "shape"):
        return mesh_text(value)
    return describe(value)
