"""The text of what the user is told while the program runs."""

from __future__ import annotations

from collections.abc import Sequence

from jitwatch._explain.explain import change_text
from jitwatch._judge.codes import CODES, needless, page_of
from jitwatch._judge.remedies import advice_for
from jitwatch._model import Alert, CacheKey, Finding, FunctionStats
from jitwatch._policy.reasons import reason
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder
from jitwatch._words.safe_text import clean

MAX_SHOWN = 6
MAX_LINE = 4_000
"""Characters of a line; names in it come from the program, and must not write to a terminal more than their text."""


def churn_alert(finding: Finding, stats: Sequence[FunctionStats]) -> Alert:
    calls = sum(function.hits + function.misses for function in stats)
    place = f"{finding.function} ({finding.defined_at})" if finding.defined_at else finding.function
    what = needless(finding.compiles, finding.reused, finding.loaded)
    first = f"{place} {what} in {calls} calls, {finding.lost_s:.3g} s ({finding.cause})."
    if finding.cause == "stuck":
        first = finding.message
    return Alert(
        "churn", finding.code, finding.cause, finding.function, finding.defined_at, finding.call_site, (),
        finding.compiles, _text(first, finding.differences, finding.advice, finding.code),
    )  # fmt: skip


def _text(first: str, differences: str, advice: str, code: str) -> str:
    lines = [first, *([f"  {differences}"] if differences else []), *([f"  fix: {advice}"] if advice else [])]
    lines = [part for line in lines for part in line.split("\n")]
    whole = "\n".join(clean(line, MAX_LINE) for line in lines)
    return whole + (f" [{code}; jitwatch explain {code}; {page_of(code)}]" if code else "")


def forbidden(kind: str, record: FunctionRecord, key: CacheKey | None, rule: str, place: str, count: int) -> Alert:
    """The alert on a compilation that a rule does not allow, made before XLA runs.

    Args:
        kind: As in `Alert`.
        record: The function, or the record of an eager operation.
        key: Of the call; None where it cannot be told.
        rule: What forbids it, to stand after "must not compile".
        place: The user's line.
        count: Compilations in excess, this one included.
    """
    found = reason(record, key).changes
    cause = found[0].cause if found else "first"
    is_eager = recorder().is_other(record.id) and not record.defined_at
    if is_eager and cause in ("shape", "static_value"):
        cause = "eager_shape"
    name = f"{record.name} ({record.defined_at})" if record.defined_at else record.name
    what = f"{name}, an eager operation or a function that is not watched," if is_eager else name
    first = f"{what} must not compile {rule}{f', called at {place}' if place else ''} ({cause})."
    shown = [change_text(change) for change in found[:MAX_SHOWN]]
    shown += [f"and {len(found) - MAX_SHOWN} more"] if len(found) > MAX_SHOWN else []
    differences = "; ".join(shown) or "It was not compiled before."
    advice = [advice_for(cause, record.stats(), found)] if cause in CODES else []
    advice.append("If the call is as it should be, make it once before, so that its program is there.")
    code = CODES.get(cause, "")
    return Alert(
        kind, code, cause, record.name, record.defined_at, place, found, count,
        _text(first, differences, " ".join(advice), code),
    )  # fmt: skip
