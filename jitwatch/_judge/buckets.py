"""The best sizes to pad to: for observed sizes and how often each was called, by dynamic programming. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, pairwise

import msgspec

MAX_SIZES = 100


class Buckets(msgspec.Struct, frozen=True):
    """Sizes to pad to, and what that does."""

    sizes: tuple[int, ...]
    compiles_saved: int
    padding_percent: float
    """Elements added by padding, in percent of those that the calls really have."""


def best_buckets(calls: Mapping[int, int], count: int) -> Buckets:
    """The `count` sizes that pad the observed calls least.

    Args:
        calls: How often each size was called; sizes from 0 on.
        count: Buckets, from 1; more than there are sizes gives every size its own.
    """
    *_, best = islice(by_count(calls), count)
    return best


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

    def padding(first: int, last: int) -> int:
        """Elements added when candidates number `first` up to `last` are padded to the last of them."""
        return sizes[last] * (weights[last + 1] - weights[first]) - (totals[last + 1] - totals[first])

    # best[j]: least padding of the first j candidates with the buckets so far, and the sizes of those.
    best: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    best += [(padding(0, last), (sizes[last],)) for last in range(len(sizes))]
    for used in range(1, len(sizes) + 1):
        if used > 1:
            best = [(0, ())] + [
                min(
                    (best[first][0] + padding(first, last), (*best[first][1], sizes[last]))
                    for first in range(min(used - 1, last), last + 1)
                )
                for last in range(len(sizes))
            ]
        added, chosen = best[len(sizes)]
        yield Buckets(chosen, len(every) - len(chosen), 100 * added / (totals[-1] or 1))
