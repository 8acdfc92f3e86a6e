"""The bucket sizes are the best there are."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from jitwatch._judge.buckets import best_buckets


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
