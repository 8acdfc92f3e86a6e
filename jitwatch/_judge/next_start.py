"""What JAX's persistent cache would save, or saved, at the next start of the same program. Pure.

Rests on the programs of the run: JAX stores one if its compilation took at least a minimum, and loads it where an
identical one is asked for. The minimum that is advised is the highest that leaves nothing to be compiled, also where
the run that fills the cache compiles quicker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from jitwatch._model import Build, Miss, Snapshot
from jitwatch._record.merge_programs import LOCAL
from jitwatch._record.sums import program_count

MINIMA = (1.0, 0.1, 0.0)
"""Values of `jax_persistent_cache_min_compile_time_secs` that are compared, JAX's default first."""
MARGIN = 2.0
"""How many times the advised minimum every program took: the next run may be on a quieter machine."""
WORTH_S = 1.0
"""Seconds that could be saved from which on it is said."""
_NOT_STORED = "not stored"


class Served(msgspec.Struct, frozen=True):
    """What one minimum would have served."""

    min_compile_s: float
    programs: int
    """Stored, each once."""
    saved_s: float
    """Seconds of XLA that the next start would load."""
    module_bytes: int
    """Of the modules; entries in the cache hold executables, and are larger."""


class NotKept(msgspec.Struct, frozen=True):
    """Programs that the cache was asked for and did not keep, for one reason."""

    why: str
    programs: int
    compile_s: float
    functions: tuple[tuple[str, int], ...]
    """By name, with the number of its programs, the most costly first."""


class NextStart(msgspec.Struct, frozen=True):
    """What the next start of the same program has to compile."""

    compile_s: float
    """That XLA took in this run."""
    served: tuple[Served, ...]
    """For each of `MINIMA`."""
    advised_s: float
    """The minimum that is advised: the highest that surely serves all programs."""
    calling_back: int
    """Programs that call back into Python, of which no claim is made."""
    cache_on: bool
    """Whether the cache was on in this run."""
    loads: int
    load_s: float
    kept_s: float
    """That XLA took for programs which the cache took while it was on."""
    not_kept: tuple[NotKept, ...]
    """While it was on, the most costly reason first; of the misses that are kept one by one."""

    @property
    def best(self) -> Served:
        """What the advised minimum would serve."""
        return next(one for one in self.served if one.min_compile_s == self.advised_s)


class _Compiled(msgspec.Struct):
    count: int = 0
    seconds: float = 0.0


def next_start(snapshot: Snapshot) -> NextStart:
    """What a run tells about the next start."""
    every = (*snapshot.functions, *snapshot.others)
    sizes = {program.id: program.size_bytes for program in snapshot.programs}
    programs = _programs(build for one in every for build in one.builds)
    served = tuple(_served(minimum, programs, sizes) for minimum in MINIMA)
    quickest_s = min((one.seconds / one.count for one in programs.values()), default=0.0)
    advised_s = next(minimum for minimum in MINIMA if quickest_s >= MARGIN * minimum)
    loads = sum(one.stages.loads for one in every)
    asked = [miss for miss in snapshot.misses if miss.persistent]
    names = {one.id: one.name for one in every}
    return NextStart(
        compile_s=sum(one.stages.compile_s for one in every), served=served, advised_s=advised_s,
        calling_back=sum(
            build.count for one in every for build in one.builds if LOCAL in build.program and build.compile_s
        ),
        cache_on=bool(asked or loads), loads=loads, load_s=sum(one.stages.load_s for one in every),
        kept_s=sum(miss.stages.compile_s for miss in asked if not miss.persistent.startswith(_NOT_STORED)),
        not_kept=_not_kept(asked, names),
    )  # fmt: skip


def repeated_s(snapshot: Snapshot, before: Snapshot) -> float:
    """Seconds that XLA took in a run for programs which it, or the cache, had made in an earlier run already."""
    known = {
        build.program for one in (*before.functions, *before.others) for build in one.builds if can_be_shared(build)
    }
    builds = (build for one in (*snapshot.functions, *snapshot.others) for build in one.builds)
    return sum(build.compile_s for build in builds if build.program in known)


def can_be_shared(build: Build) -> bool:
    """Whether its program may stand for an identical one: it is known, and does not call back into Python."""
    return bool(build.program) and LOCAL not in build.program


def _programs(builds: Iterable[Build]) -> dict[str, _Compiled]:
    """What XLA took for each program that could have been loaded."""
    found: dict[str, _Compiled] = {}
    for build in builds:
        if can_be_shared(build) and build.compile_s:
            one = found.setdefault(build.program, _Compiled())
            one.count += max(build.count - build.reused, 1)
            one.seconds += build.compile_s
    return found


def _served(minimum: float, programs: dict[str, _Compiled], sizes: dict[str, int]) -> Served:
    kept = {program: one for program, one in programs.items() if one.seconds / one.count >= minimum}
    return Served(
        minimum, len(kept), sum(one.seconds for one in kept.values()), sum(sizes.get(program, 0) for program in kept)
    )


def _not_kept(asked: Iterable[Miss], names: Mapping[int, str]) -> tuple[NotKept, ...]:
    found: dict[str, dict[str, _Compiled]] = {}
    for miss in asked:
        kind, _, why = miss.persistent.partition(": ")
        if kind == _NOT_STORED:
            why = "compiled quicker than the minimum" if "the compilation took" in why else why
            name = names.get(miss.function, "")
            one = found.setdefault(why, {}).setdefault(name, _Compiled())
            one.count += program_count(miss.stages)
            one.seconds += miss.stages.compile_s
    kept = []
    for why, functions in found.items():
        every = sorted(functions.items(), key=lambda item: (-item[1].seconds, item[0]))
        programs, seconds = sum(one.count for _, one in every), sum(one.seconds for _, one in every)
        kept.append(NotKept(why, programs, seconds, tuple((name, one.count) for name, one in every)))
    return tuple(sorted(kept, key=lambda one: -one.compile_s))
