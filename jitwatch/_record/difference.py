"""What happened between two snapshots of one process: pure, from plain data to plain data."""

from __future__ import annotations

from typing import Any

import msgspec

from jitwatch._model import Build, CallSite, FunctionStats, KeyStats, Snapshot, Stages
from jitwatch._record.builds import identity_of
from jitwatch._record.sums import COUNTS, programs_in


def stages_difference(now: Stages, before: Stages) -> Stages:
    """Stages run since `before`."""
    names = Stages.__struct_fields__
    return Stages(*(getattr(now, name) - getattr(before, name) for name in names))


def key_difference(now: KeyStats, before: KeyStats) -> KeyStats:
    """One key's counts since `before`."""
    return msgspec.structs.replace(
        now, **_counts(now, before), warmed=now.warmed - before.warmed,
        stages=stages_difference(now.stages, before.stages),
        call_sites=_sites(now.call_sites, before.call_sites),
    )  # fmt: skip


def function_difference(now: FunctionStats, before: FunctionStats) -> FunctionStats:
    """One function's counts since `before`, with the keys that were used since."""
    earlier = {key.number: key for key in before.keys}
    keys = (key_difference(key, earlier[key.number]) if key.number in earlier else key for key in now.keys)
    return msgspec.structs.replace(
        now, **_counts(now, before),
        **{name: stages_difference(getattr(now, name), getattr(before, name))
           for name in ("stages", "helpers", "aot", "backward")},
        keys=tuple(key for key in keys if _used(key)),
        dropped_keys=now.dropped_keys - before.dropped_keys,
        call_sites=_sites(now.call_sites, before.call_sites),
        last_failure=None if now.last_failure == before.last_failure else now.last_failure,
        builds=_builds(now.builds, before.builds),
        dropped_builds=now.dropped_builds - before.dropped_builds,
    )  # fmt: skip


def snapshot_difference(now: Snapshot, before: Snapshot) -> Snapshot:
    """Everything since `before`; functions that exist and were not used stay, with zeros.

    Which misses are new is told by how many there were: threads that miss at once may be numbered in one order and kept
    in another.
    """
    made = _misses_made(now) - _misses_made(before)
    misses = now.misses[-made:] if made > 0 else ()
    others = _since(now.others, before.others)
    since = msgspec.structs.replace(
        now,
        functions=_since(now.functions, before.functions),
        others=tuple(other for other in others if other.stages != Stages()),
        misses=misses,
        dropped_misses=made - len(misses),
        dropped_functions=now.dropped_functions - before.dropped_functions,
        faults=now.faults - before.faults,
        wall_s=max(now.wall_s - before.wall_s, 0.0),
    )
    used = programs_in(since)
    return msgspec.structs.replace(since, programs=tuple(program for program in now.programs if program.id in used))


def _misses_made(snapshot: Snapshot) -> int:
    """All misses so far, also those that made room for later ones."""
    return snapshot.dropped_misses + len(snapshot.misses)


def _since(now: tuple[FunctionStats, ...], before: tuple[FunctionStats, ...]) -> tuple[FunctionStats, ...]:
    earlier = {function.id: function for function in before}
    return tuple(
        function_difference(function, earlier[function.id]) if function.id in earlier else function for function in now
    )


def _counts(now: Any, before: Any) -> dict[str, int]:
    return {name: getattr(now, name) - getattr(before, name) for name in COUNTS}


def _used(key: KeyStats) -> bool:
    return any(getattr(key, name) for name in COUNTS) or key.stages != Stages()


def _builds(now: tuple[Build, ...], before: tuple[Build, ...]) -> tuple[Build, ...]:
    """Programs given since `before`; the number of the first stays, and with it the order."""
    earlier = {identity_of(build): build for build in before}
    since = []
    for build in now:
        old = earlier.get(identity_of(build))
        if old is None:
            since.append(build)
        elif build.count > old.count:
            since.append(
                msgspec.structs.replace(
                    build,
                    count=build.count - old.count,
                    reused=build.reused - old.reused,
                    loaded=build.loaded - old.loaded,
                    lost_s=max(0.0, build.lost_s - old.lost_s),
                    compile_s=max(0.0, build.compile_s - old.compile_s),
                )
            )
    return tuple(since)


def _sites(now: tuple[CallSite, ...], before: tuple[CallSite, ...]) -> tuple[CallSite, ...]:
    earlier = {site.place: site for site in before}
    sites = (
        CallSite(site.place, site.misses - old.misses, site.lost_s - old.lost_s, site.library)
        for site in now
        for old in [earlier.get(site.place, CallSite(site.place, 0, 0.0))]
    )
    return tuple(site for site in sites if site.misses)
