"""Finds the earlier key that a key differs from least, among ten thousand keys of a thousand leaves in milliseconds.

A key is taken apart into named parts: each leaf by path, each inner node of a pytree by path, each static argument, the
form of each argument, each omitted default and setting. The distance of two keys is the number of parts that differ or
that only one has. Values of parts become numbers, a key a row of them; rows are cut into blocks that keys share, so
that each distinct block is compared once, by NumPy. Pure: no JAX, no I/O.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from jitwatch._explain.key_changes import first_changes
from jitwatch._model import Argument, CacheKey, Leaf, StaticArgument, Tree
from jitwatch._words.part_text import transform_kinds

_TIES = 8
"""Keys that differ in as few parts of which the changes are counted, the most recent ones."""
_BLOCK = 32
_BLOCK_BYTES = 4 * _BLOCK
_MAX_NARROW = 2**16 - 1
_MAX_LAYOUTS, _MAX_NODES, _MAX_CHUNKS = 64, 100_000, 10_000
_A = TypeVar("_A", Argument, StaticArgument)
_K = TypeVar("_K")
_V = TypeVar("_V")
_Numbers = npt.NDArray[np.int32]
_NodePlace = tuple[int, str, Tree]


class History:
    """The earlier keys of one function, indexed."""

    def __init__(self) -> None:
        self._keys: dict[CacheKey, int] = {}
        self._indexes: dict[tuple[str, ...], _Index] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, number: int, key: CacheKey) -> None:
        """Take in a key by its number; a key added later is more recent."""
        self._keys.pop(key, None)
        self._keys[key] = number
        self._indexes.setdefault(transform_kinds(key.transform), _Index()).add(number, key)

    def nearest(self, key: CacheKey) -> tuple[int, CacheKey] | None:
        """Give the key with the fewest differing parts, of several that with the fewest changes, or the most recent.

        None where no key ran under the same transforms, whatever they map: under others, nothing of a program is
        shared. What needs no new trace (NumPy or `jax.Array`, on which device an uncommitted array lies) is not
        counted.

        Cost:
            0.2 ms for a thousand leaves and few keys, some milliseconds for ten thousand keys.
        """
        if key in self._keys:
            return self._keys[key], key
        index = self._indexes.get(transform_kinds(key.transform))
        return None if index is None else index.nearest(key)

    def latest(self) -> tuple[int, CacheKey] | None:
        """Give the key that was added last, whatever it ran under."""
        for key, number in reversed(self._keys.items()):
            return number, key
        return None


class _Layout(NamedTuple):
    """Where the parts of one argument stand in a row, and the values of those that are no leaves."""

    leaves: _Numbers
    others: _Numbers
    values: _Numbers


class _Node(NamedTuple):
    """An inner node of a pytree."""

    place: int
    value: int
    inner: list[_NodePlace]


class _Index:
    """The keys of one function under one transform. Keys are taken apart when there is first something to compare."""

    def __init__(self) -> None:
        self._pending: list[tuple[int, CacheKey]] = []
        self._keys: list[tuple[int, CacheKey]] = []
        self._places: dict[Hashable, int] = {}
        self._values: dict[Hashable, int] = {}
        self._chunks: dict[tuple[Leaf, ...], _Numbers] = {}
        self._leaves: dict[tuple[int, tuple[str, ...]], _Numbers] = {}
        self._nodes: dict[_NodePlace, _Node] = {}
        self._layouts: dict[tuple[Argument, int], _Layout] = {}
        self._blocks: list[_Block] = []
        self._last: tuple[CacheKey, _Numbers] | None = None

    def add(self, number: int, key: CacheKey) -> None:
        self._pending.append((number, key))

    def nearest(self, key: CacheKey) -> tuple[int, CacheKey]:
        for number, earlier in self._pending:
            self._index(number, earlier)
        self._pending.clear()
        row = self._row(key)
        self._last = key, row
        distances = np.zeros(len(self._keys), np.int32)
        for index, block in enumerate(self._blocks):
            if block.varies:  # else it is as far from one key as from another
                block.add_distances(_part(row, index), distances)
        nearest: list[tuple[int, CacheKey]] = [
            self._keys[int(index)] for index in np.flatnonzero(distances == distances.min())[-_TIES:]
        ]
        if len(nearest) == 1:
            return nearest[0]
        # Of as many parts, the fewest changes: `f16[3]` is nearer to `f32[3]` than to `f32[4]`.
        fewest, found = 2**31, nearest[-1]
        for one in reversed(nearest):
            count = first_changes(one[1], key, 0)[1]
            if count < fewest:
                fewest, found = count, one
            if fewest <= 1:  # no two keys differ in less
                break
        return found

    def _index(self, number: int, key: CacheKey) -> None:
        row = self._last[1] if self._last and self._last[0] is key else self._row(key)
        while len(self._blocks) * _BLOCK < len(row):
            self._blocks.append(_Block(len(self._keys)))
        contents = row.tobytes()
        for index, block in enumerate(self._blocks):
            block.append(contents[index * _BLOCK_BYTES : (index + 1) * _BLOCK_BYTES])
        self._keys.append((number, key))

    def _row(self, key: CacheKey) -> _Numbers:
        """The numbers of the values of all parts, each at the place of its part; 0 for parts that the key lacks."""
        layouts = [self._layout(argument, nth) for argument, nth in _numbered(key.arguments)]
        places, values = self._numbers(_rest_parts(key))
        leaves = [self._chunk_numbers(chunk) for chunk in key.leaf_chunks]
        row = np.zeros(-(-len(self._places) // _BLOCK) * _BLOCK, np.int32)
        row[places] = values
        for layout in layouts:
            row[layout.others] = layout.values
        if leaves and layouts:
            leaf_places, numbers = np.concatenate([layout.leaves for layout in layouts]), np.concatenate(leaves)
            count = min(len(leaf_places), len(numbers))  # equal but in a damaged file
            row[leaf_places[:count]] = numbers[:count]
        return row

    def _layout(self, argument: Argument, nth: int) -> _Layout:
        known = self._layouts.get((argument, nth))
        if known is None:
            known = _Layout(self._leaf_places(argument.paths, nth), *self._node_numbers(argument, nth))
            _make_room(self._layouts, _MAX_LAYOUTS)
            self._layouts[argument, nth] = known
        return known

    def _leaf_places(self, paths: tuple[str, ...], nth: int) -> _Numbers:
        known = self._leaves.get((nth, paths))
        if known is None:
            places = [self._places.setdefault(("leaf", nth, path), len(self._places)) for path in paths]
            known = np.array(places, np.int32)
            _make_room(self._leaves, _MAX_LAYOUTS)
            self._leaves[nth, paths] = known
        return known

    def _node_numbers(self, argument: Argument, nth: int) -> tuple[_Numbers, _Numbers]:
        """The places of the inner nodes of a pytree, and the numbers of what they are without their children."""
        _make_room(self._nodes, _MAX_NODES)
        found = []
        pending = [(nth, argument.name, argument.tree)] if argument.tree.kind != "*" else []
        while pending:
            place = pending.pop()
            node = self._nodes.get(place) or self._node(place)
            found.append((node.place, node.value))
            pending += node.inner
        return _columns(found)

    def _node(self, place: _NodePlace) -> _Node:
        nth, where, tree = place
        inner = [
            (nth, where + (tree.keys[index] if index < len(tree.keys) else f"[{index}]"), child)
            for index, child in enumerate(tree.children)
            if child.kind != "*"
        ]
        value = self._value((tree.kind, tree.keys, tree.static, len(tree.children)))
        known = _Node(self._places.setdefault(("node", nth, where), len(self._places)), value, inner)
        self._nodes[place] = known
        return known

    def _numbers(self, parts: Iterable[tuple[Hashable, Hashable]]) -> tuple[_Numbers, _Numbers]:
        """The places of some parts, and the numbers of their values."""
        return _columns(
            [(self._places.setdefault(part, len(self._places)), self._value(value)) for part, value in parts]
        )

    def _chunk_numbers(self, chunk: tuple[Leaf, ...]) -> _Numbers:
        known = self._chunks.get(chunk)
        if known is None:
            known = np.array([self._value(_program_part(leaf)) for leaf in chunk], np.int32)
            _make_room(self._chunks, _MAX_CHUNKS)
            self._chunks[chunk] = known
        return known

    def _value(self, value: Hashable) -> int:
        return self._values.setdefault(value, len(self._values) + 1)


class _Block:
    """Some neighbouring places of all rows: each distinct content once, and which content each row has."""

    def __init__(self, rows: int) -> None:
        self._contents: npt.NDArray[np.integer[Any]] = np.zeros((_BLOCK, 4), np.uint16)
        """One content in each column, which NumPy compares faster than rows. Column 0: no part is there.

        Narrow as long as all numbers fit, as the time goes into reading them.
        """
        self._filled = 1
        self._columns: dict[int, int] = {}
        """Column of a content by its hash."""
        self._column_of = array("q", bytes(8 * rows))
        self._last = b"", 0
        self.varies = False
        """Whether two rows differ here."""

    def append(self, content: bytes) -> None:
        """Take in the content of the next row; empty where that has none of these places."""
        if content != self._last[0]:
            self._last = content, self._column(content)
        column = self._last[1]
        self.varies = self.varies or (len(self._column_of) > 0 and column != self._column_of[0])
        self._column_of.append(column)

    def add_distances(self, content: _Numbers, distances: _Numbers) -> None:
        """Add to the distance of each row the number of places where it differs from `content`."""
        # A number that does not fit into narrow contents is in none of them; the last one that fits stands for it.
        narrow = content if self._contents.itemsize == 4 else content.clip(max=_MAX_NARROW).astype(np.uint16)
        differ = self._contents[:, : self._filled] != narrow[:, None]
        counts = np.add.reduce(differ.view(np.uint8), axis=0, dtype=np.uint8)
        distances += counts.take(np.frombuffer(self._column_of, np.int64))

    def _column(self, content: bytes) -> int:
        numbers = np.frombuffer(content, np.int32)
        if not numbers.any():
            return 0
        known = self._columns.get(hash(content))
        if known is not None and bool((self._contents[:, known] == numbers).all()):
            return known
        if numbers.max() >= _MAX_NARROW and self._contents.itemsize == 2:
            self._contents = self._contents.astype(np.int32)
        if self._filled == self._contents.shape[1]:
            self._contents = np.concatenate([self._contents, np.zeros_like(self._contents)], axis=1)
        self._contents[:, self._filled] = numbers
        self._columns[hash(content)] = self._filled
        self._filled += 1
        return self._filled - 1


def _columns(pairs: list[tuple[int, int]]) -> tuple[_Numbers, _Numbers]:
    return np.array([one for one, _ in pairs], np.int32), np.array([other for _, other in pairs], np.int32)


def _make_room(known: dict[_K, _V], limit: int) -> None:
    """Forget what is only remembered for speed, before it is too much."""
    if len(known) >= limit:
        known.clear()


def _part(row: _Numbers, index: int) -> _Numbers:
    part = row[index * _BLOCK : (index + 1) * _BLOCK]
    return part if len(part) else np.zeros(_BLOCK, np.int32)


def _numbered(arguments: Sequence[_A]) -> Iterator[tuple[_A, int]]:
    """Each argument with how often its name stood before; more than once only in calls that JAX refuses."""
    seen: Counter[str] = Counter()
    for argument in arguments:
        yield argument, seen[argument.name]
        seen[argument.name] += 1


def _rest_parts(key: CacheKey) -> Iterator[tuple[Hashable, Hashable]]:
    for argument, nth in _numbered(key.arguments):
        yield ("form", nth, argument.name), argument.by_keyword
    for static, nth in _numbered(key.statics):
        yield ("static form", nth, static.name), static.by_keyword
        yield ("static", nth, static.name), static.value
    for name in key.omitted:
        yield ("omitted", name), True
    for name, text in key.context:
        yield ("config", name), text
    for place, one in enumerate(key.transform):
        yield ("transform", place), one


def _program_part(leaf: Leaf) -> tuple[Hashable, ...]:
    """What a new trace or program can come from: all of a committed leaf, of another not where it lies by itself."""
    weak = leaf.weak_type and leaf.dtype != "bool"  # a bool has no weak aval
    spread = leaf.sharding if "Sharding(" in (leaf.sharding or "") else None
    placed = (leaf.sharding, leaf.layout) if leaf.committed else (spread, None)
    return leaf.shape, leaf.dtype, weak, leaf.committed, *placed
