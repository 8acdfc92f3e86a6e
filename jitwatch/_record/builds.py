"""The programs that one function was given, live and bounded, and which of its keys were used again after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jitwatch._model import Build, Miss
from jitwatch._record.sums import lost_s

MAX_BUILDS = 2_000
RECENT_KEYS = 256
"""Keys that are looked at each time the function is given a program."""


class Builds:
    """What one function was given; all under the recorder's lock."""

    def __init__(self) -> None:
        self.dropped = 0
        """Programs of builds beyond the bound."""
        self._made = 0
        self._builds: dict[tuple[str, int | None, str, str], Build] = {}

    def add(self, miss: Miss, key: Any, recent: Iterable[Any]) -> None:
        """Take a miss in, after it was counted for `key`; `recent` are the live records of the function's last keys."""
        programs = miss.stages.compiles + miss.stages.loads
        if programs:
            for each in recent:
                self._look(each)
            self._made += programs
            self._count(miss, programs)
        if key is not None and key.given_before is None:
            key.given_before, key.uses_seen = self._made, _uses(key)

    def _count(self, miss: Miss, programs: int) -> None:
        identity = miss.program, miss.key, miss.kind, miss.call_site
        known = self._builds.get(identity)
        if known is None and len(self._builds) >= MAX_BUILDS:
            self.dropped += programs
            return
        first, count, seconds = (miss.number, 0, 0.0) if known is None else (known.first, known.count, known.lost_s)
        self._builds[identity] = Build(
            first, miss.program, miss.key, miss.kind, count + programs, seconds + lost_s(miss.stages), miss.call_site,
            miss.library,
        )  # fmt: skip

    def looked_at(self, keys: Iterable[Any]) -> Iterator[Any]:
        """The live records of keys, each looked at."""
        for key in keys:
            self._look(key)
            yield key

    def _look(self, key: Any) -> None:
        """See whether a key was used since it was looked at last, and after how many later programs."""
        uses = _uses(key)
        if key.given_before is not None and uses != key.uses_seen:
            key.outlived, key.uses_seen = self._made - key.given_before, uses

    def stats(self) -> tuple[Build, ...]:
        """The builds as plain data, in the order of their first."""
        return tuple(self._builds.values())


def _uses(key: Any) -> int:
    return int(key.hits.value() + key.misses + key.nested)
