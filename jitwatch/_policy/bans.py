"""What may not compile: `freeze`, `no_compiles`, `max_compiles` and `expect`, each before XLA runs."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from jitwatch import _faults, _state
from jitwatch._model import Alert
from jitwatch._policy import say
from jitwatch._policy.alerts import forbidden
from jitwatch._policy.policy import Policy
from jitwatch._record.function_record import FunctionRecord

if TYPE_CHECKING:
    from jitwatch._capture.observer import Begun

_thread_numbers = itertools.count(1)


class Ban(NamedTuple):
    """One `freeze` or `no_compiles` that is in force."""

    rule: str
    functions: frozenset[str | int]
    """Names, and numbers of records; empty for everything."""
    thread: int | None
    """As `this_thread` numbers it; None for all."""
    action: say.Action
    allow_loads: bool
    eager: bool

    def covers(self, record: FunctionRecord | None, name: str) -> bool:
        """Whether a compilation of this function, or of this name for no watched function, is forbidden here."""
        if self.thread not in (None, this_thread()):
            return False
        if self.functions:
            names = (name,) if record is None else (record.id, record.name, record.qualname)
            return any(each in self.functions for each in names)
        return record is not None or self.eager


class Bans:
    """The bans in force."""

    def __init__(self) -> None:
        self.known: dict[object, Ban] = {}
        """Each under a token of its own: one step adds it and one takes it away, so that no lock is needed."""
        self._blocks: dict[object, int] = {}
        """The threads of those that end with a block."""

    @property
    def all(self) -> tuple[Ban, ...]:
        """In the order in which they came."""
        return tuple(self.known.copy().values()) if self.known else ()

    def add(self, ban: Ban) -> None:
        """One that holds until its rule is removed."""
        self.known[object()] = ban

    @contextmanager
    def during(self, ban: Ban) -> Iterator[None]:
        """One that holds while the block runs."""
        token = object()
        try:
            self._blocks[token] = this_thread()
            self.known[token] = ban
            yield
        finally:
            self.known.pop(token, None)
            self._blocks.pop(token, None)

    def remove_rule(self, rule: str) -> None:
        """None of this rule any more."""
        for token, ban in self.known.copy().items():
            if ban.rule == rule:
                self.known.pop(token, None)

    def begin_in_child(self) -> None:
        """After a fork: the blocks of other threads have nobody to end them."""
        here = this_thread()
        for token, thread in tuple(self._blocks.items()):
            if thread != here:
                self.known.pop(token, None)
                del self._blocks[token]


def bans() -> Bans:
    """The bans of the state in force."""
    return _state.part(Bans)


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.number = next(_thread_numbers)


def this_thread() -> int:
    """The number of this thread; unlike its ident, no later thread gets it too."""
    return _state.part(_ThisThread).number


class _Violation(NamedTuple):
    alert: Alert
    action: say.Action


class _Broken(NamedTuple):
    """A rule that forbids the compilation at hand."""

    action: say.Action
    allow_loads: bool
    kind: str
    """Of the alert."""
    rule: str
    """In words."""
    excess: int = 1
    """Compilations in excess."""


def before(begun: Begun) -> None:
    """Stop what a rule forbids: raises, warns or calls the user's function, whatever the rule asks for."""
    if not bans().all and (begun.function is None or begun.function.policy is None):
        return
    violation = _faults.contain("checking what may compile", _violation, begun, default=None)
    if violation is not None:
        say.act(violation.alert, violation.action, begun.frame())


def _violation(begun: Begun) -> _Violation | None:
    for broken in sorted(_broken_rules(begun), key=lambda broken: broken.action != "raise"):
        waits_for_xla = begun.may_load and broken.allow_loads
        is_certain = begun.stage in ("compile", "xla") or broken.action == "raise"
        if waits_for_xla == (begun.stage == "xla") and is_certain:
            record, key = begun.program() if begun.function is None else (begun.function, begun.key)
            alert = forbidden(broken.kind, record, key, broken.rule, begun.place(), broken.excess)
            return _Violation(alert, broken.action)
    return None


def _broken_rules(begun: Begun) -> Iterator[_Broken]:
    own = begun.function
    for ban in reversed(bans().all):
        if ban.covers(own, begun.name):
            yield _Broken(ban.action, ban.allow_loads, "frozen", ban.rule)
    policy: Policy | None = None if own is None else own.policy
    if own is None or policy is None:
        return
    if policy.expect is not None and begun.key is not None and not policy.expect.covers(begun.key):
        yield _Broken(policy.on_excess, True, "unexpected", "for arguments that its expect= does not declare")
    if policy.max_compiles is not None and own.compiles() >= policy.max_compiles:
        nth = own.compiles() + 1
        rule = f"for the {ordinal(nth)} time, with max_compiles={policy.max_compiles}"
        yield _Broken(policy.on_excess, True, "limit", rule, nth - policy.max_compiles)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th` …"""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
