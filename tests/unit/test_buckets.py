"""The bucket sizes are the best there are."""

from __future__ import annotations

import math
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from jitwatch._judge.buckets import best_buckets, independent, paddings


def padding(calls: dict[int, int], buckets: tuple[int, ...]) -> int:
    return sum(count * (min(b for b in buckets if b >= size) - size) for size, count in calls.items())


def test_one_bucket_is_the_largest_size() -> None:
    (buckets,) = best_buckets({5: 2, 7: 1, 10: 1}, [1])

    assert buckets.sizes == (10,)
    assert buckets.compiles_saved == 2
    assert buckets.padding_percent == 100 * 13 / 27


def test_enough_buckets_pad_nothing() -> None:
    (buckets,) = best_buckets({3: 1, 9: 1}, [5])

    assert (buckets.sizes, buckets.compiles_saved, buckets.padding_percent) == ((3, 9), 0, 0.0)


def test_sizes_beyond_any_array_are_added_up_exactly() -> None:
    (buckets,) = best_buckets({10**20: 3, 10**20 + 10: 1, 5: 10**9}, [2])

    assert buckets.sizes == (5, 10**20 + 10)


@given(st.dictionaries(st.integers(0, 60), st.integers(1, 9), min_size=1, max_size=7), st.integers(1, 4))
def test_no_other_choice_pads_less(calls: dict[int, int], count: int) -> None:
    (found,) = best_buckets(calls, [count])
    choices = combinations(sorted(calls), min(count, len(calls)))

    assert found.padding_percent == 100 * padding(calls, found.sizes) / (sum(n * c for n, c in calls.items()) or 1)
    assert padding(calls, found.sizes) == min(padding(calls, each) for each in choices if each[-1] == max(calls))


ROWS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(1, 40)] * width), min_size=1, max_size=8, unique=True)
)


@given(ROWS, st.data())
def test_several_axes_are_padded_to_sizes_that_hold_every_call(
    rows: list[tuple[int, ...]], data: st.DataObject
) -> None:
    calls = data.draw(st.lists(st.integers(1, 9), min_size=len(rows), max_size=len(rows)))
    axes = list(zip(*rows, strict=True))
    found = list(paddings(axes, calls, 8))

    for option in found:
        fits = [
            [min(fit for fit in sizes if fit >= size) for sizes, size in zip(option.sizes, row, strict=True)]
            for row in rows
        ]
        real, padded = (sum(c * math.prod(row) for row, c in zip(each, calls, strict=True)) for each in (rows, fits))
        assert option.programs == len(set(map(tuple, fits)))
        assert option.padding_percent == 100 * (padded - real) / real
    assert found[0].programs == 1
    assert found[-1].programs == len(rows) and found[-1].padding_percent == 0


def test_axes_that_grow_together_are_one() -> None:
    assert independent([(3, 7, 2, 9), (5, 8, 2, 1), (9, 20, 4, 5)]) == [0, 2, 3]
    assert independent([(41, 59), (38, 44), (50, 43)]) == [0, 1]
