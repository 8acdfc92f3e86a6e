"""What is wrong with a function's keys as JAX keeps them: cleared, stuck, not stored, or out of date. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from jitwatch._judge.codes import make_finding
from jitwatch._judge.history import builds_of
from jitwatch._model import Build, Change, Finding, FunctionStats, KeyStats, Miss
from jitwatch._record.sums import lost_s, programs_of

SLOW_CALLS = 3


def cleared(function: FunctionStats, misses: Sequence[Miss], others: Sequence[Build] = ()) -> Iterable[Finding]:
    """Findings on keys that compiled again although nothing about them changed, and on the persistent cache.

    Args:
        function: The function.
        misses: Those of which JAX said what its persistent cache did.
        others: Programs that were there already, under keys that need no program of their own.
    """
    again = [build for build in _by_program(function) if _times(function, build) > 1]
    kept_out = [miss for miss in misses if miss.function == function.id and miss.persistent]
    other_key = [miss for miss in kept_out if miss.persistent.startswith("another key")]
    not_stored = [miss for miss in kept_out if miss.persistent.startswith("not stored")]
    if other_key:
        change = Change("persistent_miss", function.name, "an entry from an earlier process", other_key[0].persistent)
        yield _of_misses(function, change, other_key)
    elif again and not_stored:
        change = Change("persistent_miss", function.name, "compiled, and gone from memory", not_stored[-1].persistent)
        yield _of_misses(function, change, not_stored[1:])
    elif again or others:
        change = Change("cache_cleared", function.name, "compiled", "compiled again for the same key")
        surplus = [_part(build, _times(function, build) - 1) for build in again]
        yield make_finding(function, "cache_cleared", [change], [*surplus, *others], evidence="proved")


def once(function: FunctionStats, build: Build) -> Build:
    """What a key was given in a call without the times that it was given that again, of which `cleared` tells."""
    again = _times(function, build) - 1 if build.kind == "call" and build.key is not None else 0
    return _part(build, build.count - again)


def _part(build: Build, count: int) -> Build:
    """So many of the programs of a build, each worth the same."""
    if count == build.count:
        return build
    share = count / build.count
    return msgspec.structs.replace(
        build, count=count, reused=min(build.reused, count), loaded=min(build.loaded, count),
        lost_s=build.lost_s * share, compile_s=build.compile_s * share,
    )  # fmt: skip


def _by_program(function: FunctionStats) -> list[Build]:
    """What each key was given in calls, program by program, from whatever line."""
    found: dict[tuple[int | None, str, str], Build] = {}
    for build in builds_of(function):
        if build.kind == "call":
            known = found.get((build.key, build.program, build.process))
            if known is not None:
                build = msgspec.structs.replace(
                    known, count=known.count + build.count, reused=known.reused + build.reused,
                    loaded=known.loaded + build.loaded, lost_s=known.lost_s + build.lost_s,
                )  # fmt: skip
            found[build.key, build.program, build.process] = build
    return [build for build in found.values() if build.key is not None]


def _times(function: FunctionStats, build: Build) -> int:
    """How often one key was given the same program, for each process where that is not known apart."""
    return build.count if build.process else -(-build.count // max(function.processes, 1))


def _of_misses(function: FunctionStats, change: Change, misses: Sequence[Miss]) -> Finding:
    return make_finding(
        function, "persistent_miss", [change], [], compiles=len(misses),
        lost_s=sum(lost_s(miss.stages) for miss in misses), place=misses[0].call_site if misses else "",
    )  # fmt: skip


def stuck(function: FunctionStats) -> Iterable[Finding]:
    """Findings on keys whose first call raised, so that JAX dispatches them slowly for ever."""
    slow = [key for key in function.keys if is_stuck(key) and key.dispatch_only >= SLOW_CALLS]
    if slow:
        change = Change("stuck", function.name, "fast dispatch", "slow dispatch since a call of this key raised")
        place = next((site.place for key in slow for site in key.call_sites), "")
        compiles = sum(map(programs_of, slow))
        seconds = sum(lost_s(key.stages) for key in slow)
        yield make_finding(
            function, "stuck", [change], [], evidence="proved", compiles=compiles, lost_s=seconds, place=place
        )  # fmt: skip


def is_stuck(key: KeyStats) -> bool:
    """Whether JAX serves a key by the slow dispatch only, since its first call raised; a hit shows that it does not."""
    return bool(key.failures and key.dispatch_only) and not key.slow_path and not key.hits


def stale(function: FunctionStats) -> Iterable[Finding]:
    """Findings on plain values that a cached program keeps, while the program's own Python has others now."""
    if function.stale:
        yield make_finding(function, "stale_capture", function.stale, [], evidence="proved")
