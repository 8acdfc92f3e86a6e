"""The bill, as it stands in the JSON report."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from jitwatch._model import Finding, Process, Snapshot
from jitwatch._report.bill import EVIDENCE, BillLine, bill_of, breakdown_of
from jitwatch._words.safe_text import clean, clean_place

MAX_LINES = 1_000


class JsonBillLine(msgspec.Struct, frozen=True):
    """A part of the bill."""

    name: str
    place: str
    spent_s: float
    """For a cause: what it could save."""
    proved_s: float
    likely_s: float
    possible_s: float


class JsonBill(msgspec.Struct, frozen=True):
    """Where the seconds of the run went."""

    wall_s: float
    """Of the run; 0 where it is not known."""
    spent_s: float
    """In tracing, lowering, compiling and loading, of everything."""
    proved_s: float
    """Not needed: what findings say could be saved, by their evidence."""
    likely_s: float
    possible_s: float
    needed_s: float
    """What no finding speaks of."""
    reused: int
    spared_s: float
    """What reuse saved; it was not spent."""
    reusable: int
    """Programs that XLA compiled though it had compiled the same one in the same process."""
    reusable_s: float
    """What XLA took for them, which reuse would have spared."""
    functions: list[JsonBillLine]
    places: list[JsonBillLine]
    causes: list[JsonBillLine]
    processes: list[JsonBillLine]
    """What findings could save is not known for each process."""


def json_bill(snapshot: Snapshot, findings: Sequence[Finding], processes: Sequence[Process]) -> JsonBill:
    """The bill of a snapshot with these findings."""
    bill, parts = bill_of(snapshot, findings, processes), breakdown_of(snapshot, findings, processes)
    return JsonBill(
        wall_s=bill.wall_s, spent_s=bill.spent_s, needed_s=bill.needed_s, reused=bill.reused, spared_s=bill.spared_s,
        reusable=bill.reusable, reusable_s=bill.reusable_s, functions=_lines(parts.functions),
        places=_lines(parts.places), causes=_lines(parts.causes), processes=_lines(parts.processes),
        **_by_evidence(bill.saved_s),
    )  # fmt: skip


def _lines(lines: Sequence[BillLine]) -> list[JsonBillLine]:
    return [
        JsonBillLine(
            name=clean(line.name), place=clean_place(line.place), spent_s=line.spent_s, **_by_evidence(line.saved_s)
        )
        for line in lines[:MAX_LINES]
    ]


def _by_evidence(saved_s: Sequence[tuple[str, float]]) -> dict[str, float]:
    saved = dict(saved_s)
    return {f"{evidence}_s": saved.get(evidence, 0.0) for evidence in EVIDENCE}
