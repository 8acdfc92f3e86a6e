"""What a finding on eager work says, and what to change there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jitwatch._judge.eager_sizes import Churn
from jitwatch._judge.eager_waste import CONTROL_FLOW
from jitwatch._judge.eager_work import Work
from jitwatch._model import Change
from jitwatch._words.quantity_text import count_text, seconds_text

MAX_OPERATIONS = 4
MAX_SERIES = 8
_LAX = ("scan", "while_loop", "cond", "fori_loop", "switch", "map", "associative_scan")
"""What users write for control flow themselves; all else that runs it is a solver of a library's."""


def operations_of(works: Iterable[Work]) -> tuple[str, ...]:
    """The operations by JAX's names, the most costly first."""
    seconds: dict[str, float] = {}
    for work in works:
        seconds[work.operation.name] = seconds.get(work.operation.name, 0.0) + work.build.lost_s
    return tuple(sorted(seconds, key=lambda name: -seconds[name]))


def place_name(works: Sequence[Work]) -> str:
    """The function around some work; at module level its most costly operation."""
    return works[0].build.origin.function or operations_of(works)[0]


def sizes_message(found: Churn, works: Sequence[Work], sizes: Sequence[str]) -> str:
    """What an operation-by-operation place compiles for sizes, or values, that follow from the data."""
    noun = "size" if found.cause == "eager_shape" else "value"
    names = _listed([name.lstrip("_") for name in operations_of(works)])
    made = sum(work.build.count for work in works)
    seconds = seconds_text(sum(work.build.lost_s for work in works))
    varied = found.changed[0].where if found.changed else ""
    return (
        f"{_subject(works)} outside jit: {count_text(made, 'program')}, {seconds}, as each {noun} compiles each "
        f"operation anew ({names}). {_where(varied, operations_of(found.surplus)[0])}: {_series(sizes)}."
    )


def sizes_advice(found: Churn, works: Sequence[Work]) -> str:
    """What helps where sizes, or values, follow from the data."""
    origin = found.surplus[0].build.origin
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
            "It grows. Collect in a list or a NumPy array and convert once at the end; where all so far is needed each "
            f"time, for a plot or a log, compute that with NumPy ({numpy}). NumPy compiles nothing."
        )
    jitted = f"jax.jit around {origin.function}" if origin.function and not origin.looped else "the statements in one "
    jitted += "" if jitted.startswith("jax.jit") else "function under jax.jit"
    return (
        f"Where this only prepares or shows data (a loader, a callback, a plot), compute with NumPy there: {numpy}; it "
        f"compiles nothing. Else pad to one size, or to a few, and put {jitted}: one program for each size."
    )


def waste_message(cause: str, works: Sequence[Work], compiles: int, sizes: Sequence[str]) -> str:
    """What was compiled again though nothing asked for it."""
    made = sum(work.build.count for work in works)
    saved = f"{seconds_text(sum(work.build.lost_s for work in works))}, {compiles} of them not needed"
    what = _called(works)
    if cause == "static_value":
        return (
            f"{what} compiled {count_text(made, 'program')}, {saved}: outside jit the number of steps is part of the "
            f"program. Steps: {_series(sizes)}."
        )
    if cause == "cache_cleared":
        names = _listed([name.lstrip("_") for name in operations_of(works)])
        return f"{names} compiled {count_text(made, 'program')}, {saved}: they were there before, and dropped."
    if any(work.operation.name in CONTROL_FLOW for work in works):
        return (
            f"{what} compiled {count_text(made, 'program')}, {saved}: outside jit its loop is compiled for each "
            f"function object that it is given, and here they are made anew for each call{_body(works)}."
        )
    return (
        f"{what} compiled {count_text(made, 'program')}, {saved}: each call wraps a new function object, and what is "
        "compiled for one does not serve another."
    )


def waste_advice(cause: str, works: Sequence[Work]) -> str:
    """What helps against programs that were there already."""
    function = works[0].build.origin.function
    is_named = function and "<" not in function
    around = f"jax.jit around {function}" if is_named else "the call in a function under jax.jit"
    what = _called(works)
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
    if what in _LAX:
        return (
            f"Put {around}, with all that changes as arguments: then its body is traced once. A body that is defined "
            "once, at module level, helps too."
        )
    return (
        f"Put {around}, with the whole call of {what} in it, and pass what changes from call to call (data, start "
        "values) as arguments: the functions that it is given are then traced once."
    )


def sizes_of(changed: Iterable[Change]) -> tuple[str, ...]:
    """What the first of the changed parts was, in the order of time."""
    every = list(changed)
    values: list[str] = []
    for change in every:
        if change.where == every[0].where:
            values += [text for text in (change.before, change.after) if [text] != values[-1:]]
    return tuple(values)


def _subject(works: Sequence[Work]) -> str:
    origin = works[0].build.origin
    if origin.under and not origin.initialises:
        return f"{origin.under} of {origin.function or 'a function'} runs"
    if origin.function:
        return f"{origin.function} runs" if not origin.looped else f"A loop in {origin.function} runs"
    return "A loop at module level runs" if origin.looped else "Code at module level runs"


def _called(works: Sequence[Work]) -> str:
    """What the user called, in the user's words where they are known."""
    names = [work.build.origin.called for work in works if work.build.origin.called]
    library = next((work.build.library for work in works if work.build.library), "")
    name = names[0] if names else works[0].operation.name.lstrip("_")
    return f"{name} in {library}" if library else name


def _body(works: Sequence[Work]) -> str:
    """The user's function that became the body, where JAX knows its name."""
    texts = [
        static.value.text
        for work in works
        if work.key is not None
        for static in work.key.key.statics
        if static.name in ("jaxpr", "body_jaxpr") and " at " in static.value.text
    ]
    return f" ({texts[0]})" if texts else ""


def _where(where: str, operation: str) -> str:
    name = where.removeprefix("static ").partition("[")[0]
    if where.startswith("args["):
        return f"What {operation.lstrip('_')} is given"
    return f"{name[:1].upper()}{name[1:]} of {operation.lstrip('_')}" if name else "Sizes"


def _series(texts: Sequence[str]) -> str:
    more = f", … ({len(texts) - MAX_SERIES} more)" if len(texts) > MAX_SERIES else ""
    return ", ".join(texts[:MAX_SERIES]) + more


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_OPERATIONS} more" if len(names) > MAX_OPERATIONS else ""
    return ", ".join(names[:MAX_OPERATIONS]) + more
