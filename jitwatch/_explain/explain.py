"""Says why a key missed: its typed differences to the nearest earlier key. Pure, from keys to an `Explanation`.

    capture -> record -> explain -> judge -> show

It tells what differs and where; whether that is worth the user's attention is for judge to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from jitwatch._explain.key_changes import changes, first_changes, transform_changes
from jitwatch._explain.nearest import History
from jitwatch._explain.part_changes import axes_text, change_text
from jitwatch._model import CacheKey, Explanation

__all__ = ["History", "axes_text", "change_text", "changes", "explain"]

MAX_CHANGES = 50


def explain(key: CacheKey, earlier: Sequence[tuple[int, CacheKey]] | History) -> Explanation:
    """Say how a key differs from the nearest earlier key of its function.

    Nearest means fewest differing parts (leaves, nodes, statics, settings), on a tie the most recent. With no earlier
    key the explanation is a first call, without a nearest key and without changes. The first call under a transform
    (`grad`, `vmap`, an outer trace) has no nearest key either, since other transforms share no program with it; its
    only change is the transform, against the most recent key.

    Args:
        key: The key of a miss.
        earlier: Keys of the same function with their numbers, oldest first.

    Returns:
        The explanation, with at most `MAX_CHANGES` changes; `more` counts the others.
    """
    history = earlier if isinstance(earlier, History) else _history(earlier)
    nearest = history.nearest(key)
    if nearest is not None:
        number, other = nearest
        found, count = first_changes(other, key, MAX_CHANGES)
        return Explanation(number, found, count - len(found))
    latest = history.latest()
    return Explanation(None, () if latest is None else tuple(transform_changes(latest[1], key)))


def _history(earlier: Sequence[tuple[int, CacheKey]]) -> History:
    history = History()
    for number, key in earlier:
        history.add(number, key)
    return history
