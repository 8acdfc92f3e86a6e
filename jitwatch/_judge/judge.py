"""Rules over the history of functions: what of their recompilations the user should know, and what is as it should be.

Pure: from a snapshot to findings. First compilations are never a finding, nor are keys that are worth their program:
warmed-up buckets, train and eval batches, a flag with two values, transforms of one function.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jitwatch._explain.explain import History, changes, explain
from jitwatch._judge.remedies import advice_for
from jitwatch._model import Change, Explanation, Finding, FunctionStats, KeyStats, Leaf, Miss, Snapshot
from jitwatch._record.sums import lost_s, programs_of

CODES = {
    "shape": "JW101", "dtype": "JW102", "weak_type": "JW103", "sharding": "JW104", "committed": "JW105",
    "layout": "JW106", "tree_structure": "JW107", "key_impl": "JW108", "static_value": "JW201",
    "static_identity": "JW202", "arg_kind": "JW203", "function_identity": "JW301", "other": "JW302",
    "eager_shape": "JW303", "config_context": "JW401", "persistent_miss": "JW501", "cache_cleared": "JW502",
    "stuck": "JW601", "stale_capture": "JW701",
}  # fmt: skip
"""Code of each cause; docs/findings.md has a section for each."""

ALWAYS = ("weak_type", "static_identity", "committed", "layout", "key_impl", "config_context")
"""Causes for which two programs are never what the author wants."""
CHURN = 3
"""Programs from which on a changing shape or value is churn, unless they are used again."""
EAGER_CHURN = 4
USES_TO_BE_WORTH_IT = 2
"""Hits for each program, on average, from which on compiling for each value was worth it."""
MAX_SHOWN = 6
MAX_COMPARED = 50
"""Earlier objects of one definition that an object is compared with."""
CONTROL_FLOW = ("scan", "while", "cond", "fori_loop", "switch", "custom_linear_solve")


class _Variant(NamedTuple):
    """A program of a function, and how its key differs from the nearest earlier one's."""

    key: KeyStats
    explanation: Explanation
    nearest: KeyStats | None


def judge(snapshot: Snapshot) -> dict[int, list[Finding]]:
    """The findings of each function and other program, by its id."""
    found: dict[int, list[Finding]] = {}
    functions = [*snapshot.functions, *(other for other in snapshot.others if other.defined_at)]
    for function in functions:
        found[function.id] = judge_function(function, snapshot.misses)
    for group in _same_definition(functions):
        for function, finding in _identity_findings(group):
            found[function.id].append(finding)
    for other in snapshot.others:
        if not other.defined_at:
            found[other.id] = list(_eager_findings(other))
    return found


def judge_function(function: FunctionStats, misses: Sequence[Miss] = ()) -> list[Finding]:
    """The findings of one function object on its own; its misses, if given, say more of the persistent cache."""
    return [*_key_findings(function), *_cleared(function, misses), *_stuck(function), *_stale(function)]


def explanations(function: FunctionStats) -> dict[int, Explanation]:
    """Why each key of a function got its program, by the key's number."""
    return {variant.key.number: variant.explanation for variant in _variants(function)}


def _variants(function: FunctionStats) -> list[_Variant]:
    compiled = [key for key in function.keys if programs_of(key)]
    numbers = {key.number: key for key in compiled}
    variants: list[_Variant] = []
    history = History()
    for key in compiled:
        explanation = explain(key.key, history)
        history.add(key.number, key.key)
        nearest = None if explanation.nearest is None else numbers[explanation.nearest]
        variants.append(_Variant(key, explanation, nearest))
    return variants


def _key_findings(function: FunctionStats) -> Iterable[Finding]:
    """Findings on programs of one function object that differ in their keys."""
    variants = [
        variant
        for variant in _variants(function)
        if not variant.key.declared and not any(change.cause == "transform" for change in variant.explanation.changes)
    ]
    causes = dict.fromkeys(change.cause for variant in variants for change in variant.explanation.changes)
    for cause in causes:
        group = [variant for variant in variants if any(c.cause == cause for c in variant.explanation.changes)]
        if cause in CODES and cause not in ("other", "transform") and _is_waste(cause, group, function):
            yield _finding(function, cause, group)


