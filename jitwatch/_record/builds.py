"""The programs that one function was given, live and bounded, and which of its keys were used again after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from jitwatch._model import Build, Miss
from jitwatch._record.sums import lost_s, program_count

MAX_BUILDS = 2_000
RECENT_KEYS = 256
"""Keys that are looked at each time the function is given a program."""


BuildIdentity = tuple[str, int | None, str, str, str]


def identity_of(build: Build) -> BuildIdentity:
    """What tells builds of one function apart: program, key, kind, the user's line, and the process."""
    return build.program, build.key, build.kind, build.call_site, build.process


def build_of(miss: Miss) -> Build:
    """The build that a miss alone makes."""
    return Build(
        miss.number, miss.program, miss.key, miss.kind, program_count(miss.stages), miss.stages.reused,
        miss.stages.loads, lost_s(miss.stages), miss.stages.compile_s, miss.call_site, miss.library,
        origin=miss.origin,
    )  # fmt: skip


def add_build(builds: dict[BuildIdentity, Build], miss: Miss) -> int:
    """Count the programs that a miss brought; how many of them were beyond the bound."""
    programs = program_count(miss.stages)
    if not programs:
        return 0
    one = build_of(miss)
    known = builds.get(identity_of(one))
    if known is None and len(builds) >= MAX_BUILDS:
        return programs
    if known is not None:
        one = msgspec.structs.replace(
            known,
            count=known.count + one.count,
            reused=known.reused + one.reused,
            loaded=known.loaded + one.loaded,
            lost_s=known.lost_s + one.lost_s,
            compile_s=known.compile_s + one.compile_s,
        )
    builds[identity_of(one)] = one
    return 0


class Builds:
    """What one function was given; all under the recorder's lock."""

    def __init__(self) -> None:
        self.dropped = 0
        """Programs of builds beyond the bound."""
        self.rehearsed: Any = None
        """The live record of the last key that had served one call when the next program came."""
        self._made = 0
        self._builds: dict[BuildIdentity, Build] = {}

    def add(self, miss: Miss, key: Any, recent: Iterable[Any]) -> None:
        """Take a miss in, after it was counted for `key`; `recent` are the live records of the function's last keys."""
        programs = program_count(miss.stages)
        if programs:
            for each in recent:
                self._look(each)
                if each.given_before == self._made and each is not key and _uses(each) == 1:
                    each.single_start, self.rehearsed = True, each
            self._made += programs
            self.dropped += add_build(self._builds, miss)
        if key is not None and key.given_before is None:
            key.given_before, key.uses_seen = self._made, _uses(key)

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
