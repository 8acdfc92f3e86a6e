"""Random programs of calls of watched functions: what they are made of, as data that hypothesis draws and shrinks."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

try:  # the names of JAX 0.6.2 and later
    from jax.experimental.layout import Format, Layout
except ImportError:
    from jax.experimental.layout import DeviceLocalLayout as Layout
    from jax.experimental.layout import Layout as Format

# What calls are made of. Values are made once, so that a program's own work is the calls alone.


class Pair(NamedTuple):
    first: Any
    second: Any


class _Node:
    """A pytree node with a static part, compared by `==`."""

    def __init__(self, static: Any, *children: Any) -> None:
        self.static, self.children = static, children


jax.tree_util.register_pytree_node(_Node, lambda n: (n.children, n.static), lambda s, c: _Node(s, *c))


@dataclasses.dataclass
class Settings:
    """Compares by value and is not hashable, which JAX allows in the static part of a node."""

    size: int


@dataclasses.dataclass(frozen=True)
class Config:
    size: int
    name: str = "a"


class Clash:
    """All have one hash."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Clash) and self.value == other.value


class Mode(enum.Enum):
    ON = 1
    OFF = 2


class Level(enum.IntEnum):
    ONE = 1


def double(x: Any) -> Any:
    return x * 2


def halve(x: Any) -> Any:
    return x / 2


def _f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def _placed(array: Any, sharding: Any) -> Any:
    return jax.device_put(array, sharding)


def _named(axis: str, *spec: Any, devices: int = 2) -> Any:
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), (axis,))
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*spec))


def _transposed(array: Any) -> Any:
    return jax.device_put(array, Format(Layout((1, 0)), jax.sharding.SingleDeviceSharding(jax.devices()[0])))


def _wide(value: Any) -> Any:
    with x64(True):
        return jax.device_put(value)


LEAVES: dict[str, Callable[[], Any]] = {
    "f32[4]": lambda: jax.device_put(_f32(4)),
    "f32[4] again": lambda: jax.device_put(_f32(4)),
    "f32[6]": lambda: jax.device_put(_f32(6)),
    "f32[2,4]": lambda: jax.device_put(_f32(2, 4)),
    "f32[0]": lambda: jax.device_put(_f32(0)),
    "i32[4]": lambda: jax.device_put(np.ones(4, np.int32)),
    "bf16[4]": lambda: jax.device_put(np.ones(4, jnp.bfloat16)),
    "c64[4]": lambda: jax.device_put(np.ones(4, np.complex64)),
    "bool[4]": lambda: jax.device_put(np.ones(4, bool)),
    "f64[4]": lambda: _wide(np.ones(4)),
    "f32[]": lambda: jax.device_put(np.float32(1)),
    "f32[] weak": lambda: jnp.asarray(1.0),
    "i32[] weak": lambda: jnp.asarray(1),
    "f32[4] committed": lambda: jax.device_put(_f32(4), jax.devices()[0]),
    "f32[4] on 1": lambda: jax.device_put(_f32(4), jax.devices()[1]),
    "f32[4] sharded": lambda: _placed(_f32(4), _named("x", "x")),
    "f32[4] sharded, equal mesh": lambda: _placed(_f32(4), _named("x", "x")),
    "f32[4] sharded, other axis": lambda: _placed(_f32(4), _named("y", "y")),
    "f32[4] replicated": lambda: _placed(_f32(4), _named("x")),
    "f32[4] replicated, P(None)": lambda: _placed(_f32(4), _named("x", None)),
    "f32[4] on all": lambda: _placed(_f32(4), _named("x", "x", devices=4)),
    "f32[2,4] transposed": lambda: _transposed(_f32(2, 4)),
    "np f32[4]": lambda: _f32(4),
    "np f64[4]": lambda: np.ones(4),
    "np i64[4]": lambda: np.ones(4, np.int64),
    "np f32[4] strided": lambda: _f32(8)[::2],
    "np f32[] array": lambda: np.array(1, np.float32),
    "np.float32": lambda: np.float32(1),
    "np.float64": lambda: np.float64(1),
    "np.int64": lambda: np.int64(1),
    "np.bool_": lambda: np.bool_(True),
    "True": lambda: True,
    "1": lambda: 1,
    "2": lambda: 2,
    "IntEnum": lambda: Level.ONE,
    "1.5": lambda: 1.5,
    "1j": lambda: 1j,
    "2**40": lambda: 2**40,
    "key": lambda: jax.random.key(0),
    "key 1": lambda: jax.random.key(1),
    "key rbg": lambda: jax.random.key(0, impl="rbg"),
    "keys[2]": lambda: jax.random.split(jax.random.key(0)),
    "PRNGKey": lambda: jax.random.PRNGKey(0),
}