def _is_waste(cause: str, group: Sequence[_Variant], function: FunctionStats) -> bool:
    if cause in ALWAYS or any(_is_slip(cause, variant) for variant in group):
        return True
    keys = {key.number: key for variant in group for key in (variant.key, variant.nearest) if key is not None}
    uses = _uses(function)
    hits = [uses[number] for number in keys]
    if len(keys) >= CHURN:
        if not function.hits_counted:
            return len(keys) > CHURN
        return min(hits) == 0 and sum(hits) < USES_TO_BE_WORTH_IT * len(keys)
    if not function.hits_counted:
        return False
    used_once = min(hits) == 0 and max(hits) > 0
    (variant,) = group[:1]
    if cause == "dtype":
        return used_once
    if cause == "sharding":
        return used_once or _same_line(variant)
    if cause in ("tree_structure", "arg_kind"):
        return _same_line(variant) or used_once
    return cause == "shape" and _same_line(variant) and (used_once or _is_remainder(variant, uses))


def _uses(function: FunctionStats) -> dict[int, int]:
    """How often each key's program was used again, also by keys that share it, such as NumPy arrays for JAX ones."""
    again = {key.number: key.hits + key.dispatch_only for key in function.keys}
    shared: dict[int, int] = {}
    for key in function.keys:
        if key.executable is not None:
            shared[key.executable] = shared.get(key.executable, 0) + again[key.number]
    return {key.number: shared.get(key.executable or 0, again[key.number]) for key in function.keys}


def _is_slip(cause: str, variant: _Variant) -> bool:
    """Whether a change is one that nobody makes on purpose, however often both programs are used."""
    changed = [change for change in variant.explanation.changes if change.cause == cause]
    if cause == "static_value":  # another type only, such as 4 and np.int64(4)
        return any(_equal(_content(change.before), _content(change.after)) for change in changed)
    if cause == "arg_kind":  # an optional array is a variant; a number in place of its default is not
        return any(not _is_optional_array(change) for change in changed)
    return False


def _is_optional_array(change: Change) -> bool:
    passed = change.after if "default" in change.before else change.before
    return "default" in change.before + change.after and not passed.endswith("weak")


def _equal(one: str, other: str) -> bool:
    """Whether two texts are of values that Python takes for equal: `1`, `True` and `1.0`."""
    try:
        return bool(ast.literal_eval(one) == ast.literal_eval(other))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return one == other


def _content(text: str) -> str:
    """The value in a text such as `np.int64(4) (int64)`, without the names of types."""
    value = text.rpartition(" (")[0] if text.endswith(")") and " (" in text else text
    inner = re.fullmatch(r"[\w.]+\((.*)\)", value)
    return inner.group(1) if inner else value


def _same_line(variant: _Variant) -> bool:
    mine = {site.place for site in variant.key.call_sites}
    return variant.nearest is not None and bool(mine & {site.place for site in variant.nearest.call_sites})


def _is_remainder(variant: _Variant, uses: Mapping[int, int]) -> bool:
    """Whether the new key is a smaller first axis of a key that is used more: the last batch of an epoch."""
    nearest = variant.nearest
    if nearest is None or uses[nearest.number] <= uses[variant.key.number]:
        return False
    return all(
        new.shape == old.shape or (new.shape[1:] == old.shape[1:] and new.shape[:1] < old.shape[:1])
        for new, old in zip(_leaves(variant.key), _leaves(nearest), strict=False)
    )


def _leaves(key: KeyStats) -> list[Leaf]:
    return [leaf for chunk in key.key.leaf_chunks for leaf in chunk]


def _finding(function: FunctionStats, cause: str, group: Sequence[_Variant]) -> Finding:
    relevant = [change for variant in group for change in variant.explanation.changes if change.cause == cause]
    return make_finding(function, cause, relevant, [variant.key for variant in group])


