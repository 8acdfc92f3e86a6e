"""The numbers in an advice come true when it is followed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from jitwatch import watched_jit
from jitwatch._judge.buckets import best_buckets

SIZES = (5, 7, 3, 9, 7, 5, 12, 2, 9, 30)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_padding_to_the_advised_sizes_saves_the_predicted_compiles(count: int) -> None:
    @watched_jit
    def total(x):
        return x.sum()

    for size in SIZES:
        total(np.ones(size, np.float32))
    before = total.cache_info().compiles
    (advised,) = best_buckets(Counter(SIZES), [count])

    @watched_jit
    def padded_total(x):
        return x.sum()

    added = 0
    for size in SIZES:
        bucket = min(each for each in advised.sizes if each >= size)
        padded = np.zeros(bucket, np.float32)
        padded[:size] = 1
        added += bucket - size
        assert padded_total(padded) == size

    assert before - padded_total.cache_info().compiles == advised.compiles_saved
    assert advised.padding_percent == pytest.approx(100 * added / sum(SIZES))


def test_advice_names_the_sizes_and_the_saving() -> None:
    @watched_jit
    def total(x):
        return x.sum()

    for size in SIZES:
        total(np.ones(size, np.float32))

    (finding,) = total.check()
    (best,) = best_buckets(Counter(SIZES), [2])

    # One size would pad too much, so the finding saves five compiles, and its advice offers no more than that.
    assert finding.compiles == best.compiles_saved == 5
    assert f"axis 0 of x padded to {best.sizes[0]} or {best.sizes[1]} (5 compiles" in finding.advice
    assert "(6 compiles" not in finding.advice