# Made anew at each use, so that what JAX compares by value is not the same object.
STATICS: dict[str, Callable[[], Any]] = {
    "1": lambda: 1, "2": lambda: 2, "True": lambda: True, "1.0": lambda: 1.0, "0.0": lambda: 0.0,
    "-0.0": lambda: -0.0, "None": lambda: None, "'a'": lambda: "a", "(1,)": lambda: (1,), "(True,)": lambda: (True,),
    "(1, ('b', 2.0))": lambda: (1, ("b", 2.0)), "double": lambda: double, "halve": lambda: halve,
    "Config 1": lambda: Config(1), "Config 2": lambda: Config(2), "(Config 1,)": lambda: (Config(1),),
    "Clash 1": lambda: Clash(1), "Clash 2": lambda: Clash(2), "Mode.ON": lambda: Mode.ON, "Mode": lambda: Mode,
    "frozenset": lambda: frozenset({1, 2}), "partial": lambda: _PARTIAL, "[1]": lambda: [1],
}  # fmt: skip
_PARTIAL = functools.partial(double)

# Static parts of a pytree node: JAX asks for `==` only.
NODE_STATICS: dict[str, Callable[[], Any]] = {
    "None": lambda: None, "1": lambda: 1, "True": lambda: True, "'a'": lambda: "a", "[1]": lambda: [1],
    "[1.0]": lambda: [1.0], "{'a': [1]}": lambda: {"a": [1]}, "Settings 1": lambda: Settings(1),
    "Settings 2": lambda: Settings(2), "Config 1": lambda: Config(1), "Clash 1": lambda: Clash(1),
}  # fmt: skip
KEYS: tuple[Any, ...] = ("a", "b", 1, True, ("c", 1))


