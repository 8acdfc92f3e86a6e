"""Misses put straight into a recorder, for what needs no JAX."""

from __future__ import annotations

import time
from typing import Any

from builders import failed_miss, key, leaf, stages

from jitwatch._model import CacheKey, Miss
from jitwatch._policy.churn import Policy
from jitwatch._record.function_record import FunctionRecord, KeyRecord
from jitwatch._record.recorder import Recorder, recorder


def add_function(name: str = "step", ledger: Recorder | None = None, **changes: Any) -> FunctionRecord:
    """A watched function that was never called."""
    description: dict[str, Any] = {
        "name": name, "qualname": name, "defined_at": "train.py:41", "options": (), "policy": Policy(max_keys=100),
        "approximate": False, "hits_counted": True,
    }  # fmt: skip
    return (ledger or recorder()).add_function(**description | changes)


def sized_key(size: int) -> CacheKey:
    """A key of two leaves, of which one has this size."""
    return key({"x": {"w": leaf((size,)), "b": leaf()}})


def add_miss(function: FunctionRecord, of: CacheKey, **changes: Any) -> KeyRecord:
    """One call that compiled, unless told otherwise."""
    record = function.record_of(of)
    details: dict[str, Any] = {
        "number": function.ledger.next_number(), "function": function.id, "key": record.number or None,
        "stages": stages(compile_s=0.125), "unix_s": time.time(), "failed": None, "failed_at": None,
        "failed_argument": None,
    }  # fmt: skip
    miss: Miss = failed_miss(**details | changes)
    function.add(miss, record)
    return record


def add_hits(record: KeyRecord, count: int) -> None:
    """Calls that the dispatch cache served."""
    for _ in range(count):
        record.hits.call((None,))