def _cleared(function: FunctionStats, misses: Sequence[Miss]) -> Iterable[Finding]:
    """Findings on keys that compiled again although nothing about them changed, and on the persistent cache."""
    again = [key for key in function.keys if programs_of(key) > function.processes and not key.key.transform]
    kept_out = [miss for miss in misses if miss.function == function.id and miss.persistent]
    other_key = [miss for miss in kept_out if miss.persistent.startswith("another key")]
    not_stored = [miss for miss in kept_out if miss.persistent.startswith("not stored")]
    if other_key:
        change = Change("persistent_miss", function.name, "an entry from an earlier process", other_key[0].persistent)
        yield make_finding(function, "persistent_miss", [change], [], misses=other_key)
    elif again and not_stored:
        change = Change("persistent_miss", function.name, "compiled, and gone from memory", not_stored[-1].persistent)
        yield make_finding(function, "persistent_miss", [change], again, misses=not_stored[1:])
    elif again:
        change = Change("cache_cleared", function.name, "compiled", "compiled again for the same key")
        yield make_finding(function, "cache_cleared", [change], again, needed=function.processes)


def _stuck(function: FunctionStats) -> Iterable[Finding]:
    """Findings on keys whose first call raised, so that JAX dispatches them slowly for ever."""
    stuck = [key for key in function.keys if is_stuck(key) and key.dispatch_only >= CHURN]
    if stuck:
        change = Change("stuck", function.name, "fast dispatch", "slow dispatch since a call of this key raised")
        yield make_finding(function, "stuck", [change], stuck)


def is_stuck(key: KeyStats) -> bool:
    """Whether JAX serves a key by the slow dispatch only, since its first call raised; a hit shows that it does not."""
    return bool(key.failures and key.dispatch_only) and not key.slow_path and not key.hits


def _stale(function: FunctionStats) -> Iterable[Finding]:
    """Findings on plain values that a cached program keeps, while the program's own Python has others now."""
    if function.stale:
        yield make_finding(function, "stale_capture", function.stale, [])


def _same_definition(functions: Sequence[FunctionStats]) -> Iterable[list[FunctionStats]]:
    """Groups of several function objects that one definition made."""
    groups: dict[tuple[str, str, str], list[FunctionStats]] = {}
    for function in functions:
        if function.defined_at and any(map(programs_of, function.keys)):
            groups.setdefault((function.name, function.defined_at, function.qualname), []).append(function)
    return (group for group in groups.values() if len(group) > 1)


def _identity_findings(group: Sequence[FunctionStats]) -> Iterable[tuple[FunctionStats, Finding]]:
    """Findings on objects of one definition, each with the object that it is told of."""
    by_content: dict[tuple[str, tuple[tuple[str, str], ...]], list[FunctionStats]] = {}
    for function in group:
        by_content.setdefault((function.bound, function.options), []).append(function)
    for objects in by_content.values():
        yield from _made_anew(objects)
    yield from _with_other_options([objects[0] for objects in by_content.values()])


def _made_anew(objects: Sequence[FunctionStats]) -> Iterable[tuple[FunctionStats, Finding]]:
    """A finding on objects that bring along the same and were compiled for the same."""
    again = [
        later
        for n, later in enumerate(objects)
        if any(_same_keys(later, earlier) for earlier in objects[max(n - MAX_COMPARED, 0) : n])
    ]
    hits = sum(function.hits for function in objects)
    if again and (hits < USES_TO_BE_WORTH_IT * len(objects) if objects[0].hits_counted else len(again) >= CHURN):
        keys = [key for function in again for key in function.keys if programs_of(key)]
        what = f"{len(objects)} function objects made at {objects[0].defined_at}"
        change = Change("function_identity", objects[0].name, "one function object", what)
        yield again[-1], make_finding(again[-1], "function_identity", [change], keys)


def _with_other_options(objects: Sequence[FunctionStats]) -> Iterable[tuple[FunctionStats, Finding]]:
    """Findings on objects that differ from an earlier one in their jit options only."""
    for n, later in enumerate(objects):
        same = (one for one in objects[:n] if one.bound == later.bound and one.options != later.options)
        earlier = next((one for one in same if _same_keys(later, one)), None)
        if earlier is not None:
            differing = option_changes(earlier.options, later.options)
            yield later, make_finding(later, "other", differing, [key for key in later.keys if programs_of(key)])


