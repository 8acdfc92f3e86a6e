"""Which programs are the first of their kind, and which were compiled again: pure, from plain data to numbers.

Of one kind are the programs of one function object, and of those that bring along the same, under the same transforms:
the backward pass of a first `grad`, a first `vmap`, a use ahead of time, another function of a factory are no
recompilations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from jitwatch._model import FunctionStats
from jitwatch._words.part_text import transform_kinds

AHEAD, BACKWARD, DROPPED = "ahead of time", "backward", "beyond the bound on keys"


def recompiles(objects: Iterable[FunctionStats]) -> int:
    """How many programs of function objects of one definition are beyond the first of their kind.

    Each process compiles the first of a kind once by right.
    """
    compiled: Counter[Hashable] = Counter()
    first: dict[Hashable, int] = {}
    for function in objects:
        alike = brings_along(function)
        for kind, count in _programs(function):
            compiled[alike, kind] += count
            allowed = 0 if kind == DROPPED else function.processes
            first[alike, kind] = max(first.get((alike, kind), 0), allowed)
    return sum(max(count - first[kind], 0) for kind, count in compiled.items())


def brings_along(function: FunctionStats) -> Hashable:
    """Equal for two function objects of one definition that are the same function to the user.

    Arrays and functions are left aside, by identity: whoever makes a function anew makes those anew with it. An object
    whose text shows nothing of it equals only itself.
    """
    told = (one for one in function.captured if one.kind == "object" and one.value.endswith(" object"))
    return function.bound, function.code, tuple((one.name, one.identity) for one in told)


def _programs(function: FunctionStats) -> Iterable[tuple[Hashable, int]]:
    rest = function.stages.compiles
    for key in function.keys:
        rest -= key.stages.compiles
        yield transform_kinds(key.key.transform), key.stages.compiles
    for kind, stages in ((AHEAD, function.aot), (BACKWARD, function.backward)):
        rest -= stages.compiles
        yield kind, stages.compiles
    yield DROPPED if function.dropped_keys else (), max(rest, 0)
