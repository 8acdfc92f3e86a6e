"""The one judgement that every front end shows: the judge's findings, less those that the author acknowledged.

An author acknowledges a finding at the function's definition or at the call, `# jitwatch: ok JW301 reason`, or in
`[[tool.jitwatch.acknowledged]]` of pyproject.toml. It is then counted and not said.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Iterator, Sequence

import msgspec

from jitwatch import _config
from jitwatch._judge.eager import places
from jitwatch._judge.judge import judge
from jitwatch._judge.notes import notes
from jitwatch._model import Finding, FunctionStats, Place, Snapshot

MAX_SOURCE_BYTES = 5_000_000
_COMMENT = re.compile(r"#\s*jitwatch:\s*ok\s+(JW\d{3})\b[\s:,-]*(.*)")
_DEFINITION_LINES = 6
"""Lines from the first decorator on among which `def` is looked for."""


class Acknowledgement(msgspec.Struct, frozen=True):
    """What an author says to be as it should be."""

    code: str
    function: str
    """Name or qualified name."""
    reason: str
    place: str
    """Where it is written: `file:line`, or pyproject.toml."""
    limit: int | None = None
    """Compilations up to which it holds; more are said again."""

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is one that was meant."""
        return self.code == finding.code and (self.limit is None or finding.compiles <= self.limit)


class Verdict(msgspec.Struct, frozen=True):
    """Findings to be said, those that were acknowledged, and acknowledgements of what does not happen any more."""

    findings: dict[int, list[Finding]]
    """Of each function, by its id."""
    places: tuple[Place, ...]
    """Eager work, the most costly first."""
    acknowledged: tuple[tuple[Finding, Acknowledgement], ...]
    obsolete: tuple[Acknowledgement, ...]
    notes: tuple[Finding, ...] = ()
    """What is worth knowing and no fault; a note never warns."""

    def all_findings(self) -> Iterator[Finding]:
        """Every finding that is to be said."""
        yield from (finding for findings in self.findings.values() for finding in findings)
        yield from (place.finding for place in self.places)


def verdict(snapshot: Snapshot) -> Verdict:
    """Judge a snapshot, and leave out what its author acknowledged, as far as the sources are here.

    Raises:
        JitwatchError: The table in pyproject.toml is not valid.
    """
    functions = {function.id: function for function in (*snapshot.functions, *snapshot.others)}
    project = _of_project()
    findings: dict[int, list[Finding]] = {}
    acknowledged: list[tuple[Finding, Acknowledgement]] = []
    used: set[Acknowledgement] = set()
    known: dict[str, tuple[Acknowledgement, ...]] = {}
    for number, found in judge(snapshot).items():
        function = functions[number]
        own = [one for one in project if one.function in (function.name, function.qualname)]
        for finding in found:
            covering = _covering(finding, (*_of_source(function, finding, known), *own), used)
            if covering is None:
                findings.setdefault(number, []).append(finding)
            else:
                acknowledged.append((finding, covering))
        findings.setdefault(number, [])
    eager, told = places(snapshot), []
    for place in eager:
        covering = _covering(place.finding, tuple(_of_place(place, project)), used)
        if covering is None:
            told.append(place)
        else:
            acknowledged.append((place.finding, covering))
    names = {name for function in functions.values() for name in (function.name, function.qualname)}
    names |= {place.finding.function for place in eager}
    ran = [one for one in project if one.function in names]
    at_definitions = (one for function in functions.values() for one in _at_definition(function, known))
    obsolete = dict.fromkeys(one for one in (*ran, *at_definitions) if one not in used)
    noted = tuple(notes(snapshot, {site.place for place in eager for site in place.lines}))
    return Verdict(findings, tuple(told), tuple(acknowledged), tuple(obsolete), noted)


def _covering(
    finding: Finding, given: Sequence[Acknowledgement], used: set[Acknowledgement]
) -> Acknowledgement | None:  # fmt: skip
    """The acknowledgement that holds for a finding; those of its code go to `used`."""
    used.update(one for one in given if one.code == finding.code)
    return next((one for one in given if one.covers(finding)), None)


def _of_place(place: Place, project: Sequence[Acknowledgement]) -> Iterator[Acknowledgement]:
    """What is said of eager work: at the function around it, at its lines, and in the project's settings."""
    finding = place.finding
    yield from (one for one in project if one.function in (finding.function, *place.operations))
    yield from _near(finding.defined_at, finding.function, _DEFINITION_LINES)
    for line in dict.fromkeys((finding.call_site, *(site.place for site in place.lines))):
        yield from _near(line, finding.function, 1)


def _of_project() -> tuple[Acknowledgement, ...]:
    return tuple(
        Acknowledgement(one["code"], one["function"], one["reason"], "pyproject.toml", one.get("limit"))
        for one in _config.option("acknowledged") or ()
    )


def _of_source(
    function: FunctionStats, finding: Finding, known: dict[str, tuple[Acknowledgement, ...]]
) -> Iterator[Acknowledgement]:
    yield from _at_definition(function, known)
    yield from _near(finding.call_site, function.name, 1)


def _at_definition(
    function: FunctionStats, known: dict[str, tuple[Acknowledgement, ...]]
) -> tuple[Acknowledgement, ...]:
    place = function.defined_at
    if place and place not in known:
        known[place] = tuple(_near(place, function.name, _DEFINITION_LINES))
    return known.get(place, ())


def _near(place: str, name: str, lines: int) -> Iterator[Acknowledgement]:
    """What comments say at a line, on the line before it, and on those after it up to a `def`."""
    file, _, number = place.rpartition(":")
    if not (number.isdecimal() and is_source(file)):
        return
    first = int(number)
    for line in range(max(first - 1, 1), first + lines):
        text = linecache.getline(file, line)
        found = _COMMENT.search(text)
        own = line >= first or text.lstrip().startswith("#")
        if found and own:
            yield Acknowledgement(found.group(1), name, found.group(2).strip(), f"{file}:{line}")
        if line >= first and text.lstrip().startswith(("def ", "async def ", "lambda")):
            return


def is_source(file: str) -> bool:
    """Whether a file may be read: the name can come from a data file of anybody's."""
    try:
        return file.endswith(".py") and os.path.isfile(file) and os.path.getsize(file) <= MAX_SOURCE_BYTES
    except (OSError, ValueError):
        return False
