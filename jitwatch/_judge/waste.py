"""Programs that nothing in the computation asked for: equal to an earlier one but for what nobody wants twice. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jitwatch._judge.history import RANK, Step
from jitwatch._model import Change

NEVER_WANTED = ("weak_type", "committed", "layout", "key_impl")
"""Causes for which two programs are never what the author wants, whatever these programs are."""
_SLIPS = (*NEVER_WANTED, "config_context", "arg_kind")
FEW_USES = 2

_EXPLAINED_BY = {
    "identical": (
        "other", "cache_cleared", "static_identity", "committed", "weak_type", "config_context", "arg_kind", "layout",
        "tree_structure", "static_value", "key_impl", "sharding", "function_identity", "dtype", "shape",
    ),
    "placement": ("sharding", "committed", "layout", "config_context"),
    "no_op": ("weak_type", "dtype", "committed", "sharding", "config_context", "static_value", "arg_kind"),
    "precision": ("config_context", "static_value", "other"),
}  # fmt: skip
"""What can have asked for another program of a class, the likeliest first."""


def wasted(steps: Sequence[Step]) -> Iterator[tuple[str, str, Step]]:
    """Cause and evidence of each step whose program was there already, or only has other placement, weak types, …"""
    objects = {step.function.id for step in steps}
    for step in steps:
        if step.twin is None:
            continue
        cause = _cause(step)
        if cause is not None and not _takes_turns(cause, step, len(objects)):
            yield cause, "proved" if is_certain(step) else "likely", step


def _cause(step: Step) -> str | None:
    causes = {change.cause for change in step.changes} - {"transform"}
    explained = next((cause for cause in _EXPLAINED_BY.get(step.equality, ()) if cause in causes), None)
    if explained is not None:
        return explained
    if not causes:
        return "cache_cleared" if step.equality == "identical" and _is_other_key(step) else None
    if causes == {"other"}:  # other jit options
        return "other"
    if step.equality == "target":
        return None
    if causes <= set(_SLIPS) or (not step.equality and len(causes) == 1 and _nobody_wants(step)):
        return next(cause for cause in (*_SLIPS, *sorted(causes)) if cause in causes)
    return None


def _is_other_key(step: Step) -> bool:
    """Whether JAX's dispatch cache tells two calls apart that need one program; the same key again is `upkeep`'s."""
    return step.twin is not None and step.function is step.twin.function and step.key is not step.twin.key


def _nobody_wants(step: Step) -> bool:
    """Whether a change is one that needs no other program, as far as the call alone can tell."""
    (cause,) = {change.cause for change in step.changes}
    if cause == "function_identity":
        return step.twin is not None and step.twin.function.bound == step.function.bound and len(step.changes) == 1
    if cause == "static_value":  # another type only, such as 4 and np.int64(4)
        return all(_content(change.before) == _content(change.after) for change in step.changes)
    return cause in ("static_identity", "sharding")


def _content(text: str) -> str:
    """The value in a text such as `np.int64(4) (int64)`, without the names of types."""
    value = text.rpartition(" (")[0] if text.endswith(")") and " (" in text else text
    inner = re.fullmatch(r"[\w.]+\((.*)\)", value)
    return inner.group(1) if inner else value


def _takes_turns(cause: str, step: Step, objects: int) -> bool:
    """Whether both programs are used on and on, so that they are variants that somebody wants."""
    twin = step.twin
    assert twin is not None
    comes_back = twin.outlived > 0
    if cause in ("function_identity", "static_identity", "other"):
        if step.function is not twin.function:
            return cause != "other" and objects < 3 and not twin.function.given_up
        return comes_back and _identities(step) < 3
    if cause == "sharding":
        return comes_back and step.uses >= FEW_USES and not step.is_rehearsed()
    if step.equality == "precision":  # somebody who compares precisions sets each of them
        slipped = any("default" in (change.before, change.after) for change in step.changes)
        return comes_back or step.uses < FEW_USES or not slipped
    if cause == "arg_kind":
        changed = [change for change in step.changes if change.cause == cause]
        return not step.is_of_same_line() and any(map(_is_optional_array, changed))
    return False


def _identities(step: Step) -> int:
    """How many objects the changed static arguments were, as far as the key's history says."""
    count, twin = 1, step
    while twin.twin is not None:
        count, twin = count + 1, twin.twin
    return count


def _is_optional_array(change: Change) -> bool:
    """Whether an argument is an array in one call and left to its default in the other: that is a variant."""
    passed = change.after if "default" in change.before else change.before
    return "default" in change.before + change.after and not passed.endswith("weak")


def is_certain(step: Step) -> bool:
    """Whether a step's program is an earlier one but for placement, no-op converts or precision."""
    return step.equality != "" and RANK[step.equality] <= RANK["precision"] and step.equality != "target"
