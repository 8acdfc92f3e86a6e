"""The code of each cause, and what a finding on these changes says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jitwatch._judge.remedies import advice_for
from jitwatch._model import Build, Change, Finding, FunctionStats

CODES = {
    "shape": "JW101", "dtype": "JW102", "weak_type": "JW103", "sharding": "JW104", "committed": "JW105",
    "layout": "JW106", "tree_structure": "JW107", "key_impl": "JW108", "static_value": "JW201",
    "static_identity": "JW202", "arg_kind": "JW203", "function_identity": "JW301", "other": "JW302",
    "eager_shape": "JW303", "config_context": "JW401", "persistent_miss": "JW501", "cache_cleared": "JW502",
    "stuck": "JW601", "stale_capture": "JW701",
}  # fmt: skip
"""docs/findings.md has a section for each."""

MAX_SHOWN = 6


def make_finding(
    function: FunctionStats, cause: str, found: Sequence[Change], builds: Sequence[Build], *,
    evidence: str = "likely", compiles: int | None = None, lost_s: float | None = None, place: str = "",
    advice: str = "",
) -> Finding:  # fmt: skip
    """A finding on these changes.

    Args:
        function: It is about.
        cause: As in `CODES`.
        found: What differed, in the order of time.
        builds: The programs that were not needed.
        evidence: As in `Finding`.
        compiles: How many could be saved, where that is not all of the builds.
        lost_s: Seconds in them, likewise.
        place: The user's line, where it is not that of the first build.
        advice: In place of that for the cause.
    """
    count = sum(build.count for build in builds) if compiles is None else compiles
    seconds = sum(build.lost_s for build in builds) if lost_s is None else lost_s
    reused = sum(build.reused for build in builds)
    call_site = place or next((build.call_site for build in builds if build.call_site), "")
    return Finding(
        code=CODES[cause], cause=cause, function=function.name, defined_at=function.defined_at, call_site=call_site,
        where=tuple(dict.fromkeys(change.where for change in found)), compiles=count, lost_s=seconds,
        message=_message(function, cause, found, count, seconds, reused),
        advice=advice or advice_for(cause, function, found), evidence=evidence,
    )  # fmt: skip


def _message(
    function: FunctionStats, cause: str, found: Sequence[Change], compiles: int, saved_s: float, reused: int
) -> str:
    if cause == "stale_capture":
        first = f"{function.name} returns what it computed with old values of what it reads from outside"
    else:
        times = "once" if compiles == 1 else f"{compiles} times"
        did = "was traced and lowered" if compiles == reused else "compiled"
        first = f"{function.name} {did} {times} more than needed, {saved_s:.3g} s"
        if reused:
            first += f", although reuse spared {min(reused, compiles)} compiles"
    series: dict[str, list[str]] = {}
    for change in found:
        values = series.setdefault(change.where, [])
        for text in map(_without_object, (change.before, change.after)):
            if [text] != values[-1:]:
                values.append(text)
    shown = [f"{where}: {_series(values)}" for where, values in series.items()]
    more = f"; and {len(shown) - MAX_SHOWN} more" if len(shown) > MAX_SHOWN else ""
    return f"{first} ({cause}). {'; '.join(shown[:MAX_SHOWN])}{more}."


def _series(values: Sequence[str]) -> str:
    """What an argument was, in order; equal-looking objects made anew are shown once."""
    if len(values) == 1:
        return f"{values[0]}, another object each time"
    more = f" -> … ({len(values) - MAX_SHOWN} more)" if len(values) > MAX_SHOWN else ""
    return " -> ".join(values[:MAX_SHOWN]) + more


def _without_object(text: str) -> str:
    return re.sub(r" \(object \d+\)$", "", text)
