"""What a finding on eager work says, and what to change there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from jitwatch._judge.eager_sizes import Churn
from jitwatch._judge.eager_waste import CONTROL_FLOW
from jitwatch._judge.eager_work import Work
from jitwatch._model import Change, Origin
from jitwatch._words.quantity_text import count_text, seconds_text
from jitwatch._words.safe_text import short_place

MAX_OPERATIONS = 4
MAX_SERIES = 6
_MAPPED = re.compile(r"vmap\[(\d+)\]")
"""An array under `vmap`, as keys tell its mapped size."""
_LAX = ("scan", "while_loop", "cond", "fori_loop", "switch", "map", "associative_scan")
"""What users write for control flow themselves; all else that runs it is a solver of a library's."""


def operations_of(works: Iterable[Work]) -> tuple[str, ...]:
    """The operations by JAX's names, the most costly first."""
    seconds: dict[str, float] = {}
    for work in works:
        seconds[work.operation.name] = seconds.get(work.operation.name, 0.0) + work.build.lost_s
    return tuple(sorted(seconds, key=lambda name: -seconds[name]))


def main_origin(works: Sequence[Work]) -> Origin:
    """Of the lines of a place, the origin of those that cost most."""
    seconds: dict[Origin, float] = {}
    for work in works:
        seconds[work.build.origin] = seconds.get(work.build.origin, 0.0) + work.build.lost_s
    return max(seconds, key=lambda origin: seconds[origin])


def place_name(works: Sequence[Work]) -> str:
    """The function around the lines that cost most; at module level the most costly operation."""
    return main_origin(works).function or operations_of(works)[0]


def sizes_message(found: Churn, works: Sequence[Work]) -> str:
    """What a place that runs operation by operation compiles for sizes, or values, that follow from the data."""
    noun = "size" if found.cause == "eager_shape" else "value"
    operations = [name.lstrip("_") for name in operations_of(works)]
    spent = count_text(sum(work.build.count for work in works), "program")
    spent += f", {seconds_text(sum(work.build.lost_s for work in works))}"
    origin = main_origin(works)
    if not origin.function:
        if len(operations) == 1:
            return f"{operations[0]} runs outside jit, at module level: {spent}, one for each {noun}."
        return f"{_listed(operations)} run outside jit, at module level: {spent}, as each {noun} compiles each anew."
    under = origin.under if not origin.initialises else ""
    what = f"{under} of {origin.function}" if under else origin.function
    return f"{what} runs outside jit: {spent}, as each {noun} compiles each operation anew ({_listed(operations)})."


def sizes_differences(found: Churn, sizes: Sequence[str]) -> str:
    """The sizes, or values, in the order of time."""
    if not found.changed:
        return ""
    mapped = [_MAPPED.fullmatch(size) for size in sizes]
    if sizes and all(mapped):
        return f"Mapped at once: {_series([one.group(1) for one in mapped if one is not None])}."
    return f"{_where(found.changed[0].where, found.operation)}: {_series(sizes)}."


def sizes_advice(found: Churn, works: Sequence[Work]) -> str:
    """What helps where sizes, or values, follow from the data."""
    origin = main_origin(works)
    if found.cause == "static_value":
        around = f"jax.jit around {origin.function}" if origin.function else "the statement in a function under jax.jit"
        return f"Put {around} and pass the value as an argument: in there it can be traced, and one program serves all."
    if origin.under and not origin.initialises:
        return (
            f"Put jax.jit around the {origin.under}, as in jax.jit(jax.{origin.under}(f)): it runs f operation by "
            f"operation now. That is one program for each size; pad to a few sizes to have few."
        )
    numpy = "np.asarray(x), and np in place of jnp"
    if found.grows:
        return (
            "It grows. Collect in a list and convert once at the end. Where all so far is needed each time, as for a "
            f"plot or a log, compute with NumPy ({numpy}), which compiles nothing."
        )
    jitted = f"jax.jit around {origin.function}" if origin.function and not origin.looped else "the statements in one "
    jitted += "" if jitted.startswith("jax.jit") else "function under jax.jit"
    return (
        f"Where this only prepares or shows data (a loader, a callback, a plot), compute with NumPy there: {numpy}; it "
        f"compiles nothing. Else pad to one size, or to a few, and put {jitted}: one program for each size."
    )


