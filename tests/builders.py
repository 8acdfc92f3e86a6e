"""Records as literals with defaults, so that a test says only what it is about. Imports no JAX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from jitwatch._model import (
    EQUALITIES,
    Argument,
    Build,
    CacheKey,
    CallSite,
    Captured,
    FunctionStats,
    KeyStats,
    Leaf,
    Miss,
    Program,
    Snapshot,
    Stages,
    Static,
    StaticArgument,
    Tree,
)

CHUNK = 16
UNIX_S = 1_700_000_000.0


def leaf(shape: Sequence[int] = (), dtype: str = "float32", **changes: Any) -> Leaf:
    """An uncommitted `jax.Array` on the default device."""
    fields = {"weak_type": False, "source": "jax", "committed": False, "sharding": "cpu:0", "layout": None, **changes}
    return Leaf(shape=tuple(shape), dtype=dtype, **fields)


def static(value: object, **changes: Any) -> Static:
    """A static value that is compared by `==`."""
    fields = {"type": type(value).__name__, "text": repr(value), "token": hash(repr(value)), "by_identity": False}
    return Static(**{**fields, **changes})


def key(
    arguments: Mapping[str, Any] | None = None,
    *,
    statics: Mapping[str, Any] | None = None,
    by_keyword: Sequence[str] = (),
    omitted: Sequence[str] = (),
    context: Mapping[str, str] | None = None,
    transform: Sequence[str] = (),
) -> CacheKey:
    """A key from arguments as nested dicts, lists, tuples and None of leaves, and statics as plain values."""
    trees = {name: _tree(value, name) for name, value in (arguments or {}).items()}
    leaves = [one for _, _, found in trees.values() for one in found]
    return CacheKey(
        arguments=tuple(
            Argument(name=name, by_keyword=name in by_keyword, tree=tree, paths=paths)
            for name, (tree, paths, _) in trees.items()
        ),
        leaf_chunks=tuple(tuple(leaves[start : start + CHUNK]) for start in range(0, len(leaves), CHUNK)),
        statics=tuple(
            StaticArgument(name, name in by_keyword, value if isinstance(value, Static) else static(value))
            for name, value in (statics or {}).items()
        ),
        omitted=tuple(omitted),
        context=tuple((context or {}).items()),
        transform=tuple(transform),
    )


def captured(**values: object) -> tuple[Captured, ...]:
    """Numbers that a function brings along, by name."""
    return tuple(Captured(name, "number", repr(value)) for name, value in values.items())


def stages(compiles: int = 1, compile_s: float = 0.08, **changes: Any) -> Stages:
    """A trace, a lowering and a compile for each of so many compiles."""
    fields = {"traces": compiles, "lowerings": compiles, "trace_s": compile_s / 8, "lower_s": compile_s / 16}
    return Stages(compiles=compiles, compile_s=compile_s, **{**fields, **changes})


def call_sites(**misses: int) -> tuple[CallSite, ...]:
    """Call sites by line: `call_sites(train_88=20)` is 20 misses at `train.py:88`."""
    return tuple(CallSite(place=name.replace("_", ".py:"), misses=count, lost_s=0.0) for name, count in misses.items())


def key_stats(number: int = 1, of: CacheKey | None = None, **changes: Any) -> KeyStats:
    """One miss that compiled, and nine hits."""
    fields: dict[str, Any] = {
        "hits": 9,
        "misses": 1,
        "dispatch_only": 0,
        "nested": 0,
        "failures": 0,
        "stages": stages(),
        "first_unix_s": UNIX_S,
        "last_miss_unix_s": UNIX_S,
        "slow_path": False,
        "executable": number,
        "call_sites": call_sites(train_88=1),
    }
    return KeyStats(number=number, key=key({"x": leaf((8, number))}) if of is None else of, **{**fields, **changes})


def function_stats(name: str = "step", *, keys: Sequence[KeyStats] = (), **changes: Any) -> FunctionStats:
    """A function whose totals are those of its keys."""
    fields: dict[str, Any] = {
        "id": 1,
        "qualname": name,
        "defined_at": "train.py:41",
        "options": (),
        "helpers": Stages(),
        "aot": Stages(),
        "backward": Stages(),
        "keys": tuple(keys),
        "dropped_keys": 0,
        "call_sites": call_sites(train_88=len(keys)) if keys else (),
        "last_failure": None,
        "approximate": False,
        "hits_counted": True,
        "stages": _total(keys),
    }
    for count in ("hits", "misses", "dispatch_only", "nested", "failures"):
        fields[count] = sum(getattr(one, count) for one in keys)
    return FunctionStats(name=name, **{**fields, **changes})


def program(number: int = 1, *, same_up_to: str = "", of: Program | None = None, **changes: Any) -> Program:
    """A program of its own, or one that is the same as another up to a member of `EQUALITIES`."""
    names = ("identical", *EQUALITIES[2:-1])
    first = names.index(same_up_to) if same_up_to in names else len(names)
    steps = [f"{name} {number}" for name in names]
    if of is not None:
        steps[first:] = of.steps[first:]
    fields: dict[str, Any] = {"id": f"program {number}", "target": "cpu", "steps": tuple(steps), "size_bytes": 400}
    return Program(**{**fields, **changes})


def build(first: int = 1, program: str = "program 1", **changes: Any) -> Build:
    """One program, compiled once for the first key."""
    fields: dict[str, Any] = {"key": 1, "lost_s": 0.1, "call_site": "train.py:88"}
    return Build(first, program, **{**fields, **changes})


def failed_miss(**changes: Any) -> Miss:
    """A call that failed while it was traced, for a Python branch on a traced value."""
    fields: dict[str, Any] = {
        "number": 1,
        "function": 1,
        "key": 0,
        "kind": "call",
        "stages": Stages(traces=1, trace_s=0.01),
        "helpers": Stages(),
        "call_site": "train.py:88",
        "unix_s": UNIX_S,
        "thread": 1,
        "failed": "TracerBoolConversionError",
        "failed_at": "train.py:45",
        "failed_argument": "x",
        "slow_path": False,
        "context": (),
    }
    return Miss(**{**fields, **changes})


def other(name: str = "convert_element_type", place: str = "", **changes: Any) -> FunctionStats:
    """A program compiled for no watched function, from one line."""
    ran = stages(**changes)
    sites = (CallSite(place, ran.compiles, ran.trace_s + ran.lower_s + ran.compile_s + ran.load_s),) if place else ()
    return function_stats(name=name, defined_at="", keys=(), stages=ran, call_sites=sites)


def snapshot(*functions: FunctionStats, **changes: Any) -> Snapshot:
    """A snapshot of these functions, with nothing dropped."""
    fields: dict[str, Any] = {
        "others": (),
        "misses": (),
        "dropped_misses": 0,
        "dropped_functions": 0,
        "faults": 0,
        "unix_s": UNIX_S,
        "jax_version": "0.10.2",
        "python_version": "3.13.1",
    }
    return Snapshot(functions=functions, **{**fields, **changes})


def _total(keys: Sequence[KeyStats]) -> Stages:
    fields = Stages.__struct_fields__
    return Stages(**{field: sum(getattr(one.stages, field) for one in keys) for field in fields})


def _tree(value: Any, path: str) -> tuple[Tree, tuple[str, ...], list[Leaf]]:
    if isinstance(value, Leaf):
        return Tree("*"), (path,), [value]
    items = list(_children(value))
    trees = [_tree(child, path + step) for step, child in items]
    return (
        Tree(
            "None" if value is None else type(value).__name__,
            tuple(step for step, _ in items),
            None,
            tuple(tree for tree, _, _ in trees),
        ),
        tuple(path for _, paths, _ in trees for path in paths),
        [one for _, _, leaves in trees for one in leaves],
    )


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case None:
            return
        case dict():
            yield from ((f"[{name!r}]", value[name]) for name in sorted(value))
        case _:
            yield from ((f"[{index}]", child) for index, child in enumerate(value))


def model(*, keys: tuple[str, ...] = (".w",), kinds: tuple[str, ...] = ("*",), of: Static | None = None) -> CacheKey:
    """A key with one argument `model`: a node of class Net."""
    fields = {name: leaf((32, 8)) for name, kind in zip(keys, kinds, strict=True) if kind == "*"}
    argument = key({"model": fields}).arguments[0]
    tree = Tree("Net", keys, of, tuple(Tree(kind) for kind in kinds))
    argument = msgspec.structs.replace(argument, tree=tree, paths=tuple(f"model{name}" for name in fields))
    return msgspec.structs.replace(key({"model": fields}), arguments=(argument,))
