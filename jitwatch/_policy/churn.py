"""Decides what the user is told while the program runs: by the rules of judge, and by what is allowed.

`_say.py` then says it. Imports no JAX.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Hashable, Sequence

from jitwatch import _state
from jitwatch._errors import WARNINGS
from jitwatch._judge.buckets import look_chosen
from jitwatch._judge.judge import ALWAYS, judge
from jitwatch._model import Alert, CacheKey, Finding, FunctionStats, Snapshot
from jitwatch._policy import say
from jitwatch._policy.alerts import churn_alert
from jitwatch._policy.policy import Policy
from jitwatch._record.function_record import FunctionRecord, KeyRecord
from jitwatch._record.recorder import recorder
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


class _Definitions:
    """What was compiled for each definition, while the program runs."""

    def __init__(self) -> None:
        self.lock = _state.Lock()
        self.known: dict[Hashable, _Definition] = {}

    def reset(self) -> None:
        """Begin as if nothing had been compiled."""
        with self.lock:
            self.known.clear()


def _definitions() -> _Definitions:
    return _state.part(_Definitions)


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
    with _definitions().lock:
        definition.records[record.id] = record
        definition.programs += programs
        definition.lost_s += seconds
        due = definition.is_due(policy)
        records = list(definition.records.values()) if due else []
    own_limit = policy.max_compiles is not None or policy.expect is not None
    return _churn_alerts(records, policy, only=("function_identity",) if own_limit else ()) if due else []


def _definition_of(record: FunctionRecord, test: str) -> _Definition:
    place = record.defined_at or record.id
    with _definitions().lock:
        known = _definitions().known
        if len(known) >= MAX_DEFINITIONS:
            known.clear()
        return known.setdefault((record.name, record.qualname, place, test), _Definition())


def _churn_alerts(records: Sequence[FunctionRecord], policy: Policy, *, only: tuple[str, ...]) -> list[Alert]:
    stats = tuple(record.stats() for record in records)
    snapshot = Snapshot(stats, (), recorder().recent(record.id for record in records), 0, 0, 0, 0.0, "", "")
    found: dict[str, list[Finding]] = {}
    for findings in judge(snapshot).values():
        for finding in findings:
            if finding.cause in (only or _CHURN_CAUSES):
                found.setdefault(finding.cause, []).append(finding)
    alerts = []
    for findings in found.values():
        worst = max(findings, key=lambda finding: finding.compiles)
        if _is_worth_it(worst, stats, policy) and say.voice().is_new(_topic(worst), worst.compiles):
            alerts.append(churn_alert(worst, stats))
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
