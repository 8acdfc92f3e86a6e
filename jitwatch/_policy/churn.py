"""Decides what the user is told while the program runs: by the rules of judge, and by what is allowed.

`_say.py` then says it. Imports no JAX.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import msgspec

from jitwatch import _config
from jitwatch._errors import WARNINGS
from jitwatch._explain.explain import change_text
from jitwatch._judge.buckets import look_chosen
from jitwatch._judge.judge import ALWAYS, CODES, judge
from jitwatch._judge.remedies import advice_for
from jitwatch._model import Alert, CacheKey, Finding, FunctionStats, Snapshot
from jitwatch._policy import say
from jitwatch._policy.reasons import reason
from jitwatch._record.recorder import RECORDER, FunctionRecord, KeyRecord
from jitwatch._record.sums import programs_of

CHOSEN_COMPILES = 32
"""Needless compilations that are worth a warning where the sizes look like buckets: warming those up is no churn."""
ALWAYS_CHECKED = 16
"""Programs of one definition up to which each new one is judged; beyond it, each time that they grew by a quarter."""
MAX_JUDGED = 1_000
"""Programs of one definition up to which they are judged at all while the program runs; so many take half a second."""
STUCK_CALLS = 100
"""Slow calls of one key from which on it is worth a warning that it is stuck."""
CERTAIN = (*ALWAYS, "function_identity")
"""Causes for which even one long compilation is worth a warning; several shapes, for instance, may be a warm-up."""
MAX_DEFINITIONS = 10_000
MAX_SHOWN = 6


class Policy(msgspec.Struct, frozen=True):
    """What the author of a function asked for."""

    max_keys: int
    """Keys to keep for the function."""
    warn_compiles: int = 0
    """Needless compilations for one cause that are worth a warning; 0 for no such warnings."""
    warn_s: float = 0.0
    on_churn: say.Action = "warn"
    max_compiles: int | None = None
    expect: Any = None
    """Declared keys; a compilation for any other is in excess."""
    on_excess: say.Action = "warn"


def policy_of(
    *, max_keys: int | None = None, max_compiles: int | None = None, on_excess: say.Action | None = None,
    warn_compiles: int | None = None,
) -> Policy:  # fmt: skip
    """The policy of a watched function, from the arguments that its author gave and the settings.

    Raises:
        JitwatchError: An argument or a setting is not valid.
    """
    action: say.Action = "raise" if _config.option("mode") == "error" else "warn"
    if on_excess is not None:
        say.check_action(on_excess, "on_excess")
    return Policy(
        max_keys=_config.option("max_keys", max_keys), warn_s=_config.option("warn_s"),
        warn_compiles=_config.option("warn_compiles", warn_compiles), on_churn=action,
        max_compiles=_config.option("max_compiles", max_compiles), on_excess=on_excess or action,
    )  # fmt: skip


def policy_of_all() -> Policy:
    """The policy of functions that are watched by `install`: only a limit in the settings makes them speak.

    Raises:
        JitwatchError: A setting is not valid.
    """
    return msgspec.structs.replace(policy_of(), warn_compiles=0)


class _Definition:
    """The function objects that one definition made, and how many programs they have."""

    def __init__(self) -> None:
        self.records: weakref.WeakValueDictionary[int, FunctionRecord] = weakref.WeakValueDictionary()
        self.programs = 0
        self.lost_s = 0.0
        self.next_check = 0

    def is_due(self, policy: Policy) -> bool:
        """Whether to judge now: not for the first few programs, and not for each of many."""
        enough = self.programs > policy.warn_compiles or (self.programs > 1 and self.lost_s >= policy.warn_s)
        if not enough or self.programs > MAX_JUDGED:
            return False
        if ALWAYS_CHECKED < self.programs < self.next_check:
            return False
        self.next_check = self.programs + max(self.programs // 4, 1)
        return True


_definitions: dict[Hashable, _Definition] = {}
_lock = threading.Lock()


_CHURN_CAUSES = frozenset(WARNINGS) - {"stuck"}


def after_miss(record: FunctionRecord, key: KeyRecord, *, programs: int, seconds: float, test: str) -> list[Alert]:
    """What to say after a miss, of what the judge finds in the function's history; most often nothing.

    Args:
        record: The function.
        key: Of the call.
        programs: Compilations and loads of the miss.
        seconds: Spent in them.
        test: The test that is under way. Each is a program of its own: what many tests compile once is no churn.
    """
    policy: Policy | None = record.policy
    if policy is None or not policy.warn_compiles:
        return []
    if not programs:
        is_stuck = key.failures and not key.slow_path and key.dispatch_only % STUCK_CALLS == 0 and key.dispatch_only
        return _churn_alerts([record], policy, only=("stuck",)) if is_stuck else []
    definition = _definition_of(record, test)
    with _lock:
        definition.records[record.id] = record
        definition.programs += programs
        definition.lost_s += seconds
        due = definition.is_due(policy)
        records = list(definition.records.values()) if due else []
    own_limit = policy.max_compiles is not None or policy.expect is not None
    return _churn_alerts(records, policy, only=("function_identity",) if own_limit else ()) if due else []


def forget() -> None:
    """Begin as if nothing had been compiled or said."""
    with _lock:
        _definitions.clear()
    say.VOICE.forget()


def _definition_of(record: FunctionRecord, test: str) -> _Definition:
    place = record.defined_at or record.id
    with _lock:
        if len(_definitions) >= MAX_DEFINITIONS:
            _definitions.clear()
        return _definitions.setdefault((record.name, record.qualname, place, test), _Definition())


def _churn_alerts(records: Sequence[FunctionRecord], policy: Policy, *, only: tuple[str, ...]) -> list[Alert]:
    stats = tuple(record.stats() for record in records)
    snapshot = Snapshot(stats, (), RECORDER.recent(record.id for record in records), 0, 0, 0, 0.0, "", "")
    found: dict[str, list[Finding]] = {}
    for findings in judge(snapshot).values():
        for finding in findings:
            if finding.cause in (only or _CHURN_CAUSES):
                found.setdefault(finding.cause, []).append(finding)
    alerts = []
    for findings in found.values():
        worst = max(findings, key=lambda finding: finding.compiles)
        if _is_worth_it(worst, stats, policy) and say.VOICE.is_new(_topic(worst), worst.compiles):
            alerts.append(_churn_alert(worst, stats))
    return alerts


def _topic(finding: Finding) -> Hashable:
    return finding.function, finding.defined_at, finding.cause


def _is_worth_it(finding: Finding, stats: Sequence[FunctionStats], policy: Policy) -> bool:
    if finding.cause == "stuck" or (finding.cause in CERTAIN and finding.lost_s >= policy.warn_s):
        return True
    if finding.cause in ("shape", "static_value") and _look_chosen(finding, stats):
        return finding.compiles >= max(CHOSEN_COMPILES, policy.warn_compiles)
    return finding.compiles >= policy.warn_compiles and _from_one_line(stats) >= policy.warn_compiles


def _from_one_line(stats: Sequence[FunctionStats]) -> int:
    """Programs made for the line that made most: calls of different lines for different shapes are no churn."""
    lines: Counter[str] = Counter()
    for function in stats:
        for key in function.keys:
            lines[key.call_sites[0].place if key.call_sites else ""] += programs_of(key)
    return max(lines.values(), default=0)


def _look_chosen(finding: Finding, stats: Sequence[FunctionStats]) -> bool:
    """Whether what a finding is about took sizes, or static numbers, that somebody chose: buckets, most likely."""
    keys = [key.key for function in stats for key in function.keys]
    for where in finding.where:
        rows = {_numbers(key, where) for key in keys}
        if len({None if row is None else len(row) for row in rows}) > 1 or None in rows:
            return False
        columns = [set(sizes) for sizes in zip(*filter(None, rows), strict=True)]
        if not all(look_chosen(sizes) for sizes in columns if len(sizes) > 1):
            return False
    return True


def _numbers(key: CacheKey, where: str) -> tuple[int, ...] | None:
    """The shape of the leaf, or the whole number that is the static argument, at a place of a key."""
    paths = (path for argument in key.arguments for path in argument.paths)
    leaves = (leaf for chunk in key.leaf_chunks for leaf in chunk)
    shapes = (leaf.shape for path, leaf in zip(paths, leaves, strict=False) if path == where)
    texts = (static.value.text for static in key.statics if f"static {static.name}" == where)
    return next(shapes, None) or next(((int(text),) for text in texts if text.isdecimal()), None)


def _churn_alert(finding: Finding, stats: Sequence[FunctionStats]) -> Alert:
    calls = sum(function.hits + function.misses for function in stats)
    place = f"{finding.function} ({finding.defined_at})" if finding.defined_at else finding.function
    times = "once" if finding.compiles == 1 else f"{finding.compiles} times"
    differences = finding.message.partition(f" ({finding.cause}). ")[2]
    first = f"{place} compiled {times} more than needed in {calls} calls, {finding.lost_s:.3g} s ({finding.cause})."
    if finding.cause == "stuck":
        first = f"{place} is called slowly for ever: JAX's fast path is closed to a key whose first call raised."
    return Alert(
        "churn", finding.code, finding.cause, finding.function, finding.defined_at, finding.call_site, (),
        finding.compiles, _text(first, differences, finding.advice, finding.code),
    )  # fmt: skip


def _text(first: str, differences: str, advice: str, code: str) -> str:
    lines = [first, *([f"  {differences}"] if differences else []), *([f"  fix: {advice}"] if advice else [])]
    return "\n".join(lines) + (f" [{code}; docs/findings.md#{code.lower()}]" if code else "")


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
    is_eager = RECORDER.is_other(record.id) and not record.defined_at
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
