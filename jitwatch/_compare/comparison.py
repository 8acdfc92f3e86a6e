"""Compares two snapshots: what compiles more, what less, for which causes, and which findings are new. Pure.

Counts are compared for each process that used a function, so that the same program in more processes is no difference.
Seconds are told and never compared: they vary from run to run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

import msgspec

from jitwatch._compare.renamed import Fingerprints, fingerprints, renamed
from jitwatch._judge.compiled import Compiled, FunctionName, compiled_functions, count_causes, file_of
from jitwatch._model import Finding, Snapshot
from jitwatch._policy.verdict import verdict


class Side(msgspec.Struct, frozen=True):
    """One function in one of the recordings."""

    file: str
    compiles: int
    """Programs: XLA compilations and loads from the persistent cache."""
    processes: int
    """Those that used it, whose compiles are added up."""
    causes: tuple[tuple[str, int], ...]
    """Compiles for each cause, by name; a compile with two causes counts for both."""
    lost_s: float


class Pair(msgspec.Struct, frozen=True):
    """One function in both recordings; None where it compiled nothing."""

    name: str
    before: Side | None
    after: Side | None
    was: FunctionName | None = None
    """Its earlier name and file, where its programs tell that it was renamed, or moved to another file."""

    @property
    def status(self) -> str:
        """`new`, `gone`, `more` or `fewer` compiles, `causes` for as many with other causes, or `same`."""
        if self.before is None or self.after is None:
            return "new" if self.before is None else "gone"
        if compile_rate(self.before) != compile_rate(self.after):
            return "more" if compile_rate(self.after) > compile_rate(self.before) else "fewer"
        return "same" if cause_rates(self.before) == cause_rates(self.after) else "causes"

    @property
    def is_increase(self) -> bool:
        """Whether it compiles more than before, or is new and compiles more than once in a process."""
        return self.status == "more" or (self.status == "new" and compile_rate(self.after) > 1)

    @property
    def file(self) -> str:
        """Of the later recording, where it is in that."""
        side = self.after or self.before
        return side.file if side is not None else ""


class Totals(msgspec.Struct, frozen=True):
    """One recording in numbers."""

    functions: int
    """Those that compiled."""
    compiles: int
    lost_s: float
    others_compiles: int
    """Of eager operations and other programs."""
    others_lost_s: float


class Comparison(msgspec.Struct, frozen=True):
    """Two recordings, side by side."""

    before: Totals
    after: Totals
    functions: tuple[Pair, ...]
    """Those that differ."""
    unchanged: tuple[Pair, ...]
    others: tuple[Pair, ...]
    """Eager operations and programs of no watched function that differ."""
    new_findings: tuple[Finding, ...]
    gone_findings: tuple[Finding, ...]

    @property
    def renamed(self) -> tuple[Pair, ...]:
        """Functions that had another name, or stood in another file."""
        return tuple(pair for pair in (*self.functions, *self.unchanged) if pair.was is not None)

    @property
    def is_empty(self) -> bool:
        """Whether there is no difference."""
        return not (self.functions or self.others or self.new_findings or self.gone_findings)

    @property
    def has_increase(self) -> bool:
        """Whether a function compiles more; eager operations are not looked at."""
        return any(pair.is_increase for pair in self.functions)

    @property
    def has_count_difference(self) -> bool:
        """Whether any count of compiles differs, of functions or other programs; causes are not looked at."""
        return any(pair.status != "causes" for pair in (*self.functions, *self.others))


def compare(before: Snapshot, after: Snapshot, file_name: Callable[[str], str]) -> Comparison:
    """Compare two snapshots.

    Args:
        before: The earlier one.
        after: The later one.
        file_name: Makes the stable name of the file of a `file:line`.
    """
    functions = [compiled_functions(each.functions, file_name) for each in (before, after)]
    others = [compiled_functions(each.others, file_name) for each in (before, after)]
    totals = [_totals(*each) for each in zip(functions, others, strict=True)]
    findings = [_findings(each) for each in (before, after)]
    told = [fingerprints(*each) for each in zip(functions, (before, after), strict=True)]
    sides = [_sides(each) for each in functions]
    pairs = _pairs(sides[0], sides[1], told[0], told[1])
    other_pairs = _pairs(_sides(others[0]), _sides(others[1]))
    named = (
        [(_later_identity(one, pairs), one) for one in findings[0]], [(_identity(one), one) for one in findings[1]],
    )  # fmt: skip
    return Comparison(
        before=totals[0], after=totals[1],
        functions=tuple(pair for pair in pairs if pair.status != "same"),
        unchanged=tuple(pair for pair in pairs if pair.status == "same"),
        others=tuple(pair for pair in other_pairs if pair.status in ("new", "gone", "more", "fewer")),
        new_findings=_only_in(named[1], named[0]), gone_findings=_only_in(named[0], named[1]),
    )  # fmt: skip


def compile_rate(side: Side | None) -> Fraction:
    """Compiles for each process that used the function."""
    return Fraction(0) if side is None else Fraction(side.compiles, side.processes)


def cause_rates(side: Side | None) -> dict[str, Fraction]:
    """The same for each cause."""
    return {} if side is None else {cause: Fraction(count, side.processes) for cause, count in side.causes}


def _sides(found: Mapping[FunctionName, Compiled]) -> dict[FunctionName, Side]:
    return {name: _side(compiled) for name, compiled in found.items() if compiled.compiles}


def _side(compiled: Compiled) -> Side:
    causes = tuple(sorted(count_causes(compiled.programs).items()))
    return Side(compiled.function.file, compiled.compiles, compiled.processes, causes, compiled.lost_s)


def _pairs(
    before: Mapping[FunctionName, Side], after: Mapping[FunctionName, Side],
    programs_before: Fingerprints = MappingProxyType({}), programs_after: Fingerprints = MappingProxyType({}),
) -> list[Pair]:  # fmt: skip
    """Pair functions of one name and file, then those that moved with their file, then those with the same programs."""
    gone, new = before.keys() - after.keys(), after.keys() - before.keys()
    moved = _moved(gone, new)
    left = sorted(gone - moved.keys()), sorted(new - set(moved.values()))
    others = renamed(*left, programs_before, programs_after)
    later = moved | others
    names = [*before, *(name for name in after if name not in before and name not in later.values())]
    pairs = [
        Pair(
            later.get(name, name).name, before.get(name), after.get(later.get(name, name)),
            name if name in others else None,
        )
        for name in names
    ]  # fmt: skip
    return sorted(pairs, key=lambda pair: (pair.name, pair.file))


def _moved(gone: Iterable[FunctionName], new: Iterable[FunctionName]) -> dict[FunctionName, FunctionName]:
    """Of functions in one recording only, those that are the same but for the folder, as in two checkouts."""
    left, right = (_by_base_name(names) for names in (gone, new))
    return {
        names[0]: right[place][0]
        for place, names in left.items()
        if len(names) == 1 and len(right.get(place, ())) == 1
    }  # fmt: skip


def _by_base_name(names: Iterable[FunctionName]) -> dict[tuple[str, str], list[FunctionName]]:
    found: dict[tuple[str, str], list[FunctionName]] = {}
    for name in names:
        found.setdefault((name.name, _base_name(name.file)), []).append(name)
    return found


def _base_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _totals(functions: Mapping[FunctionName, Compiled], others: Mapping[FunctionName, Compiled]) -> Totals:
    return Totals(
        functions=sum(one.compiles > 0 for one in functions.values()),
        compiles=sum(one.compiles for one in functions.values()),
        lost_s=math.fsum(one.lost_s for one in functions.values()),
        others_compiles=sum(one.compiles for one in others.values()),
        others_lost_s=math.fsum(one.lost_s for one in others.values()),
    )


def _findings(snapshot: Snapshot) -> list[Finding]:
    return list(verdict(snapshot).all_findings())


_Identity = tuple[str, str, str, tuple[str, ...]]
_Named = Sequence[tuple[_Identity, Finding]]


def _identity(finding: Finding) -> _Identity:
    """What tells a finding in every recording, whatever its lines and numbers."""
    place = finding.defined_at or finding.call_site
    return finding.function, _base_name(file_of(place)), finding.cause, finding.where


def _later_identity(finding: Finding, pairs: Iterable[Pair]) -> _Identity:
    """That of an earlier finding if its function had had the later name and file."""
    function, file, cause, where = _identity(finding)
    for pair in pairs:
        if pair.was is not None and (pair.was.name, _base_name(pair.was.file)) == (function, file):
            return pair.name, _base_name(pair.file), cause, where
    return function, file, cause, where


def _only_in(findings: _Named, known: _Named) -> tuple[Finding, ...]:
    """The findings that have no counterpart."""
    counterparts = Counter(identity for identity, _ in known)
    only = []
    for identity, finding in findings:
        if counterparts[identity]:
            counterparts[identity] -= 1
        else:
            only.append(finding)
    return tuple(only)
