"""Eager work that one place of the user's compiles again and again: one finding for each place. Pure.

A place is a function of the user's, or a loop in it (`eager_work`). What was compiled twice speaks first
(`eager_waste`), then sizes (`eager_sizes`), of the lines that are left. What an initialiser makes is a note (`notes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from jitwatch._judge import eager_text
from jitwatch._judge.codes import CODES, spared
from jitwatch._judge.eager_sizes import churn
from jitwatch._judge.eager_waste import Waste, wasted
from jitwatch._judge.eager_work import Work, eager_work, neighbourhoods
from jitwatch._model import CallSite, Finding, FunctionStats, Place, Program, Snapshot


def places(snapshot: Snapshot) -> tuple[Place, ...]:
    """The places whose eager work compiles too often, the most costly first."""
    programs = {program.id: program for program in snapshot.programs}
    found = [
        place
        for works in neighbourhoods(eager_work(snapshot.others))
        for place in _judged(works, programs, snapshot.wall_s)
    ]
    return tuple(sorted(found, key=lambda place: (-place.finding.lost_s, place.finding.call_site)))


def _judged(works: Sequence[Work], programs: Mapping[str, Program], wall_s: float) -> Iterator[Place]:
    by_cause: dict[str, list[Waste]] = {}
    for waste in wasted(works, programs):
        by_cause.setdefault(waste.cause, []).append(waste)
    taken: set[str] = set()
    for cause, wastes in sorted(by_cause.items(), key=lambda item: -sum(waste.lost_s for waste in item[1])):
        left = [waste for waste in wastes if waste.works[0].line not in taken]
        if left:
            lines = {waste.works[0].line for waste in left}
            taken |= lines
            yield _of_waste(cause, left, [work for work in works if work.line in lines], wall_s)
    rest = [work for work in works if work.line not in taken and not work.build.origin.initialises]
    if rest:
        yield from _of_sizes(rest, wall_s)


class _Share(NamedTuple):
    """What a finding saves of one operation."""

    operation: FunctionStats
    compiles: int
    lost_s: float


def _of_waste(cause: str, wastes: Sequence[Waste], works: Sequence[Work], wall_s: float) -> Place:
    every = [work for waste in wastes for work in waste.works]
    shares = [_Share(waste.works[0].operation, waste.compiles, waste.lost_s) for waste in wastes]
    sizes = eager_text.sizes_of(change for waste in wastes for change in waste.changed)
    finding = _finding(
        works, cause, shares, wall_s, where=[change.where for change in wastes[0].changed],
        message=eager_text.waste_message(cause, every, sum(waste.compiles for waste in wastes)),
        differences=eager_text.waste_differences(cause, every, sizes),
        advice=eager_text.waste_advice(cause, every, sum(work.build.count for work in works)),
        evidence="proved" if all(waste.is_proved for waste in wastes) else "likely",
    )  # fmt: skip
    return _place(finding, works, shares, sizes)


def _of_sizes(works: Sequence[Work], wall_s: float) -> Iterator[Place]:
    found = churn(works)
    if found is not None:
        shares = [_Share(work.operation, 1, work.build.lost_s / work.build.count) for work in found.surplus]
        sizes = eager_text.sizes_of(found.changed)
        finding = _finding(
            works, found.cause, shares, wall_s, where=[change.where for change in found.changed],
            message=eager_text.sizes_message(found, works),
            differences=eager_text.sizes_differences(found, sizes), advice=eager_text.sizes_advice(found, works),
            evidence="likely",
        )  # fmt: skip
        yield _place(finding, works, shares, sizes)


def _finding(
    works: Sequence[Work], cause: str, shares: Sequence[_Share], wall_s: float, *, where: Sequence[str],
    message: str, differences: str, advice: str, evidence: str,
) -> Finding:  # fmt: skip
    origin = eager_text.main_origin(works)
    under_transform = origin.under and not origin.initialises
    compiles, lost_s = sum(share.compiles for share in shares), sum(share.lost_s for share in shares)
    reused, loaded = spared((work.build for work in works), compiles)
    return Finding(
        code=CODES[cause], cause=cause, function=eager_text.place_name(works), defined_at=origin.defined_at,
        call_site=origin.under_at if under_transform else _lines(works)[0].place,
        where=tuple(dict.fromkeys(where)) or eager_text.operations_of(works),
        compiles=compiles, lost_s=lost_s, message=f"{message} {differences}".rstrip(),
        differences=differences, advice=advice, reused=reused, loaded=loaded,
        evidence=evidence, share_of_run=min(lost_s / wall_s, 1.0) if wall_s else 0.0,
    )  # fmt: skip


def _place(finding: Finding, works: Sequence[Work], shares: Sequence[_Share], sizes: tuple[str, ...]) -> Place:
    compiles: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for share in shares:
        compiles[share.operation.id] = compiles.get(share.operation.id, 0) + share.compiles
        seconds[share.operation.id] = seconds.get(share.operation.id, 0.0) + share.lost_s
    first = max(seconds, key=lambda number: seconds[number])
    reused, loaded = spared((work.build for work in works if work.operation.id == first), compiles[first])
    part = msgspec.structs.replace(
        finding, compiles=compiles[first], lost_s=seconds[first], reused=reused, loaded=loaded,
        share_of_run=finding.share_of_run * seconds[first] / (finding.lost_s or 1.0),
    )  # fmt: skip
    return Place(
        finding=finding, operations=eager_text.operations_of(works), lines=_lines(works), sizes=sizes,
        programs=sum(work.build.count for work in works), lost_s=sum(work.build.lost_s for work in works),
        most_costly=first, part=part,
    )  # fmt: skip


def _lines(works: Sequence[Work]) -> tuple[CallSite, ...]:
    found: dict[str, CallSite] = {}
    for work in works:
        known = found.get(work.line, CallSite(work.line, 0, 0.0, work.build.library))
        found[work.line] = CallSite(
            work.line, known.misses + work.build.count, known.lost_s + work.build.lost_s, known.library
        )
    return tuple(sorted(found.values(), key=lambda site: (-site.lost_s, site.place)))
