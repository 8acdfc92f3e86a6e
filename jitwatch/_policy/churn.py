"""Decides what the user is told of recompilations while the program runs: by the rules of judge. `say` then says it."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Sequence

from jitwatch import _state
from jitwatch._errors import WARNINGS
from jitwatch._model import Alert, Finding
from jitwatch._policy import say
from jitwatch._policy.alerts import churn_alert
from jitwatch._policy.policy import Policy
from jitwatch._policy.verdict import verdict
from jitwatch._record.function_record import FunctionRecord, KeyRecord
from jitwatch._record.recorder import recorder

ALWAYS_CHECKED = 16
"""Programs of one definition up to which each new one is judged; beyond it, each time that they grew by a quarter."""
MAX_JUDGED = 64
"""The most recent programs of a definition that are judged while it runs, so that a miss stays quick."""
STUCK_CALLS = 100
"""Slow calls of one key from which on it is worth a warning that it is stuck."""
MAX_DEFINITIONS = 10_000
_CHURN_CAUSES = frozenset(WARNINGS) - {"stuck"}


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
        if not enough or ALWAYS_CHECKED < self.programs < self.next_check:
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

    def of(self, record: FunctionRecord, test: str) -> _Definition:
        """The definition of a function, in one test; the lock is held."""
        if len(self.known) >= MAX_DEFINITIONS:
            self.known.clear()
        place = record.definition(), 0 if record.defined_at else record.id, test
        return self.known.setdefault(place, _Definition())


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
    definitions = _state.part(_Definitions)
    with definitions.lock:
        definition = definitions.of(record, test)
        definition.records[record.id] = record
        definition.programs += programs
        definition.lost_s += seconds
        due = definition.is_due(policy)
        records = list(definition.records.values())[-MAX_JUDGED:] if due else []
    own_limit = policy.max_compiles is not None or policy.expect is not None
    return _churn_alerts(records, policy, only=("function_identity",) if own_limit else ()) if due else []


def _churn_alerts(records: Sequence[FunctionRecord], policy: Policy, *, only: tuple[str, ...]) -> list[Alert]:
    data = recorder().recent_snapshot(records, MAX_JUDGED)
    found: dict[str, list[Finding]] = {}
    for findings in verdict(data).findings.values():
        for finding in findings:
            if finding.cause in (only or _CHURN_CAUSES) and finding.evidence != "possible":
                found.setdefault(finding.cause, []).append(finding)
    alerts = []
    for findings in found.values():
        worst = max(findings, key=lambda finding: finding.compiles)
        if _is_worth_it(worst, policy) and say.voice().is_new(_topic(worst), worst.compiles):
            alerts.append(churn_alert(worst, data.functions))
    return alerts


def _topic(finding: Finding) -> Hashable:
    return finding.function, finding.defined_at, finding.cause


def _is_worth_it(finding: Finding, policy: Policy) -> bool:
    if finding.cause == "stuck" or finding.compiles >= policy.warn_compiles:
        return True
    return finding.evidence == "proved" and finding.lost_s >= policy.warn_s