def waste_message(cause: str, works: Sequence[Work], compiles: int) -> str:
    """What was compiled again though nothing asked for it."""
    made = count_text(sum(work.build.count for work in works), "program")
    spent = f"{made}, {seconds_text(sum(work.build.lost_s for work in works))}, {compiles:,} of them not needed"
    if cause == "static_value":
        return f"{_called(works)} compiled {spent}: outside jit the number of steps is part of the program."
    if cause == "cache_cleared":
        names = _listed([name.lstrip("_") for name in operations_of(works)])
        return f"{names} compiled {spent}: they were there before, and dropped."
    if any(work.operation.name in CONTROL_FLOW for work in works):
        return (
            f"{_called(works)} compiled {spent}: outside jit its body is compiled for each function object that it is "
            "given, and here each call makes new ones."
        )
    return (
        f"{_called(works)} compiled {spent}: each call wraps a new function object, and what is compiled for one does "
        "not serve another."
    )


def waste_differences(cause: str, works: Sequence[Work], sizes: Sequence[str]) -> str:
    """The numbers of steps, or the function of the user's that is a new object each time, where that is known."""
    if cause == "static_value":
        return f"Steps: {_series(sizes)}."
    body = _body(works)
    return f"Its body is {body}." if body else ""


def waste_advice(cause: str, works: Sequence[Work], made: int) -> str:
    """What helps against programs that were there already, at lines where so many were made in all."""
    function = main_origin(works).function
    is_named = function and "<" not in function
    around = f"jax.jit around {function}" if is_named else "the call in a function under jax.jit"
    if cause == "static_value":
        return (
            f"Put {around}, with the number of steps as an argument: a traced bound is no part of the program. Where "
            "gradients are needed, run the largest number of steps, and mask those that are too many."
        )
    if cause == "cache_cleared":
        return (
            "Do not clear JAX's caches between calls (jax.clear_caches()), or turn on the persistent compilation cache."
        )
    if not any(work.operation.name in CONTROL_FLOW for work in works):
        return f"Make the wrapped function once, outside the loop, or put {around}, so that it is wrapped in a trace."
    if not _library(works) and set(_names(works)) <= set(_LAX):
        return (
            f"Put {around}, with all that changes as arguments: then its body is traced once. A body that is defined "
            "once, at module level, helps too."
        )
    return (
        f"Put {around}, with the whole call of {_library(works) or _called(works)} in it, and pass what changes from "
        "call to call (data, start values) as arguments: what it is given is then traced once, and "
        f"{count_text(made, 'program')} are one."
    )


def sizes_of(changed: Iterable[Change]) -> tuple[str, ...]:
    """What the first of the changed parts was, in the order of time."""
    every = list(changed)
    values: list[str] = []
    for change in every:
        if change.where == every[0].where:
            values += [text for text in (change.before, change.after) if [text] != values[-1:]]
    return tuple(values)


def _called(works: Sequence[Work]) -> str:
    """What was called, in the user's words where they are known, and by which library."""
    name = " and ".join(_names(works))
    return f"{name} in a call of {_library(works)}" if _library(works) else name


def _names(works: Sequence[Work]) -> list[str]:
    """What of JAX was called, the most costly first."""
    seconds: dict[str, float] = {}
    for work in works:
        name = work.build.origin.called or work.operation.name.lstrip("_")
        seconds[name] = seconds.get(name, 0.0) + work.build.lost_s
    return sorted(seconds, key=lambda name: -seconds[name])


def _library(works: Sequence[Work]) -> str:
    return next((work.build.library for work in works if work.build.library), "")


def _body(works: Sequence[Work]) -> str:
    """The user's function that became the body, with its line, where JAX knows its name."""
    if _library(works):
        return ""
    texts = [
        static.value.text
        for work in works
        if work.key is not None
        for static in work.key.key.statics
        if work.operation.name in CONTROL_FLOW
        and static.name in ("jaxpr", "body_jaxpr")
        and " at " in static.value.text
    ]
    if not texts:
        return ""
    name, _, place = texts[0].replace("<lambda>", "a lambda").partition(" at ")
    return f"{name} ({short_place(place)})"


def _where(where: str, operation: str) -> str:
    name = where.removeprefix("static ").partition("[")[0]
    return f"{'operand' if name == 'args' else name} of {operation.lstrip('_')}"


def _series(texts: Sequence[str]) -> str:
    shown = list(texts)
    if len(shown) > MAX_SERIES:
        shown = [*shown[: MAX_SERIES - 2], f"… ({len(shown) - MAX_SERIES + 1} more)", shown[-1]]
    return " -> ".join(shown)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_OPERATIONS} more" if len(names) > MAX_OPERATIONS else ""
    return ", ".join(names[:MAX_OPERATIONS]) + more
