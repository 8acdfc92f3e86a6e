"""Two recordings of one program, before and after a change that made it compile more. Imports no JAX."""

from __future__ import annotations

from typing import Any

import msgspec
from builders import call_sites, function_stats, key, key_stats, leaf, other, snapshot, stages

from jitwatch._model import CacheKey, CallSite, FunctionStats, Snapshot

FILE = "src/train.py"


def function(name: str, keys: list[CacheKey], *, line: int = 41, **changes: Any) -> FunctionStats:
    """A function of `src/train.py` that compiled once for each key, called at line 88 and used once more."""
    found = [
        key_stats(number, each, hits=1 if number == 1 else 0, first_unix_s=float(number),
                  call_sites=(CallSite(f"{FILE}:88", 1, 0.08),))
        for number, each in enumerate(keys, 1)
    ]  # fmt: skip
    return function_stats(name, keys=found, **{"defined_at": f"{FILE}:{line}", **changes})


def batches(*sizes: int) -> list[CacheKey]:
    """Keys of a batch of each size."""
    return [key({"batch": {"x": leaf((size, 8))}}) for size in sizes]


def before() -> Snapshot:
    """Everything compiles once; `old_step` is there still."""
    return snapshot(
        function("train_step", batches(32), id=1),
        function("evaluate", batches(32, 16), id=2, line=60),
        function("old_step", batches(32), id=3, line=90),
        function("loss", batches(32), id=4, line=20),
        others=(msgspec.structs.replace(other(place="src/train.py:12"), id=5),),
    )


def after() -> Snapshot:
    """Lines moved; batches of every size, a new function that recompiles, more eager operations."""
    scale = [key({"scale": leaf(weak_type=weak)}) for weak in (False, True)]
    return snapshot(
        function("train_step", batches(32, 31, 30, 29), id=1, line=45),
        function("evaluate", batches(32), id=2, line=64),
        function("rescale", scale, id=3, line=70),
        function("loss", batches(32), id=4, line=24),
        others=(
            msgspec.structs.replace(other(place="src/train.py:16", compiles=3), id=5),
            msgspec.structs.replace(other("iota", place="src/train.py:17"), id=6),
        ),
    )


def hostile(count: int = 60) -> tuple[Snapshot, Snapshot]:
    """Functions whose names, files and values are made to break a page, many of them new and with findings."""
    text = "@everyone|`<script>&#1;*_[a](b)$\\\n" * 40
    keys = [key({f"x{text}": leaf((size,))}) for size in range(1, 12)]
    new = (
        function(f"{number}{text}", keys, id=number, defined_at=f"/{text}/{number}.py:1", call_sites=call_sites())
        for number in range(1, count + 1)
    )
    seen = function(f"gone{text}", keys, id=1, stages=stages(20))
    return snapshot(seen, others=(other(text),)), snapshot(*new)
