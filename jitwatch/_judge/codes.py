"""The code of each cause, and what a finding on these changes says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jitwatch._judge.remedies import advice_for
from jitwatch._model import Build, Change, Finding, FunctionStats
from jitwatch._words.function_text import function_text
from jitwatch._words.safe_text import is_installed, short_place

CODES = {
    "shape": "JW101", "dtype": "JW102", "weak_type": "JW103", "sharding": "JW104", "committed": "JW105",
    "layout": "JW106", "tree_structure": "JW107", "key_impl": "JW108", "static_value": "JW201",
    "static_identity": "JW202", "arg_kind": "JW203", "function_identity": "JW301", "other": "JW302",
    "eager_shape": "JW303", "config_context": "JW401", "persistent_miss": "JW501", "cache_cleared": "JW502",
    "stuck": "JW601", "stale_capture": "JW701",
}  # fmt: skip
"""docs/findings.md has a section for each."""

MAX_SHOWN = 6


def page_of(code: str) -> str:
    """Where a code is described."""
    return f"docs/findings.md#{code.lower()}"


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
    reused, loaded = spared(builds, count)
    call_site = place or next((build.call_site for build in builds if build.call_site), "")
    than = "may be needed" if evidence == "possible" else "needed"
    what = _what(function, cause, needless(count, reused, loaded, than))
    differences = _differences(function, cause, found)
    advice = advice or advice_for(
        cause, function, found, compiles=count, lost_s=seconds, library=_library(function, builds)
    )
    return Finding(
        code=CODES[cause], cause=cause, function=function.name, defined_at=function.defined_at, call_site=call_site,
        where=tuple(dict.fromkeys(change.where for change in found)), compiles=count, lost_s=seconds,
        message=f"{what} {differences}", differences=differences, advice=advice, evidence=evidence, reused=reused,
        loaded=loaded,
    )  # fmt: skip


def spared(builds: Iterable[Build], compiles: int) -> tuple[int, int]:
    """Of so many programs that were not needed, those that were reused, and those loaded from the persistent cache."""
    every = tuple(builds)
    reused = min(sum(build.reused for build in every), compiles)
    return reused, min(sum(build.loaded for build in every), compiles - reused)


def _library(function: FunctionStats, builds: Sequence[Build]) -> str:
    """The package that made the function and called it each time; empty where it is not one package's own."""
    packages = {build.library for build in builds}
    return packages.pop() if len(packages) == 1 and is_installed(function.defined_at) else ""


def _what(function: FunctionStats, cause: str, times: str) -> str:
    name = function_text(function.name, function.qualname, function.defined_at)
    if cause == "stale_capture":
        return f"{name} returns what it computed with old values of what it reads from outside."
    if cause == "stuck":
        return f"{name} is called slowly for ever: JAX's fast path is closed to a key whose first call raised."
    return f"{name} {times}."


def needless(compiles: int, reused: int, loaded: int, than: str = "needed") -> str:
    """`compiled 9 times more than needed`, or what is left of that where programs were reused or loaded."""
    times = "once" if compiles == 1 else f"{compiles:,} times"
    by = " and ".join(who for count, who in ((reused, "reuse"), (loaded, "JAX's persistent cache")) if count)
    if compiles and compiles == reused + loaded:
        return f"was traced and lowered {times} more than {than}, though {by} spared the compiles"
    return f"compiled {times} more than {than}" + (f", {reused + loaded:,} of them spared by {by}" if by else "")


def _differences(function: FunctionStats, cause: str, found: Sequence[Change]) -> str:
    """What changed, argument by argument, each in the order of time; of the function itself, without its name again."""
    series: dict[str, list[str]] = {}
    for change in found:
        before, after = map(_in_short, (change.before, change.after))
        values = series.setdefault(change.where, [before])
        if after != values[-1]:
            values.append(after)
    itself = series.pop(function.name, None)
    shown = [f"{where}: {_series(values)}" for where, values in series.items()]
    if itself:
        text = _series(itself)
        shown.insert(0, text[:1].upper() + text[1:])
    if not shown:
        return _UNTOLD.get(cause, "Nothing that JAX looks at differed in the calls.")
    more = f"; and {len(shown) - MAX_SHOWN} more" if len(shown) > MAX_SHOWN else ""
    return f"{'; '.join(shown[:MAX_SHOWN])}{more}."


def _series(values: Sequence[str]) -> str:
    """What an argument was, in order; equal-looking objects made anew are shown once."""
    if len(values) == 1:
        return f"{values[0]}, another object each time"
    numbers = [_NUMPY_NUMBER.fullmatch(value) for value in values]
    if all(numbers):
        values = [number.group(1) for number in numbers if number is not None]
    if len(values) > MAX_SHOWN:
        values = [*values[: MAX_SHOWN - 1], f"… ({len(values) - MAX_SHOWN} more)", values[-1]]
    return " -> ".join(values)


_NUMPY_NUMBER = re.compile(r"np\.\w+\((-?[\d.e+-]+)\)")
"""Where all values are of this form, which NumPy type they have is no part of the story."""

_PLACE = re.compile(r" at (\S+:\d+)\b")
"""As functions are described in keys."""

_UNTOLD = {"function_identity": "It was given another function object each time."}
"""What to say where no argument differed, for each cause."""


def _in_short(text: str) -> str:
    """A value without the number of its object, and with the places in it as the author knows them."""
    return _PLACE.sub(lambda place: f" at {short_place(place.group(1))}", re.sub(r" \(object \d+\)$", "", text))
