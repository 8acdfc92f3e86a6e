"""The best sizes to pad to: for observed sizes and how often each was called, by dynamic programming. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice, pairwise, zip_longest
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

MAX_SIZES = 100


class Buckets(msgspec.Struct, frozen=True):
    """Sizes to pad to, and what that does."""

    sizes: tuple[int, ...]
    compiles_saved: int
    padding_percent: float
    """Elements added by padding, in percent of those that the calls really have."""


class Padding(msgspec.Struct, frozen=True):
    """What several axes are padded to at once, and what that does."""

    sizes: tuple[tuple[int, ...], ...]
    """Of each axis."""
    programs: int
    """Combinations of sizes that are left."""
    padding_percent: float
    """Elements added by padding, in percent of those that the calls really have."""


def paddings(axes: Sequence[Sequence[int]], calls: Sequence[int], limit: int) -> Iterator[Padding]:
    """Each axis padded to its best one size, to its best two, and so on.

    Args:
        axes: Sizes of axes that vary in their own way, by what was called.
        calls: How often each of that was called.
        limit: Sizes of one axis up to which to go.
    """
    totals: list[Counter[int]] = [Counter() for _ in axes]
    for total, sizes in zip(totals, axes, strict=True):
        for size, count in zip(sizes, calls, strict=True):
            total[max(size, 1)] += count
    real = sum(count * math.prod(max(size, 1) for size in row) for *row, count in zip(*axes, calls, strict=True))
    last: list[Buckets | None] = [None] * len(axes)
    for step in zip_longest(*(islice(by_count(total), limit) for total in totals)):
        last = [now or before for now, before in zip(step, last, strict=True)]
        chosen = tuple(buckets.sizes for buckets in last if buckets is not None)
        rows = [
            tuple(fit[bisect_left(fit, size)] for fit, size in zip(chosen, row, strict=True))
            for row in zip(*axes, strict=True)
        ]
        padded = sum(count * math.prod(row) for row, count in zip(rows, calls, strict=True))
        yield Padding(chosen, len(set(rows)), 100 * (padded - real) / (real or 1))


def independent(rows: Sequence[Sequence[int]]) -> list[int]:
    """Positions of the columns that do not simply grow with an earlier one."""
    orders: dict[tuple[int, ...], int] = {}
    for position, column in enumerate(zip(*rows, strict=True)):
        ranks = {size: rank for rank, size in enumerate(sorted(set(column)))}
        orders.setdefault(tuple(ranks[size] for size in column), position)
    return list(orders.values())


def best_buckets(calls: Mapping[int, int], counts: Collection[int]) -> list[Buckets]:
    """For each of some numbers of sizes, the sizes that pad the observed calls least.

    Args:
        calls: How often each size was called; sizes from 0 on.
        counts: Numbers of buckets, from 1; more than there are sizes give every size its own.
    """
    found = list(islice(by_count(calls), max(counts, default=0)))
    return [found[min(count, len(found)) - 1] for count in sorted(counts)]


def by_count(calls: Mapping[int, int]) -> Iterator[Buckets]:
    """The best one bucket, the best two, and so on, up to one for each size.

    Each size is padded to the next bucket, so an optimal bucket is always an observed size, and the largest one is
    among them: dynamic programming, n² steps for each count. Of more than `MAX_SIZES` sizes, so many are candidates.
    """
    every = sorted(calls)
    stride = -(-len(every) // MAX_SIZES)
    ends = sorted(range(len(every) - 1, -1, -stride))
    """Places of the candidates, the largest size among them."""
    sizes = [every[end] for end in ends]
    weights, totals = [0], [0]
    for before, end in pairwise([-1, *ends]):
        group = every[before + 1 : end + 1]
        weights.append(weights[-1] + sum(calls[each] for each in group))
        totals.append(totals[-1] + sum(calls[each] * each for each in group))
    padding = _paddings(sizes, weights, totals)
    least = padding[0].copy()
    """Least padding of the candidates up to each, with the buckets so far."""
    before_last: list[npt.NDArray[np.intp]] = []
    """For each number of buckets and each candidate that is the last of them, the place of the bucket before it."""
    for used in range(1, len(sizes) + 1):
        if used > 1:
            options = least[used - 2 : -1, None] + padding[used - 1 :, used - 1 :]
            before_last.append(options.argmin(axis=0) + used - 2)
            least[used - 1 :] = options.min(axis=0)
        place, chosen = len(sizes) - 1, [sizes[-1]]
        for buckets, previous in reversed(list(enumerate(before_last, 1))):
            place = int(previous[place - buckets])
            chosen.append(sizes[place])
        yield Buckets(tuple(reversed(chosen)), len(every) - used, 100 * int(least[-1]) / (totals[-1] or 1))


def _paddings(sizes: Sequence[int], weights: Sequence[int], totals: Sequence[int]) -> npt.NDArray[Any]:
    """Elements added when candidates number `first` up to `last` are padded to the last of them, by row and column.

    Below the diagonal stands what is never the least.
    """
    exact: Any = np.int64 if sizes[-1] * weights[-1] < 2**60 else object  # from a file it may be any number
    size, weight, total = (np.array(each, exact) for each in (sizes, weights, totals))
    added = size * (weight[None, 1:] - weight[:-1, None]) - (total[None, 1:] - total[:-1, None])
    return np.where(np.tri(len(sizes), k=-1, dtype=bool), exact(2**61) if exact is np.int64 else 2**200, added)
