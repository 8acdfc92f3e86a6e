"""What differs between two recordings, in the words that text and Markdown share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from jitwatch._compare.comparison import Comparison, Pair, Side, cause_rates
from jitwatch._judge.compiled import FunctionName
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import clean, clean_place

_MAX_RENAMED = 8

_STATUSES = {"more": "more", "new": "new", "fewer": "fewer", "gone": "gone", "causes": "other causes"}
"""In the order in which they are shown, after what increased."""


def ordered(pairs: Iterable[Pair]) -> list[Pair]:
    """What increased first, then by status and by how much."""
    order = list(_STATUSES)
    return sorted(
        pairs,
        key=lambda pair: (not pair.is_increase, order.index(pair.status), -_difference(pair), pair.name, pair.file),
    )


def status_text(pair: Pair) -> str:
    """Say in a word what became of a function."""
    return _STATUSES.get(pair.status, "")


def headline(comparison: Comparison) -> str:
    """The answer in a sentence or three."""
    before, after = comparison.before, comparison.after
    seconds = f"{seconds_text(before.lost_s)} → {seconds_text(after.lost_s)}"
    if comparison.is_empty:
        compiles = f"{count_text(after.functions, 'function')} with {count_text(after.compiles, 'compile')}"
        return f"No difference: {compiles}, {seconds}."
    parts = [f"{before.compiles:,} → {after.compiles:,} compiles of jitted functions, {seconds}."]
    statuses = Counter(pair.status for pair in comparison.functions)
    counts = [f"{statuses[status]:,} {word}" for status, word in _STATUSES.items() if statuses[status]]
    if counts:
        parts.append(f"Functions that differ: {', '.join(counts)}.")
    if comparison.new_findings:
        parts.append(f"{count_text(len(comparison.new_findings), 'new finding')}.")
    return " ".join(parts)


def others_headline(comparison: Comparison) -> str:
    """What became of eager operations and other programs, in a sentence."""
    before, after = comparison.before, comparison.after
    seconds = f"{seconds_text(before.others_lost_s)} → {seconds_text(after.others_lost_s)}"
    compiles = f"{before.others_compiles:,} → {after.others_compiles:,}"
    return f"Eager operations and other programs: {compiles} compiles, {seconds}"


def renamed_text(comparison: Comparison) -> str:
    """Which functions have another name or file than before; empty if none has."""
    told = [
        f"{_place(pair.was)} → {_place(FunctionName(pair.name, pair.file))}"
        for pair in comparison.renamed[:_MAX_RENAMED]
        if pair.was is not None
    ]
    if len(comparison.renamed) > len(told):
        told.append(f"… {len(comparison.renamed) - len(told):,} more")
    return f"Renamed or moved, told by their programs: {', '.join(told)}" if told else ""


def _place(name: FunctionName) -> str:
    return clean(name.name, 80) + (f" ({clean_place(name.file, 80)})" if name.file else "")


def compiles_text(pair: Pair) -> str:
    """How often a function compiled before and after."""
    return f"{_compiles(pair.before)} → {_compiles(pair.after)}"


def lost_text(pair: Pair) -> str:
    """Its seconds before and after."""
    return " → ".join(seconds_text(side.lost_s if side else 0.0) for side in (pair.before, pair.after))


def causes_text(pair: Pair) -> str:
    """How many compiles each cause has more or less, for each process: `+3 shape, -1 dtype`."""
    before, after = cause_rates(pair.before), cause_rates(pair.after)
    changed = {cause: after.get(cause, 0) - before.get(cause, 0) for cause in sorted({*before, *after})}
    return ", ".join(f"{float(by):+.3g} {clean(cause, 40)}" for cause, by in changed.items() if by)


def _compiles(side: Side | None) -> str:
    if side is None:
        return "0"
    return f"{side.compiles:,}" + (f" in {side.processes:,} processes" if side.processes > 1 else "")


def _difference(pair: Pair) -> int:
    return abs(sum((1, -1)[side is pair.before] * side.compiles for side in (pair.after, pair.before) if side))
