"""View model: the bill of a run, seconds by what could be saved, on what evidence, and what was needed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from jitwatch._judge.next_start import can_be_shared
from jitwatch._model import CallSite, Finding, FunctionStats, Process, Snapshot
from jitwatch._record.merge_programs import digest_of
from jitwatch._record.sums import lost_s, program_count

EVIDENCE = ("proved", "likely", "possible")


class Bill(msgspec.Struct, frozen=True):
    """Where the seconds of a run went."""

    spent_s: float
    """In tracing, lowering, compiling and loading, of watched functions and of everything else."""
    saved_s: tuple[tuple[str, float], ...]
    """What findings say could be saved, by their evidence, the surest first."""
    needed_s: float
    """What no finding speaks of: first programs and the like."""
    wall_s: float
    """Of the run, of several processes the sum; 0 where it is not known."""

    reused: int = 0
    """Programs that `jitwatch.reuse()` handed out."""
    spared_s: float = 0.0
    """What that saved; it was not spent."""
    reusable: int = 0
    """Programs that XLA compiled though it had compiled the same one in the same process: `reuse` hands those out."""
    reusable_s: float = 0.0
    """What XLA took for them."""

    @property
    def rest_s(self) -> float:
        """What was no compilation; 0 where that is not known, or where threads compiled at once."""
        return max(self.wall_s - self.spent_s, 0.0)

    @property
    def avoidable_s(self) -> float:
        """What all findings together could save."""
        return sum(seconds for _, seconds in self.saved_s)

    @property
    def needless_s(self) -> float:
        """What was not needed: proved, or likely so."""
        return sum(seconds for evidence, seconds in self.saved_s if evidence != "possible")


class BillLine(msgspec.Struct, frozen=True):
    """A part of the bill: of a function, of a line of the user's, for a cause, or of a process."""

    name: str
    place: str
    spent_s: float
    """For a cause: what it could save."""
    saved_s: tuple[tuple[str, float], ...]
    """As in `Bill`; none for processes, as findings speak of all of them."""


class Breakdown(msgspec.Struct, frozen=True):
    """The bill in parts, each list the most costly first."""

    functions: tuple[BillLine, ...]
    places: tuple[BillLine, ...]
    causes: tuple[BillLine, ...]
    processes: tuple[BillLine, ...]
    """In the order in which they started; as far as their programs were kept one by one."""


def bill_of(snapshot: Snapshot, findings: Iterable[Finding], processes: Sequence[Process] = ()) -> Bill:
    """Make the bill of a snapshot, with the findings on it that are to be said."""
    every = [one.stages for one in (*snapshot.functions, *snapshot.others)]
    left = spent_s = sum(map(lost_s, every))
    saved = dict.fromkeys(EVIDENCE, 0.0)
    for finding in findings:
        seconds = min(finding.lost_s, left)
        left -= seconds
        if finding.evidence in saved:
            saved[finding.evidence] += seconds
    reused, spared_s = sum(each.reused for each in every), sum(each.saved_s for each in every)
    together = any(process.process_index for process in processes)  # where reuse is off
    reusable, reusable_s = (0, 0.0) if together else _reusable(snapshot)
    return Bill(
        spent_s, tuple(saved.items()), left, wall_s_of(snapshot, processes), reused, spared_s, reusable, reusable_s
    )


def _reusable(snapshot: Snapshot) -> tuple[int, float]:
    """Compilations of a process beyond the first of each program, and their seconds, each worth the same."""
    compiled: dict[tuple[str, str], tuple[int, float]] = {}
    for one in (*snapshot.functions, *snapshot.others):
        for build in one.builds:
            if can_be_shared(build):
                count, seconds = compiled.get((build.process, build.program), (0, 0.0))
                compiled[build.process, build.program] = (
                    count + build.count - build.reused - build.loaded, seconds + build.compile_s,
                )  # fmt: skip
    again = [(count - 1, seconds * (count - 1) / count) for count, seconds in compiled.values() if count > 1]
    return sum(count for count, _ in again), sum(seconds for _, seconds in again)


def breakdown_of(snapshot: Snapshot, findings: Sequence[Finding], processes: Sequence[Process]) -> Breakdown:
    """The bill of a snapshot in parts."""
    every = [one for one in (*snapshot.functions, *snapshot.others) if lost_s(one.stages)]
    functions: dict[tuple[str, str], float] = {}
    places: dict[tuple[str, str], float] = {}
    for one in every:
        _add(functions, (one.name, one.defined_at), lost_s(one.stages))
        for site in one.call_sites or (CallSite("", program_count(one.stages), lost_s(one.stages)),):
            _add(places, ("", site.place), site.lost_s)
    return Breakdown(
        _lines(functions, [((one.function, one.defined_at), one) for one in findings]),
        # A function made anew is told of at the line that makes it, which spends nothing itself.
        _lines(places, [(("", one.call_site), one) for one in findings if ("", one.call_site) in places]),
        _lines({}, [((one.cause, ""), one) for one in findings]),
        tuple(_process_lines(every, processes)),
    )


def _add(parts: dict[tuple[str, str], float], part: tuple[str, str], seconds: float) -> None:
    parts[part] = parts.get(part, 0.0) + seconds


def _lines(
    spent: Mapping[tuple[str, str], float], findings: Iterable[tuple[tuple[str, str], Finding]]
) -> tuple[BillLine, ...]:
    saved: dict[tuple[str, str], dict[str, float]] = {part: dict.fromkeys(EVIDENCE, 0.0) for part in spent}
    for part, finding in findings:
        own = saved.setdefault(part, dict.fromkeys(EVIDENCE, 0.0))
        own[finding.evidence] = own.get(finding.evidence, 0.0) + finding.lost_s
    lines = (
        BillLine(*part, spent.get(part, sum(seconds.values())), tuple(seconds.items()))
        for part, seconds in saved.items()
    )
    return tuple(sorted(lines, key=lambda line: (-line.spent_s, line.name, line.place)))


def _process_lines(functions: Sequence[FunctionStats], processes: Sequence[Process]) -> Iterable[BillLine]:
    spent: dict[str, float] = {}
    for one in functions:
        for build in one.builds:
            spent[build.process] = spent.get(build.process, 0.0) + build.lost_s
    whole = sum(lost_s(one.stages) for one in functions)
    for process in sorted(processes, key=lambda process: process.started_unix_s):
        seconds = whole if len(processes) == 1 else spent.get(digest_of(process), 0.0)
        yield BillLine(f"{process.host}:{process.pid}", "", seconds, ())


def wall_s_of(snapshot: Snapshot, processes: Sequence[Process]) -> float:
    """Seconds that the run took; of one process that did not count them, from its start to its last sign of life."""
    if snapshot.wall_s or len(processes) != 1:
        return snapshot.wall_s
    return max(snapshot.unix_s - processes[0].started_unix_s, 0.0)
