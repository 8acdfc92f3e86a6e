"""View model: the bill of a run, seconds by what could be saved, on what evidence, and what was needed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from jitwatch._model import Finding, Process, Snapshot
from jitwatch._report.summary import Headline

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

    @property
    def rest_s(self) -> float:
        """What was no compilation; 0 where that is not known, or where threads compiled at once."""
        return max(self.wall_s - self.spent_s, 0.0)

    @property
    def avoidable_s(self) -> float:
        """What all findings together could save."""
        return sum(seconds for _, seconds in self.saved_s)


def bill_of(headline: Headline, findings: Iterable[Finding], wall_s: float) -> Bill:
    """Make the bill."""
    spent_s = headline.lost_s + headline.others_s
    saved = dict.fromkeys(EVIDENCE, 0.0)
    left = spent_s
    for finding in findings:
        seconds = min(finding.lost_s, left)
        left -= seconds
        if finding.evidence in saved:
            saved[finding.evidence] += seconds
    return Bill(spent_s, tuple(saved.items()), left, wall_s)


def wall_s_of(snapshot: Snapshot, processes: Sequence[Process]) -> float:
    """Seconds that the run took; of one process that did not count them, from its start to its last sign of life."""
    if snapshot.wall_s or len(processes) != 1:
        return snapshot.wall_s
    return max(snapshot.unix_s - processes[0].started_unix_s, 0.0)
