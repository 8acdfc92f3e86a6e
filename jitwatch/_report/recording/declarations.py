"""The calls in a recording as Python source that declares them, for `warm_up` and `expect`.

A key is a `jitwatch.spec(...)`, with `...` for what cannot be written as source. Where that differs between the keys of
a function, its keys are dicts from the paths that vary. What cannot be declared is said in a comment.
"""

from __future__ import annotations

import ast
import itertools
import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec

from jitwatch._judge.judge import definitions
from jitwatch._model import Argument, CacheKey, FunctionStats, KeyStats, Leaf, Snapshot, StaticArgument
from jitwatch._report.recording.literals import (
    is_usual_layout,
    leaf_source,
    shape_source,
    static_source,
    tree_source,
)
from jitwatch._words.part_text import full_leaf_text
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import clean, short_place

_HEAD = (
    "# Calls for which JAX compiled programs, most used first. `warm_up` is a method of functions that",
    "# jitwatch.watched_jit made.",
)
_IMPORTS = (("jax.", "import jax"), ("jitwatch.", "import jitwatch"), ("np.", "import numpy as np"))
_WIDTH = 100
_COUNTS = ("hits", "misses", "nested", "failures", "warmed")


def declarations(data: Snapshot) -> str:
    """Give Python source with a list of declared calls for each function of a snapshot."""
    names = _Names()
    used = [_together(same) for same in definitions(one for one in data.functions if one.keys or one.dropped_keys)]
    functions = [line for stats in used for line in ("", *_function_lines(stats, names))]
    code = [line for line in functions if not line.startswith("#")]
    imports = [line for prefix, line in _IMPORTS if any(prefix in each for each in code)]
    if not functions:
        functions = ["", "# No call of a function was recorded."]
    return "\n".join([*_HEAD, *imports, *functions]) + "\n"


def _together(objects: Sequence[FunctionStats]) -> FunctionStats:
    """The function objects that one definition made as one, each key once with the hits of all."""
    keys: dict[CacheKey, KeyStats] = {}
    for key in chain.from_iterable(one.keys for one in objects):
        known = keys.get(key.key)
        counts = {} if known is None else {name: getattr(known, name) + getattr(key, name) for name in _COUNTS}
        keys[key.key] = msgspec.structs.replace(key if known is None else known, **counts)
    dropped = sum(one.dropped_keys for one in objects)
    return msgspec.structs.replace(objects[0], keys=tuple(keys.values()), dropped_keys=dropped)


class _Names:
    """Names of constants, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(2))

    def constant(self, name: str) -> str:
        """A name like the function's that no other list has."""
        base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").upper()[:60] or "FUNCTION"
        base = f"F_{base}" if base[0].isdigit() else base
        found = base
        while found in self._given:
            found = f"{base}_{next(self._numbers[base])}"
        self._given.add(found)
        return found


class _Given(NamedTuple):
    """One argument of a recorded call."""

    argument: Argument | StaticArgument
    leaves: tuple[Leaf, ...]
    source: str | None
    """None where no source makes the same argument again."""


class _Call(NamedTuple):
    """One recorded key with its arguments in order."""

    stats: KeyStats
    given: tuple[_Given, ...]
    ordered: bool
    """Whether the order of the positional arguments is known."""

    def unwritable(self) -> tuple[Any, ...]:
        """What has to come from an example call."""
        return tuple((one.argument, one.leaves) for one in self.given if one.source is None)

    def structure(self) -> tuple[Any, ...]:
        """Equal for calls of which each is the other with other leaves and static values."""
        key = self.stats.key
        return key.arguments, tuple((one.name, one.by_keyword) for one in key.statics), key.omitted

    def places(self) -> dict[str, Leaf | StaticArgument]:
        """What can be declared by path."""
        found: dict[str, Leaf | StaticArgument] = {}
        for argument, leaves, _ in self.given:
            if isinstance(argument, StaticArgument):
                found[argument.name] = argument
            else:
                found.update(zip(argument.paths, leaves, strict=False))
        return found


