"""The best sizes to pad to: for observed sizes and how often each was called, by dynamic programming. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Buckets(msgspec.Struct, frozen=True):
    """Sizes to pad to, and what that does."""

    sizes: tuple[int, ...]
    compiles_saved: int
    padding_percent: float
    """Elements added by padding, in percent of those that the calls really have."""


def best_buckets(calls: Mapping[int, int], count: int) -> Buckets:
    """The `count` sizes that pad the observed calls least.

    Each size is padded to the next bucket, so an optimal bucket is always an observed size, and the largest one is
    among them. O(n² count) for n sizes.

    Args:
        calls: How often each size was called; sizes from 0 on.
        count: Buckets, from 1; more than there are sizes gives every size its own.
    """
    sizes = sorted(calls)
    count = min(count, len(sizes))
    weights, totals = [0], [0]
    for size in sizes:
        weights.append(weights[-1] + calls[size])
        totals.append(totals[-1] + calls[size] * size)

    def padding(first: int, last: int) -> int:
        """Elements added when sizes number `first` up to `last` are padded to the last of them."""
        return sizes[last] * (weights[last + 1] - weights[first]) - (totals[last + 1] - totals[first])

    # best[j]: least padding of the first j sizes with the buckets so far, and the sizes of those.
    best: list[tuple[int, tuple[int, ...]]] = [(0, ())] + [
        (padding(0, last), (sizes[last],)) for last in range(len(sizes))
    ]
    for used in range(2, count + 1):
        best = [(0, ())] + [
            min(
                (best[first][0] + padding(first, last), (*best[first][1], sizes[last]))
                for first in range(min(used - 1, last), last + 1)
            )
            for last in range(len(sizes))
        ]
    added, chosen = best[len(sizes)]
    real = totals[-1] or 1
    return Buckets(chosen, len(sizes) - len(chosen), 100 * added / real)


def look_chosen(sizes: Iterable[int]) -> bool:
    """Whether sizes look like buckets that somebody chose, not like what data happens to have.

    They do if each is a power of two or a multiple of 8; by chance, five sizes are with a probability of 1 in 1,000.
    """
    return all(size > 0 and (size % 8 == 0 or size & (size - 1) == 0) for size in sizes)