def option_changes(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> list[Change]:
    """How the jit options of two function objects differ."""
    names = sorted({name for name, _ in set(before) ^ set(after)})
    old, new = dict(before), dict(after)
    return [
        Change("other", f"jit option {name}", old.get(name, "default"), new.get(name, "default")) for name in names
    ]  # fmt: skip


def _same_keys(one: FunctionStats, other: FunctionStats) -> bool:
    """Whether two objects compiled for keys between which nothing but identities differs."""
    return any(
        all(change.cause == "static_identity" for change in changes(first.key, second.key))
        for first in one.keys
        if programs_of(first)
        for second in other.keys
        if programs_of(second)
    )


def _eager_findings(other: FunctionStats) -> Iterable[Finding]:
    """Findings on an eager operation that one line of the user's compiles again and again."""
    lines: dict[str, list[KeyStats]] = {}
    for key in other.keys:
        for site in key.call_sites:
            lines.setdefault(site.place, []).append(key)
    for place, keys in lines.items():
        direct = not any(site.library for key in keys for site in key.call_sites if site.place == place)
        if len(keys) >= CHURN:
            found = [change for n, key in enumerate(keys[1:], 1) for change in changes(keys[n - 1].key, key.key)]
            cause = eager_cause(other.name, found)
            if len(keys) >= (CHURN if cause == "function_identity" else EAGER_CHURN) and (
                direct or cause == "function_identity"
            ):
                yield make_finding(other, cause, _retyped(found, cause), keys[1:], place=place)


def eager_cause(name: str, found: Sequence[Change]) -> str:
    """What changes from one compilation of an eager operation to the next."""
    if name in CONTROL_FLOW and not any(change.cause == "shape" for change in found):
        return "function_identity"
    statics = [change for change in found if change.cause in ("static_value", "static_identity")]
    if any(change.cause == "shape" for change in found) or any(_is_size(change.where) for change in statics):
        return "eager_shape"
    return "static_value" if statics else "eager_shape"


def _is_size(where: str) -> bool:
    return any(word in where for word in ("shape", "size", "length", "limit", "num", "repeats", "dimension"))


def _retyped(found: Sequence[Change], cause: str) -> list[Change]:
    kept = [change for change in found if change.cause in ("shape", "static_value", "static_identity")]
    return [Change(cause, change.where, change.before, change.after) for change in kept]


def make_finding(
    function: FunctionStats, cause: str, found: Sequence[Change], keys: Sequence[KeyStats], *,
    misses: Sequence[Miss] = (), place: str = "", needed: int = 0,
) -> Finding:  # fmt: skip
    """A finding on these changes, with what the keys or misses concerned cost.

    `needed` is how many programs of each key are needed all the same.
    """
    compiles = sum(programs_of(key) - needed for key in keys) or len(misses)
    saved_s = sum(lost_s(key.stages) * (1 - needed / max(programs_of(key), 1)) for key in keys)
    saved_s = saved_s or sum(lost_s(miss.stages) for miss in misses)
    call_site = place or next((site.place for key in keys for site in key.call_sites), "")
    call_site = call_site or next((miss.call_site for miss in misses), "")
    where = tuple(dict.fromkeys(change.where for change in found))
    return Finding(
        code=CODES[cause], cause=cause, function=function.name, defined_at=function.defined_at, call_site=call_site,
        where=where, compiles=compiles, lost_s=saved_s, message=_message(function, cause, found, compiles, saved_s),
        advice=advice_for(cause, function, found),
    )  # fmt: skip


def _message(function: FunctionStats, cause: str, found: Sequence[Change], compiles: int, saved_s: float) -> str:
    if cause == "stale_capture":
        first = f"{function.name} returns what it computed with old values of what it reads from outside"
    else:
        times = "once" if compiles == 1 else f"{compiles} times"
        first = f"{function.name} compiled {times} more than needed, {saved_s:.3g} s"
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