def _function_lines(stats: FunctionStats, names: _Names) -> list[str]:
    calls = [_call(key, stats) for key in stats.keys if _is_program(key)]
    calls.sort(key=lambda call: (-call.stats.hits, call.stats.number))
    count = sum(call.stats.hits + call.stats.misses for call in calls)
    place = f" ({short_place(stats.defined_at)})" if stats.defined_at else ""
    told = f"{count_text(len(calls), 'key')} in {count_text(count, 'call')}"
    if not stats.hits_counted:
        told = f"{count_text(len(calls), 'key')}; hits were not counted"
    lines = [f"# {clean(stats.name)}{place}: {told}", *_warmed(calls, stats), *_left_out(stats)]
    contexts: dict[Any, list[_Call]] = {}
    for call in calls:
        contexts.setdefault(call.stats.key.context, []).append(call)
    for context, those in contexts.items():
        settings = ", ".join(f"{clean(name, 60)}={clean(value, 60)}" for name, value in context)
        under = [f"# Under {settings}: warm up under the same settings."] if settings else []
        for group in _groups(those):
            lines += [*under, *_list_lines(group, stats, names)]
    return lines


def _warmed(calls: Sequence[_Call], function: FunctionStats) -> Iterator[str]:
    """Which of the calls that were warmed up a real run never made, and which it lacked; nothing without a warm-up."""
    warm = [call.stats for call in calls if call.stats.warmed]
    if warm:
        lacking = count_text(len(calls) - len(warm), "key")
        unused = sum(_is_unused(stats, function) for stats in warm)
        never = f", of which {unused:,} never used" if unused else ", all used" if function.hits_counted else ""
        yield f"# Warmed up: {count_text(len(warm), 'key')}{never}; {lacking} lacking."


def _is_unused(stats: KeyStats, function: FunctionStats) -> bool:
    return function.hits_counted and stats.warmed > 0 and not stats.hits and stats.misses <= stats.warmed


def _use_text(stats: KeyStats, function: FunctionStats, any_warmed: bool) -> str:
    hits = count_text(stats.hits, "hit") if function.hits_counted else "hits not counted"
    if _is_unused(stats, function):
        return f"{hits}; warmed up and never used"
    return f"{hits}; not warmed up" if any_warmed and not stats.warmed else hits


def _is_program(key: KeyStats) -> bool:
    return not key.key.transform and bool(key.hits or key.misses > key.failures)


def _left_out(stats: FunctionStats) -> Iterator[str]:
    """Say which calls are not declared below."""
    under = sum(bool(key.key.transform) or key.nested > 0 for key in stats.keys if not _is_program(key))
    failed = sum(key.failures > 0 and not key.key.transform for key in stats.keys if not _is_program(key))
    for count, why in (
        (under, "only used under a transform or within other programs"),
        (failed, "all calls failed"),
    ):  # fmt: skip
        if count:
            yield f"# Left out: {count_text(count, 'key')}, {why}."
    if stats.dropped_keys:
        yield f"# Left out: {count_text(stats.dropped_keys, 'miss', 'misses')} with keys beyond the bound on keys."


def _call(stats: KeyStats, function: FunctionStats) -> _Call:
    leaves = chain.from_iterable(stats.key.leaf_chunks)
    traced = []
    for argument in stats.key.arguments:
        own = tuple(islice(leaves, len(argument.paths)))
        traced.append(_Given(argument, own, tree_source(argument.tree, own)))
    statics = [_Given(one, (), static_source(one.value)) for one in stats.key.statics]
    traced_first, statics_first = (
        [one for one in group if not one.argument.by_keyword] for group in (traced, statics)
    )  # fmt: skip
    named = [one for one in (*traced, *statics) if one.argument.by_keyword]
    positional = _in_order(traced_first, statics_first, function)
    found = [*traced_first, *statics_first] if positional is None else positional
    return _Call(stats, (*found, *named), positional is not None)


def _in_order(traced: Sequence[_Given], statics: Sequence[_Given], function: FunctionStats) -> list[_Given] | None:
    """Positional arguments in the order of the call; a recording has it only where `static_argnums` says it."""
    if not traced or not statics:
        return [*traced, *statics]
    try:
        numbers = ast.literal_eval(dict(function.options).get("static_argnums", "()"))
        count = len(traced) + len(statics)
        numbers = [numbers] if isinstance(numbers, int) else numbers
        static_at = {number % count for number in numbers if -count <= number < count}
    except (ValueError, SyntaxError, TypeError):
        return None
    if len(static_at) != len(statics):
        return None
    groups = {True: iter(statics), False: iter(traced)}
    return [next(groups[position in static_at]) for position in range(count)]