def x64(on: bool) -> contextlib.AbstractContextManager[Any]:
    """The context of wide types; public under different names."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(on)
    from jax.experimental import enable_x64

    return enable_x64(on)


def mesh_context(axis: str) -> contextlib.AbstractContextManager[Any]:
    """The context of a mesh; public under different names."""
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), (axis,))
    return jax.set_mesh(mesh) if hasattr(jax, "set_mesh") else jax.sharding.use_mesh(mesh)


def _metadata() -> contextlib.AbstractContextManager[Any]:
    from jax.experimental.xla_metadata import set_xla_metadata

    return set_xla_metadata(origin="test")


# Each with what it adds to the key: settings at their defaults, and those that JAX leaves out of the key, add nothing.
CONTEXTS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "x64": (lambda: x64(True), {"x64": True}),
    "matmul highest": (lambda: jax.default_matmul_precision("highest"), {"matmul": "highest"}),
    "matmul bfloat16": (lambda: jax.default_matmul_precision("bfloat16"), {"matmul": "bfloat16"}),
    "device 0": (lambda: jax.default_device(jax.devices()[0]), {"device": 0}),
    "device 1": (lambda: jax.default_device(jax.devices()[1]), {"device": 1}),
    "strict dtypes": (lambda: jax.numpy_dtype_promotion("strict"), {"dtypes": "strict"}),
    "standard dtypes": (lambda: jax.numpy_dtype_promotion("standard"), {"dtypes": None}),
    "no x64": (lambda: x64(False), {"x64": None}),
    "raise ranks": (lambda: jax.numpy_rank_promotion("raise"), {"ranks": "raise"}),
    "threefry": (lambda: jax.threefry_partitionable(False), {"threefry": False}),
    "rbg": (lambda: jax.default_prng_impl("rbg"), {}),
    "transfers": (lambda: jax.transfer_guard("allow"), {}),
    "scope": (lambda: jax.named_scope("scope"), {}),
    "mesh x": (lambda: mesh_context("x"), {"mesh": "x"}),
    "mesh y": (lambda: mesh_context("y"), {"mesh": "y"}),
    "metadata": (_metadata, {"metadata": True}),
}


@functools.cache
def leaf_value(name: str) -> Any:
    """The one value of that name in this process."""
    return LEAVES[name]()


# Descriptions: a tree is ("leaf", name) | ("none",) | (container, ((key, tree), ...)) | ("node", static, (tree, ...)).

_CONTAINERS = ("dict", "ordered", "list", "tuple")
leaves = st.sampled_from(sorted(LEAVES)).map(lambda name: ("leaf", name))
trees = st.recursive(
    leaves | st.just(("none",)),
    lambda inner: st.one_of(
        st.tuples(
            st.sampled_from(_CONTAINERS),
            st.lists(
                st.tuples(st.sampled_from(range(len(KEYS))), inner), max_size=3, unique_by=lambda child: child[0]
            ).map(tuple),
        ),
        st.tuples(st.just("pair"), st.tuples(inner, inner)),
        st.tuples(st.just("node"), st.sampled_from(sorted(NODE_STATICS)), st.lists(inner, max_size=2).map(tuple)),
    ),
    max_leaves=4,
)  # fmt: skip


def build_tree(tree: Any) -> Any:
    """The pytree that a description stands for; its containers are new objects."""
    kind = tree[0]
    if kind == "leaf":
        return leaf_value(tree[1])
    if kind == "none":
        return None
    if kind == "pair":
        return Pair(*map(build_tree, tree[1]))
    if kind == "node":
        return _Node(NODE_STATICS[tree[1]](), *map(build_tree, tree[2]))
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](build_tree(child) for _, child in tree[1])
    names = [str(KEYS[key]) if kind == "dict" else KEYS[key] for key, _ in tree[1]]
    values = [build_tree(child) for _, child in tree[1]]
    return {"dict": dict, "ordered": collections.OrderedDict}[kind](zip(names, values, strict=True))


class Call(NamedTuple):
    """One way of calling: the argument `x`, a second one, further ones, keywords in their order."""

    x: Any
    y: Any
    y_by: str
    """`omitted`, `position` or `keyword`."""
    y_static: str
    rest: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]


calls = st.builds(
    Call,
    x=trees,
    y=trees,
    y_by=st.sampled_from(["omitted", "position", "keyword"]),
    y_static=st.sampled_from(sorted(STATICS)),
    rest=st.just(()) | st.tuples(leaves),
    keywords=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["a", "b"]), leaves),
            st.tuples(st.just("n"), st.sampled_from(sorted(STATICS))),
        ),
        max_size=3, unique_by=lambda item: item[0],
    ).map(tuple),
)  # fmt: skip


@st.composite
def related_calls(draw: st.DrawFn) -> tuple[Call, ...]:
    """Some calls, most of which differ from another in one place only."""
    made = [draw(calls)]
    for _ in range(draw(st.integers(0, 3))):
        like = draw(st.sampled_from(made))
        part = draw(st.sampled_from(["x", "x", "y", "y_by", "y_static", "keywords", "all"]))
        other = draw(calls)
        if part in ("x", "y"):
            other = like._replace(**{part: _varied(getattr(like, part), draw)})
        elif part != "all":
            other = like._replace(**{part: getattr(other, part)})
        made.append(other)
    return tuple(made)


def _varied(tree: Any, draw: st.DrawFn) -> Any:
    """The tree with another leaf, static part or container at one place."""
    kind = tree[0]
    if kind in ("leaf", "none"):
        return draw(leaves)
    if kind == "node" and (not tree[2] or draw(st.booleans())):
        return ("node", draw(st.sampled_from(sorted(NODE_STATICS))), tree[2])
    children = list(tree[-1])
    if not children or (kind in _CONTAINERS and draw(st.integers(0, 3)) == 0):
        return (draw(st.sampled_from(_CONTAINERS)), tree[-1]) if kind in _CONTAINERS else tree
    at = draw(st.integers(0, len(children) - 1))
    if kind not in _CONTAINERS:
        children[at] = _varied(children[at], draw)
    elif draw(st.booleans()):
        children[at] = (children[at][0], _varied(children[at][1], draw))
    else:
        children[at] = (draw(st.sampled_from(range(len(KEYS)))), children[at][1])
    return (*tree[:-1], tuple(children))


KINDS = ("plain", "static name", "static position", "effects", "raising", "outer", "donating", "eager", "twin")
OPS = (
    *["call"] * 12, "grad", "vmap", "jit", "scan", "checkpoint", "direct jit", "direct vmap", "lower", "trace",
    "eval_shape", "look", "clear_cache", "clear_caches", "break", "disable_jit", "threads",
)  # fmt: skip


class Op(NamedTuple):
    """One step of a program; the numbers are taken modulo what there is."""

    kind: str
    function: int
    call: int
    contexts: tuple[str, ...]


class Program(NamedTuple):
    """What hypothesis draws."""

    functions: tuple[str, ...]
    calls: tuple[Call, ...]
    ops: tuple[Op, ...]


ops = st.builds(
    Op,
    kind=st.sampled_from(OPS),
    function=st.integers(0, 2),
    call=st.integers(0, 3),
    contexts=st.just(()) | st.lists(st.sampled_from(sorted(CONTEXTS)), max_size=2, unique=True).map(tuple),
)
programs = st.builds(
    Program,
    functions=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3).map(tuple),
    calls=related_calls(),
    ops=st.lists(ops, min_size=4, max_size=14).map(tuple),
)
