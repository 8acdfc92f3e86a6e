"""How large a data file may become once its references are followed: a few kB can stand for more than a memory holds.

Parts of keys are described once and referred to by number, so a pytree of 18 lines has 2**18 leaves. What is bounded
here is the size that whoever reads the keys meets. Programs stay far below: the largest model known has some ten
thousand leaves, and ten thousand keys of a thousand leaves are fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jitwatch._model import Static
from jitwatch._store.lines import ArgumentLine, KeyLine, TreeLine

MAX_DEPTH = 200
MAX_NODES = 1 << 16
"""Of one pytree."""
MAX_TEXT = 1 << 24
"""Characters in the paths of all nodes of one pytree, and in what its nodes hold."""
MAX_ALL_NODES, MAX_ALL_TEXT = 100_000, 1 << 26
"""Of all arguments of a file together, each counted once; more nodes where the file has the paths of their leaves."""
PATH_BYTES_OF_A_NODE = 12
MAX_COMPARED = 20_000_000
"""Parts of all keys of one function, were each as wide as all its arguments together: the work of comparing them."""
MAX_ALL_COMPARED = 40_000_000
MAX_UNTOLD = 1_000
"""Leaves of an argument, or of a key, for which the file need not have a path each."""


class Size(NamedTuple):
    """Of a pytree with everything below it."""

    depth: int
    nodes: int
    leaves: int
    text: int


def tree_size(line: TreeLine, children: Sequence[Size]) -> Size:
    """The size of a node with these children."""
    keys = [len(key) for key in line.keys[: len(children)]] + [3] * (len(children) - len(line.keys))
    own = len(line.kind) + sum(map(len, line.keys)) + (0 if line.static is None else static_text_size(line.static))
    return Size(
        depth=1 + max((child.depth for child in children), default=0),
        nodes=1 + sum(child.nodes for child in children),
        leaves=int(line.kind == "*") + sum(child.leaves for child in children),
        text=own + sum(child.text + child.nodes * key for child, key in zip(children, keys, strict=True)),
    )


def static_text_size(static: Static) -> int:
    """Characters in a static value and its parts."""
    size, pending = 0, [static]
    while pending:
        one = pending.pop()
        size += len(one.text) + len(one.type) + sum(len(path) for path, _ in one.parts)
        pending.extend(part for _, part in one.parts)
    return size


def is_too_large(size: Size) -> bool:
    """Whether no program has such a pytree."""
    return size.depth > MAX_DEPTH or size.nodes > MAX_NODES or size.text > MAX_TEXT


class Budget:
    """What the keys of a file may still stand for."""

    def __init__(self) -> None:
        self._nodes = self._text = self._compared = 0
        self._room = MAX_ALL_NODES
        self._arguments: dict[int, int] = {}
        """Parts of each argument that was taken."""
        self._leaves: dict[int, int] = {}
        self._of: dict[int, tuple[int, set[int], int]] = {}
        """For each function its keys, their arguments, and the parts of all of these."""

    def takes_argument(self, line: ArgumentLine, tree: Size) -> bool:
        """Whether there is room for an argument; if so, it is taken."""
        paths = sum(map(len, line.paths)) + 3 * len(line.paths)
        room = self._room + paths // PATH_BYTES_OF_A_NODE
        text = tree.text + len(line.name) * (1 + len(line.paths)) + paths
        told = tree.leaves <= max(len(line.paths), MAX_UNTOLD)
        if not told or self._nodes + tree.nodes > room or self._text + text > MAX_ALL_TEXT:
            return False
        self._room = room
        self._nodes += tree.nodes
        self._text += text
        self._arguments[line.id] = tree.nodes + len(line.paths)
        self._leaves[line.id] = len(line.paths)
        return True

    def takes_key(self, line: KeyLine, leaves: int) -> bool:
        """Whether there is room for a key with so many leaves; if so, it is taken."""
        paths = sum(self._leaves[number] for number in line.arguments)
        keys, arguments, width = self._of.get(line.function, (0, set(), 0))
        new = {number for number in line.arguments if number not in arguments}
        width += sum(self._arguments[number] for number in new)
        once = len(set(line.arguments)) == len(line.arguments) or len(line.arguments) <= MAX_UNTOLD
        before = keys * self._of.get(line.function, (0, set(), 0))[2]
        compared = (keys + 1) * max(width, 1)
        more = compared - before
        room = compared <= MAX_COMPARED and self._compared + more <= MAX_ALL_COMPARED
        if not once or leaves > max(paths, MAX_UNTOLD) or paths > MAX_NODES or not room:
            return False
        self._compared += more
        self._of[line.function] = keys + 1, arguments | new if new else arguments, width
        return True
