"""Eager operations that one line of the user's compiles again and again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from jitwatch._explain.explain import changes
from jitwatch._judge.codes import make_finding
from jitwatch._judge.history import RANK, builds_of
from jitwatch._judge.sizes import numbers_of
from jitwatch._model import Build, Change, Finding, FunctionStats, KeyStats, Program

CHURN = 3
"""Programs of one line from which on control flow is given a new body each time."""
EAGER_CHURN = 4
"""Programs of one line from which on an operation is asked for too many sizes."""
CONTROL_FLOW = ("scan", "while", "cond", "fori_loop", "switch", "custom_linear_solve")
_WRAPPED = ("<", "_fun", "call_wrapped", "shmap_body", "f_pmapped")
"""How the names begin under which JAX compiles what `pmap` and `shard_map` wrap."""
_SAME_BODY = RANK["constants"] - 1


def eager_findings(other: FunctionStats, programs: Mapping[str, Program] | None = None) -> Iterator[Finding]:
    """Findings on one eager operation, by the user's line."""
    keys = {key.number: key for key in other.keys}
    lines: dict[str, list[Build]] = {}
    for build in builds_of(other):
        lines.setdefault(build.call_site, []).append(build)
    for place, builds in lines.items():
        if other.name in CONTROL_FLOW:
            yield from _bodies(other, place, builds, keys, programs or {})
        else:
            again = [build for build in builds if build.count >= CHURN and build.program]
            if again:
                yield _made_anew(other, place, again)
            elif not any(build.library for build in builds):
                yield from _sizes(other, place, builds, keys)


def _bodies(
    other: FunctionStats, place: str, builds: Sequence[Build], keys: Mapping[int, KeyStats],
    programs: Mapping[str, Program],
) -> Iterator[Finding]:  # fmt: skip
    """Control flow whose body is a new function each time, though its program is the same but for constants."""
    bodies: dict[str, list[Build]] = {}
    for build in builds:
        program = programs.get(build.program)
        name = program.steps[_SAME_BODY] if program is not None and program.steps else build.program
        bodies.setdefault(name, []).append(build)
    again = [group for group in bodies.values() if sum(build.count for build in group) >= CHURN]
    if not again:
        return
    found = _series(other, [build for group in again for build in group], keys)
    if not any(programs.get(build.program) for build in builds) and any(one.cause == "shape" for one in found):
        yield from _sizes(other, place, builds, keys)
        return
    every = [build for group in again for build in group]
    saved = sum(build.count for build in every) - len(again)
    seconds = sum(build.lost_s for build in every) * saved / sum(build.count for build in every)
    yield make_finding(
        other, "function_identity", _retyped(found, "function_identity"), every, compiles=saved, lost_s=seconds,
        place=place,
    )  # fmt: skip


def _made_anew(other: FunctionStats, place: str, again: Sequence[Build]) -> Finding:
    """One program compiled again and again: a function that is wrapped anew each time, or a cache that is cleared."""
    wrapped = other.name.startswith(_WRAPPED)
    cause = "function_identity" if wrapped else "cache_cleared"
    change = Change(cause, other.name, "one function object" if wrapped else "compiled", "the same program again")
    saved = sum(build.count - 1 for build in again)
    seconds = sum(build.lost_s * (build.count - 1) / build.count for build in again)
    return make_finding(
        other, cause, [change], again, evidence="proved", compiles=saved, lost_s=seconds, place=place
    )  # fmt: skip


def _sizes(
    other: FunctionStats, place: str, builds: Sequence[Build], keys: Mapping[int, KeyStats]
) -> Iterator[Finding]:
    if len({build.key for build in builds}) >= EAGER_CHURN:
        found = _series(other, builds, keys)
        cause = eager_cause(other.name, found)
        if found and (cause != "eager_shape" or _one_size_churns(builds, keys)):
            yield make_finding(other, cause, _retyped(found, cause), builds[1:], place=place)


def _one_size_churns(builds: Sequence[Build], keys: Mapping[int, KeyStats]) -> bool:
    """Whether one axis of one array, or one number, takes many sizes.

    Several axes that vary each in its own way are layers or models; other ranks are other uses of a kernel.
    """
    alike: dict[tuple[tuple[str, int], ...], list[dict[str, tuple[int, ...]]]] = {}
    for build in builds:
        if build.key is not None and build.key in keys:
            table = numbers_of(keys[build.key])
            alike.setdefault(tuple((where, len(sizes)) for where, sizes in table.items()), []).append(table)
    for tables in alike.values():
        for where in tables[0]:
            columns = zip(*(table[where] for table in tables), strict=True)
            varied = {column for column in columns if len(set(column)) > 1}
            if len(varied) == 1 and len(set(*varied)) >= EAGER_CHURN:
                return True
    return False


def _series(other: FunctionStats, builds: Sequence[Build], keys: Mapping[int, KeyStats]) -> list[Change]:
    used = [keys[build.key] for build in builds if build.key is not None and build.key in keys]
    return [change for one, two in pairwise(used) for change in changes(one.key, two.key)]


def eager_cause(name: str, found: Sequence[Change]) -> str:
    """What changes from one compilation of an eager operation to the next."""
    if name in CONTROL_FLOW and not any(change.cause == "shape" for change in found):
        return "function_identity"
    statics = [change for change in found if change.cause in ("static_value", "static_identity")]
    if any(change.cause == "shape" for change in found) or any(_is_size(change.where) for change in statics):
        return "eager_shape"
    return "static_value" if statics else "eager_shape"


def _is_size(where: str) -> bool:
    return any(word in where for word in ("shape", "size", "length", "limit", "num", "repeats", "dimension"))


def _retyped(found: Iterable[Change], cause: str) -> list[Change]:
    kept = [change for change in found if change.cause in ("shape", "static_value", "static_identity")]
    return [Change(cause, change.where, change.before, change.after) for change in kept]
