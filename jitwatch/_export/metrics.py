"""A snapshot as a flat dict of numbers, for W&B, TensorBoard, MLflow and the like. Pure.

Names are stable and few: neither a function nor a cache key is part of one, since both are without bound.
"""

from __future__ import annotations

from collections.abc import Mapping

from jitwatch._judge.judge import definitions
from jitwatch._model import Snapshot
from jitwatch._record.kinds import recompiles
from jitwatch._record.sums import add_stages, lost_s, sum_counts, was_used

PREFIX = "jitwatch/"


def metrics_of(snapshot: Snapshot) -> dict[str, int | float]:
    """The numbers of a snapshot, by name; sums since watching began or since the last reset."""
    stages = add_stages(one.stages for one in snapshot.functions)
    others = add_stages(one.stages for one in snapshot.others)
    numbers: Mapping[str, int | float] = {
        "functions": sum(map(was_used, snapshot.functions)),
        "keys": sum(len(one.keys) for one in snapshot.functions),
        **sum_counts(snapshot.functions),
        "recompiles": sum(recompiles(group) for group in definitions(snapshot.functions)),
        **{name: getattr(stages, name) for name in stages.__struct_fields__},
        "lost_s": lost_s(stages),
        "other_compiles": others.compiles,
        "other_loads": others.loads,
        "other_lost_s": lost_s(others),
        "faults": snapshot.faults,
        "wall_s": snapshot.wall_s,
    }
    return {f"{PREFIX}{name}": value for name, value in numbers.items()}
