"""Data files from elsewhere that stand for far more than they hold, each of a few kB or MB."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

Lines = Iterator[dict[str, Any]]
HEAD = {"line": "jitwatch", "format": 1}
STAGES = {"traces": 1, "lowerings": 1, "compiles": 1, "trace_s": 0.1, "lower_s": 0.1, "compile_s": 0.1}
TOTALS = {"line": "totals", "unix_s": 1, "jax_version": "", "python_version": "", "final": True}
LEAF = {
    "shape": [1], "dtype": "float32", "weak_type": False, "source": "jax", "committed": False, "sharding": None,
    "layout": None,
}  # fmt: skip


def function(number: int = 1, name: str = "f") -> dict[str, Any]:
    return {
        "line": "function", "id": number, "name": name, "qualname": name, "defined_at": "a.py:1", "options": [],
        "hits_counted": True, "approximate": False,
    }  # fmt: skip


def counts(number: int, keys: range) -> dict[str, Any]:
    each = [{"number": n, "misses": 1, "stages": STAGES, "first_unix_s": 1, "call_sites": []} for n in keys]
    return {"line": "counts", "function": {"id": number, "misses": len(keys), "stages": STAGES}, "keys": each}


def key(number: int, arguments: list[int], leaves: list[int], function: int = 1, **more: Any) -> dict[str, Any]:
    return {"line": "key", "function": function, "number": number, "arguments": arguments, "leaves": leaves, **more}


def doubled(depth: int, step: str = "x", first: int = 1, kind: str = "*", **more: Any) -> Lines:
    """A pytree of which each node has the one below twice."""
    yield {"line": "tree", "id": first, "kind": kind, **more}
    for number in range(first + 1, first + depth):
        names = [f"{step}{number}l", f"{step}{number}r"]
        yield {"line": "tree", "id": number, "kind": "dict", "keys": names, "children": [number - 1] * 2}


def nested_trees() -> Lines:
    """Two keys of 2**24 leaves for which no path is given."""
    yield function()
    for nth in range(2):
        first = 1 + 100 * nth
        yield from doubled(25, first=first, kind="*" if nth else "None")
        yield {"line": "argument", "id": 900 + nth, "name": "x", "by_keyword": False, "tree": first + 24, "paths": []}
        yield key(1 + nth, [900 + nth], [])
    yield counts(1, range(1, 3))


def nested_trees_with_paths() -> Lines:
    """Keys of 2**15 leaves each, with paths that cost little."""
    yield function()
    for nth in range(4):
        first = 1 + 100 * nth
        yield from doubled(16, step="", first=first)
        yield {"line": "tree", "id": first + 50, "kind": f"k{nth}", "keys": ["c"], "children": [first + 15]}
        paths = [""] * 2**15
        yield {
            "line": "argument",
            "id": 900 + nth,
            "name": "x",
            "by_keyword": False,
            "tree": first + 50,
            "paths": paths,
        }
        yield key(1 + nth, [900 + nth], [])
    yield counts(1, range(1, 5))


def long_paths() -> Lines:
    """A chain of nodes whose paths grow to megabytes, and many leaves at its end."""
    yield function()
    yield {"line": "tree", "id": 1, "kind": "*"}
    yield {"line": "tree", "id": 2, "kind": "list", "keys": ["[0]"] * 5000, "children": [1] * 5000}
    for number in range(3, 150):
        yield {"line": "tree", "id": number, "kind": "dict", "keys": ["p" * 5000], "children": [number - 1]}
    yield {"line": "argument", "id": 900, "name": "x", "by_keyword": False, "tree": 149, "paths": ["x"] * 5000}
    yield {"line": "argument", "id": 901, "name": "x", "by_keyword": False, "tree": 148, "paths": ["x"] * 5000}
    yield key(1, [900], [])
    yield key(2, [901], [])
    yield counts(1, range(1, 3))


def shared_leaves() -> Lines:
    """Ten thousand keys that refer to the same thousand leaves a thousand times."""
    yield function()
    yield {"line": "tree", "id": 1, "kind": "*"}
    yield {"line": "leaves", "id": 1, "leaves": [LEAF] * 1000}
    yield {"line": "argument", "id": 1, "name": "x", "by_keyword": False, "tree": 1, "paths": ["x"] * 10}
    for number in range(1, 1000):
        yield key(number, [1], [1] * 1000)
    yield counts(1, range(1, 1000))


def shared_arguments() -> Lines:
    """Keys that have a big argument a thousand times."""
    yield function()
    yield from doubled(14)
    paths = [f"x{n}" for n in range(2**13)]
    yield {"line": "argument", "id": 1, "name": "x", "by_keyword": False, "tree": 14, "paths": paths}
    for number in range(1, 500):
        yield key(number, [1] * 1000, [], context=[["number", str(number)]])
    yield counts(1, range(1, 500))


def wide_function() -> Lines:
    """One huge argument, and ten thousand small keys of the same function to compare it with."""
    yield function()
    yield from doubled(17)
    yield {"line": "argument", "id": 1, "name": "x", "by_keyword": False, "tree": 17, "paths": ["x"] * 2**16}
    yield {"line": "argument", "id": 2, "name": "y", "by_keyword": False, "tree": 1, "paths": ["y"]}
    yield key(1, [1], [])
    for number in range(2, 10_000):
        yield key(number, [2], [], context=[["number", str(number)]])
    yield counts(1, range(1, 10_000))


def statics_in_trees() -> Lines:
    """A pytree of which each leaf's node has a static value with many parts."""
    part = {"type": "int", "text": "1" * 100, "token": 1, "by_identity": False}
    static = {
        "type": "C",
        "text": "c",
        "token": 2,
        "by_identity": False,
        "parts": [[f".p{n}", part] for n in range(500)],
    }
    yield function()
    for nth in range(2):
        first = 1 + 100 * nth
        yield from doubled(15, first=first, kind="None", static={**static, "token": 5 + nth})
        yield {"line": "argument", "id": 900 + nth, "name": "x", "by_keyword": False, "tree": first + 14, "paths": []}
        yield key(1 + nth, [900 + nth], [])
    yield counts(1, range(1, 3))


def many_functions() -> Lines:
    """Very many small lines, each of a function of its own."""
    yield {"line": "tree", "id": 1, "kind": "*"}
    yield {"line": "leaves", "id": 1, "leaves": [LEAF]}
    yield {"line": "argument", "id": 1, "name": "x", "by_keyword": False, "tree": 1, "paths": ["x"]}
    for number in range(1, 10_000):
        yield function(number, f"f{number}")
        yield key(1, [1], [1], function=number)
        yield counts(number, range(1, 2))


def equal_times() -> Lines:
    """Thousands of keys of one moment, that share a big argument: only their text tells which comes first."""
    yield function()
    yield from doubled(13, step="")
    paths = [f"x[{n}]" for n in range(2**12)]
    yield {"line": "argument", "id": 1, "name": "x", "by_keyword": False, "tree": 13, "paths": paths}
    for number in range(1, 1000):
        yield key(number, [1], [], context=[["number", str(number)]])
    yield counts(1, range(1, 1000))


FILES: dict[str, Callable[[], Lines]] = {
    made.__name__: made
    for made in (
        nested_trees, nested_trees_with_paths, long_paths, shared_leaves, shared_arguments, wide_function,
        statics_in_trees, many_functions, equal_times,
    )
}  # fmt: skip


def content(name: str) -> bytes:
    """A whole file."""
    lines = [HEAD, *FILES[name](), TOTALS]
    return ("\n".join(map(json.dumps, lines)) + "\n").encode()
