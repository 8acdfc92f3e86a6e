"""View model of the page: the summary, with each function seen closely, anchors to link to, and lines of source."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from jitwatch._explain.earlier_programs import closest_earlier
from jitwatch._model import Finding, FunctionStats, Process, Snapshot
from jitwatch._report.bill import Bill, bill_of, breakdown_of
from jitwatch._report.compared import Compared, Kept, compared_programs
from jitwatch._report.details import Details, details_of
from jitwatch._report.sources import SourceLine, lines_around
from jitwatch._report.summary import Cut, FunctionRow, KeyRow, LineRow, Summary, cut_list, summarize
from jitwatch._report.timeline import Timeline, timeline_of

MAX_FUNCTIONS = 1_000
MAX_FINDINGS = 200
MAX_KEY_ROWS = 5_000
MAX_KEYS, FEWEST_KEYS = 100, 3
MAX_HISTOGRAMS = 40
MAX_COMPARED = 40
"""Functions of which programs are compared, the most costly ones."""
MAX_LINES = 100
MAX_SOURCES = 200
"""Places of which the lines of source are shown."""


class FunctionView(msgspec.Struct, frozen=True):
    """One function of the page."""

    anchor: str
    row: FunctionRow
    details: Details
    compared: tuple[Compared, ...]
    """Its programs side by side, where they were kept."""
    keys: Cut[KeyRow]
    """The keys that are shown, of those of the row."""
    sources: tuple[tuple[str, tuple[SourceLine, ...]], ...]
    """Lines of source where it was called, by place."""


class FindingView(msgspec.Struct, frozen=True):
    """One finding of the page."""

    anchor: str
    finding: Finding
    function: str
    """The anchor of its function; empty where it has none."""
    source: tuple[SourceLine, ...]


class LineView(msgspec.Struct, frozen=True):
    """A line that compiled for no watched function."""

    row: LineRow
    source: tuple[SourceLine, ...]


class PageView(msgspec.Struct, frozen=True):
    """All that the page shows."""

    title: str
    summary: Summary
    bill: Bill
    findings: Cut[FindingView]
    functions: tuple[FunctionView, ...]
    others: tuple[LineView, ...]
    timeline: Timeline | None
    processes: tuple[tuple[Process, float], ...]
    """In the order in which they started, each with its seconds, as far as its programs were kept one by one."""
    anchors: dict[int, str]
    """Of each function that is shown, by the ids of its objects."""
    names: dict[int, str]
    """Of everything that was compiled, by its id."""


def page_view(
    snapshot: Snapshot, processes: Sequence[Process] = (), kept: Kept | None = None, *,
    top: int | None = None, sort: str = "spent",
) -> PageView:  # fmt: skip
    """Make the view model of the page of a snapshot.

    Args:
        snapshot: What was recorded.
        processes: In which.
        kept: Reads the programs that were kept, to compare them; None for none.
        top: Functions and findings to show; as many as the page has room for if None.
        sort: The order of functions, as in the option of this name.
    """
    functions = MAX_FUNCTIONS if top is None else min(top, MAX_FUNCTIONS)
    whole = summarize(snapshot, max_functions=functions, max_others=MAX_LINES, with_inner=False, sort=sort)
    rows = whole.functions.shown
    anchors = _anchors(rows)
    objects = {one.id: one for one in snapshot.functions}
    findings = defaultdict(list)
    for finding in whole.findings:
        findings[finding.function, finding.defined_at].append(finding)
    closest = closest_earlier(snapshot)
    sources = _Sources()
    keys = min(MAX_KEYS, max(FEWEST_KEYS, MAX_KEY_ROWS // max(len(rows), 1)))
    shown = cut_list(whole.findings, MAX_FINDINGS if top is None else min(top, MAX_FINDINGS))
    by_place = {
        (one.name, one.defined_at): anchors[one.id] for row in rows for one in map(objects.__getitem__, row.ids)
    }
    programs = {} if kept is None else {one.id: one for one in snapshot.programs}

    def compare(row: FunctionRow) -> tuple[Compared, ...]:
        own = [objects[number] for number in row.ids]
        return () if kept is None else compared_programs(own, closest, programs, kept)

    return PageView(
        title=_program_name(processes),
        summary=whole,
        bill=bill_of(snapshot, whole.findings, processes),
        findings=Cut(tuple(_finding_views(shown.shown, by_place, sources)), shown.more),
        functions=tuple(
            _function_view(
                row, anchors[row.ids[0]], _closely(row, objects, findings, closest, keys, place < MAX_HISTOGRAMS),
                compare(row) if place < MAX_COMPARED else (), keys, sources,
            )
            for place, row in enumerate(rows)
        ),
        others=tuple(LineView(row, sources.around(row.place, 0)) for row in whole.others.shown),
        timeline=timeline_of(snapshot, processes),
        processes=_processes(snapshot, processes),
        anchors=anchors,
        names={one.id: one.name for one in (*snapshot.functions, *snapshot.others)},
    )  # fmt: skip


def _processes(snapshot: Snapshot, processes: Sequence[Process]) -> tuple[tuple[Process, float], ...]:
    lines = breakdown_of(snapshot, (), processes).processes
    started = sorted(processes, key=lambda process: process.started_unix_s)
    return tuple((process, line.spent_s) for process, line in zip(started, lines, strict=True))


class _Sources:
    """Reads the lines around places, up to a bound: a page with thousands of places needs not all of them."""

    def __init__(self) -> None:
        self._left = MAX_SOURCES

    def around(self, place: str, around: int = 1) -> tuple[SourceLine, ...]:
        """The lines around a place; none beyond the bound."""
        lines = lines_around(place, around) if self._left > 0 else ()
        self._left -= bool(lines)
        return lines


def _closely(
    row: FunctionRow, objects: Mapping[int, FunctionStats], findings: Mapping[tuple[str, str], Sequence[Finding]],
    closest: Mapping[tuple[int, int, str], str], max_keys: int, with_sizes: bool,
) -> Details:  # fmt: skip
    own = [objects[number] for number in row.ids]
    places = dict.fromkeys((one.name, one.defined_at) for one in own)
    told = [finding for place in places for finding in findings.get(place, ())]
    return details_of(row, own, told, closest, max_keys=max_keys, max_sizes=2 if with_sizes else 0)


def _function_view(
    row: FunctionRow, anchor: str, details: Details, compared: tuple[Compared, ...], keys: int, sources: _Sources
) -> FunctionView:
    told = {finding.call_site for finding in details.findings}
    calls = [site.place for site in row.call_sites[:3] if site.place not in told]
    return FunctionView(
        anchor=anchor, row=row, details=details, compared=compared, keys=cut_list(row.keys.shown, keys),
        sources=tuple((place, lines) for place in calls if (lines := sources.around(place))),
    )  # fmt: skip


def _finding_views(
    findings: Iterable[Finding], functions: Mapping[tuple[str, str], str], sources: _Sources
) -> Iterable[FindingView]:
    used: Counter[str] = Counter()
    for finding in findings:
        place = functions.get((finding.function, finding.defined_at), "")
        anchor = _unique(f"{finding.code}-{_slug(finding.function)}", used)
        yield FindingView(anchor, finding, place, sources.around(finding.call_site))


def _anchors(rows: Sequence[FunctionRow]) -> dict[int, str]:
    """Name and line, so that a link to a function outlives a page that is made again."""
    used: Counter[str] = Counter()
    anchors = {}
    for row in rows:
        line = re.sub(r"\D.*", "", row.defined_at.rpartition(":")[2])
        anchor = _unique("fn-" + "-".join(part for part in (_slug(row.name), line) if part), used)
        anchors.update(dict.fromkeys(row.ids, anchor))
    return anchors


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", name[:60]).strip("-")


def _unique(anchor: str, used: Counter[str]) -> str:
    used[anchor] += 1
    return anchor if used[anchor] == 1 else f"{anchor}.{used[anchor]}"


def _program_name(processes: Sequence[Process]) -> str:
    """The script or module that was run, where the command line shows it."""
    arguments = processes[0].argv[1:50] if processes else ()
    script = next((one for one in arguments if one.endswith(".py")), "")
    modules = [after for flag, after in pairwise(arguments) if flag == "-m"]
    module = next((one for one in modules if one != "jitwatch"), "")
    return os.path.basename(script.replace("\\", "/")) or module or "JAX program"