def _one_example_serves(calls: Sequence[_Call]) -> bool:
    """Whether calls differ only in arguments that can be written whole, and in their place."""
    return all(call.ordered for call in calls) and len({call.unwritable() for call in calls}) == 1


def _groups(calls: Sequence[_Call]) -> list[list[_Call]]:
    """The calls that one example call serves."""
    if _one_example_serves(calls):
        return [list(calls)]
    groups: dict[Any, list[_Call]] = {}
    for call in calls:
        groups.setdefault(call.structure(), []).append(call)
    return list(groups.values())


def _list_lines(calls: Sequence[_Call], function: FunctionStats, names: _Names) -> list[str]:
    whole = _one_example_serves(calls)
    sources = [(call, _spec_source(call)) for call in calls] if whole else list(_dict_sources(calls))
    constant = names.constant(function.name)
    lines, like = [], ""
    if not whole or calls[0].unwritable():
        open_ = "`...` is" if whole else "What the dicts do not name is"
        order = "" if calls[0].ordered else ", whose positional arguments are in the order of the signature"
        lines.append(f"# {open_} as in the example call given by like={order}.")
        like = f", like=jitwatch.spec({_names_text(calls[0])})"
    lines.append(f"{constant} = [")
    for call, source in sources:
        hits = _use_text(call.stats, function, any(key.warmed for key in function.keys))
        if isinstance(source, _Undeclarable):
            lines.append(f"    # Not declared: {clean(source.what, 300)}; {hits}")
        else:
            lines.append(f"    {source},  # {hits}")
    return [*lines, "]", f"# {clean(function.name)}.warm_up({constant}{like})"]


def _names_text(call: _Call) -> str:
    names = [(clean(one.argument.name, 60), one.argument.by_keyword) for one in call.given]
    return ", ".join(f"{name}={name}" if by_keyword else name for name, by_keyword in names)


def _spec_source(call: _Call) -> str:
    """The whole call, broken over lines where it is long."""
    positional = [one.source or "..." for one in call.given if not one.argument.by_keyword]
    named = [(one.argument.name, one.source or "...") for one in call.given if one.argument.by_keyword]
    plain = [f"{name}={source}" for name, source in named if _is_name(name)]
    odd = [f"{name!r}: {source}" for name, source in named if not _is_name(name)]
    parts = [*positional, *plain, *([f"**{{{', '.join(odd)}}}"] if odd else [])]
    return _broken("jitwatch.spec(", parts, ")")


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii() and not keyword.iskeyword(text)


def _broken(opening: str, parts: Sequence[str], closing: str) -> str:
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) <= _WIDTH or not parts:
        return line
    return "\n        ".join([opening, *(f"{part}," for part in parts)]) + f"\n    {closing}"


class _Undeclarable(NamedTuple):
    """Why a key has no source."""

    what: str


def _dict_sources(calls: Sequence[_Call]) -> Iterator[tuple[_Call, str | _Undeclarable]]:
    """Each call of one structure as a dict from the paths that vary between them, or all that can be named."""
    places = [call.places() for call in calls]
    varying = [path for path in places[0] if len({each[path] for each in places}) > 1]
    for call, each in zip(calls, places, strict=True):
        named = {path: _place_source(path, each[path], [other[path] for other in places]) for path in varying}
        if not varying:
            named = {path: _place_source(path, each[path], []) for path in each}
            named = {path: source for path, source in named.items() if isinstance(source, str)}
            named = named or {path: "..." for path in islice(each, 1)}
        problem = next((source for source in named.values() if isinstance(source, _Undeclarable)), None)
        yield call, problem or _broken("{", [f"{path!r}: {source}" for path, source in named.items()], "}")


def _place_source(
    path: str, place: Leaf | StaticArgument, every: Iterable[Leaf | StaticArgument]
) -> str | _Undeclarable:
    if isinstance(place, StaticArgument):
        return static_source(place.value) or _Undeclarable(f"static {path} = {place.value.text}")
    like = {_but_shape(other) for other in every if isinstance(other, Leaf)}
    if len(like) == 1:  # the example has the rest
        return shape_source(place.shape)
    return leaf_source(place) or _Undeclarable(f"{path} is {full_leaf_text(place)}")


def _but_shape(leaf: Leaf) -> tuple[Any, ...]:
    layout = None if is_usual_layout(leaf.layout) else leaf.layout  # the usual one of each rank has a text of its own
    return leaf.dtype, leaf.weak_type, leaf.source, leaf.committed, leaf.sharding, layout
