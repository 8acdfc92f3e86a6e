"""Programs that differ in what they compute: a fault only for what nobody wants, or where the calls say so. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jitwatch._judge.history import Step
from jitwatch._judge.remedies import ELEMENTS, is_name
from jitwatch._model import Change
from jitwatch._words.key_diff import named_leaves

GROWN = 5
"""Times that a list of arrays is passed with one more from which on it is a history, and not a deeper model."""
VARIANTS = 4
"""Static values from which on variants that are hardly used are worth a word."""


def doubtful(steps: Sequence[Step]) -> Iterator[tuple[str, str, list[Step]]]:
    """Cause, evidence and steps of pytrees that come and go, dtypes that slip, and variants that are hardly used."""
    hardly_used: list[Step] = []
    longer: dict[str, list[Step]] = {}
    for step in steps:
        causes = {change.cause for change in step.changes}
        if step.twin is None or not step.changes:
            continue
        if _is_one_longer(step) and step.is_of_same_line():
            longer.setdefault(step.changes[0].where, []).append(step)
        elif causes == {"tree_structure"} and _comes_and_goes(step):
            if step.is_of_same_line() or _was_given_up(step.twin):
                yield "tree_structure", "likely", [step]
            elif step.is_rehearsed():
                yield "tree_structure", "possible", [step]
        elif causes == {"dtype"} and _slips(step):
            yield "dtype", "possible", [step]
        elif causes == {"static_value"} and step.function is step.twin.function and not _is_chosen(step):
            hardly_used.append(step)
    for grown in longer.values():
        if len(grown) >= GROWN:
            yield "tree_structure", "likely", grown
    if len(hardly_used) >= VARIANTS - 1:
        uses = sum(step.uses for step in hardly_used)
        if uses < 2 * len(hardly_used) and _from_one_line(hardly_used):
            yield "static_value", "possible", hardly_used


def _is_chosen(step: Step) -> bool:
    """Whether a choice was made by name: no argument could stand for it."""
    return all(is_name(text) for change in step.changes for text in (change.before, change.after))


def _is_one_longer(step: Step) -> bool:
    """Whether all that changed is that a list or a tuple has one element more."""
    (change, *others) = step.changes
    one, two = ELEMENTS.fullmatch(change.before), ELEMENTS.fullmatch(change.after)
    if others or one is None or two is None:
        return False
    return one.group(1) == two.group(1) and int(two.group(2)) == int(one.group(2)) + 1


_CONTAINER = re.compile(r"(None|absent|one leaf|list|tuple|dict)\b")


def _comes_and_goes(step: Step) -> bool:
    """Whether keys, Nones or plain containers changed: other classes, or more layers, are another model."""
    for change in step.changes:
        kinds = [_CONTAINER.match(text) for text in (change.before, change.after)]
        if None in kinds:
            return all(_is_part(text) for text in (change.before, change.after))
        one, other = (kind.group(1) for kind in kinds if kind is not None)
        if one == other and one in ("list", "tuple"):
            return False
    return True


def _is_part(text: str) -> bool:
    """Whether a text is of one argument's leaf, or of what is missing, and not of a class of the user's."""
    return bool(re.match(r"(None|absent|positional|by keyword|one leaf|[a-z]+\d*\[)", text))


def _was_given_up(step: Step | None) -> bool:
    """Whether a program was hardly used before another one took its place for good."""
    return step is not None and step.key is not None and not step.outlived and step.uses == 0


def _slips(step: Step) -> bool:
    """Whether one argument alone has another dtype: a policy changes all that are floating, or a setting."""
    changed = {_argument(change.where) for change in step.changes}
    left = _was_given_up(step.twin)
    if len(changed) != 1 and not left:
        return False
    if left or step.is_rehearsed() or _has_others(step):
        return True
    # Without parameters beside it, two lines that want two dtypes are two uses of one function.
    return step.is_of_same_line() and any(_kind(change.before) != _kind(change.after) for change in step.changes)


def _has_others(step: Step) -> bool:
    """Whether other arrays of the call are floating and stayed as they were."""
    if step.key is None:
        return False
    changed = {change.where for change in step.changes}
    others = (leaf for path, leaf in named_leaves(step.key.key) if path not in changed)
    return any("float" in leaf.dtype and not leaf.weak_type for leaf in others)


def _kind(text: str) -> str:
    """`float`, `int` … of a leaf's text such as `f32[3]`."""
    return "f" if text.startswith(("f", "bf")) else text[:1]


def _argument(where: str) -> str:
    return where.partition("[")[0].partition(".")[0]


def _from_one_line(steps: Sequence[Step]) -> bool:
    return len({step.build.call_site for step in steps}) == 1


def series(steps: Sequence[Step], cause: str) -> list[Change]:
    """The changes of one cause, in the order of time."""
    return [change for step in steps for change in step.changes if change.cause == cause]
