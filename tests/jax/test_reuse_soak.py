"""Five thousand distinct programs with reuse on: what is kept for reuse stays within its bounds, and so does memory.

Not part of the test suite, since it takes minutes: `pytest -m benchmark -s tests/jax/test_reuse_soak.py`.
docs/reuse.md has the figures.
"""

from __future__ import annotations

import gc
import os
from typing import Any

import jax
import numpy as np
import pytest

import jitwatch
from jitwatch._capture.events import reuse as kept

pytestmark = pytest.mark.benchmark
PROGRAMS, ROUNDS = 5_000, 10
MAX_PROGRAMS, MAX_BYTES = 500, 100 << 20
GROWTH_BYTES = 12e3 * 9_000
"""From the round in which the bound is reached to the last one, nearly all of it the records of 8,000 function objects
more, of which jitwatch keeps 10,000 at most."""
X = np.ones(64, np.float32)


def resident_bytes() -> int:
    """Memory of the process that is in RAM, as Linux tells."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def program(number: int) -> Any:
    def step(x: Any) -> Any:
        return x * (number + 1.0)

    return jax.jit(step)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads memory as Linux tells it")
def test_many_distinct_programs_stay_within_the_bounds() -> None:
    memory, client = [], jax.devices()[0].client
    with jitwatch.watching(), jitwatch.reusing(max_programs=MAX_PROGRAMS, max_bytes=MAX_BYTES):
        for number in range(PROGRAMS):
            assert program(number)(X)[0] == number + 1
            assert program(number)(X)[0] == number + 1
            assert len(kept.reuse()) <= MAX_PROGRAMS and kept.reuse().size_bytes <= MAX_BYTES
            if (number + 1) % (PROGRAMS // ROUNDS) == 0:
                memory.append(resident_bytes())
                alive = len(client.live_executables())
                print(
                    f"\n{number + 1} programs: {memory[-1] / 1e6:.0f} MB, {len(kept.reuse())} kept with "
                    f"{kept.reuse().size_bytes / 1e6:.1f} MB, {alive} executables alive",
                    end="",
                )
                assert alive <= MAX_PROGRAMS + 20
    memory.append(resident_bytes())
    print(f"\nlet go: {memory[-1] / 1e6:.0f} MB")

    total = jitwatch.snapshot()
    stages = [each.stages for each in (*total.functions, *total.others)]
    assert sum(each.reused for each in stages) >= PROGRAMS
    assert memory[-2] - memory[1] < GROWTH_BYTES
    assert len(client.live_executables()) <= 20
