"""The structs of cache keys: what JAX's dispatch cache compares for one call, as plain data; and the counts of a cache.

Part of the model, and to be imported from `_model`, as all of it.
"""

from __future__ import annotations

import itertools
from typing import Annotated, NamedTuple

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""The bounds hold for what is read from a file; msgspec checks them there."""
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class Static(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A value that JAX compares with `==` and bakes into the program: a static argument or part of a pytree."""

    type: str
    text: str
    token: int
    """Equal for values that JAX takes for equal, different for the others; means nothing in another process."""
    by_identity: bool
    """Whether the type leaves `==` as object identity, so that an equal-looking new object is another value."""
    parts: tuple[tuple[str, Static], ...] = ()
    """What a container or object is made of, by path from it: `.width`, `['k']`, `[0]`."""


class Leaf(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What JAX's dispatch cache sees of one array or number: its aval and its placement."""

    shape: tuple[Count, ...]
    dtype: str
    weak_type: bool
    source: str
    """`jax` (a `jax.Array`), `numpy` (array or scalar), `python` (a number) or `tracer`."""
    committed: bool
    sharding: str | None
    """None for values that are not on a device yet."""
    layout: str | None


class Tree(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One node of a pytree; a leaf is a node of kind `*`."""

    kind: str
    keys: tuple[str, ...] = ()
    """How each child is reached from this node: `['w']`, `[0]`, `.count`."""
    static: Static | None = None
    children: tuple[Tree, ...] = ()


class Argument(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One traced argument: its name in the signature, how it was passed, and its pytree."""

    name: str
    by_keyword: bool
    tree: Tree
    paths: tuple[str, ...]
    """Of each leaf, in JAX's order, as the user would write it: `params['w']`."""


class StaticArgument(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One static argument: its name in the signature, how it was passed, and its value."""

    name: str
    by_keyword: bool
    value: Static


class CacheKey(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A readable description of what JAX's dispatch cache compares for one call of a function."""

    arguments: tuple[Argument, ...]
    leaf_chunks: tuple[tuple[Leaf, ...], ...]
    """The leaves of all arguments in order, in chunks that keys with equal parts share, so that many stay small."""
    statics: tuple[StaticArgument, ...]
    omitted: tuple[str, ...]
    """Parameters left to their defaults: JAX bakes those into the program."""
    context: tuple[tuple[str, str], ...]
    """JAX's trace context by name: config values and context managers that changed since watching began."""
    transform: tuple[str, ...] = ()
    """Outermost last, of a call under `grad`, `vmap` or an outer trace: `vmap[8]` maps 8 at a time."""

    def __str__(self) -> str:
        leaves = itertools.chain.from_iterable(self.leaf_chunks)
        told = [f"{one.name} {_told(tuple(itertools.islice(leaves, len(one.paths))))}" for one in self.arguments]
        told += [f"{one.name}={one.value.text}" for one in self.statics]
        text = " ".join((*(f"{each}:" for each in self.transform), ", ".join(told) or "no arguments"))
        return "".join(character if character.isprintable() else "?" for character in text)

    def __repr__(self) -> str:
        return f"<key: {self}>"


def _told(leaves: tuple[Leaf, ...]) -> str:
    """The arrays of one argument in short."""
    if len(leaves) != 1:
        return f"{{{len(leaves)} leaves}}"
    return f"{leaves[0].dtype}[{','.join(map(str, leaves[0].shape))}]"


class CacheInfo(NamedTuple):
    """Counts of one watched function, in the order that `functools.lru_cache` made usual."""

    hits: int
    misses: int
    keys: int
    traces: int
    lowerings: int
    compiles: int
    loads: int
    dispatch_only: int
    nested: int
    failures: int
    reused: int = 0
