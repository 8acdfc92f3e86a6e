"""Forbids compilations: `freeze`, `no_compiles`, `max_compiles` and `expect`, each before XLA runs.

JAX tells when a stage begins (`jax.monitoring`, scalar events). An exception raised there reaches the user's call, and
nothing was compiled. Where the persistent cache could still answer, JAX's call of XLA itself is waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from jitwatch import _faults
from jitwatch._capture import jax_internals
from jitwatch._capture.events import persistent, unwatched
from jitwatch._capture.functions.call_site import call_site, user_frame
from jitwatch._errors import JitwatchError
from jitwatch._model import Alert, CacheKey
from jitwatch._policy import churn, say
from jitwatch._record.recorder import FunctionRecord


class Ban(NamedTuple):
    """One `freeze` or `no_compiles` that is in force."""

    rule: str
    functions: frozenset[str | int]
    """Names, and numbers of records; empty for everything."""
    thread: int | None
    action: say.Action
    allow_loads: bool
    eager: bool

    def covers(self, record: FunctionRecord | None, name: str) -> bool:
        """Whether a compilation of this function, or of this name for no watched function, is forbidden here."""
        if self.thread not in (None, threading.get_ident()):
            return False
        if self.functions:
            names = (name,) if record is None else (record.id, record.name, record.qualname)
            return any(each in self.functions for each in names)
        return record is not None or self.eager


class _Violation(NamedTuple):
    alert: Alert
    action: say.Action


_bans: tuple[Ban, ...] = ()
_lock = threading.Lock()


def freeze(
    *functions: Any, action: say.Action = "raise", allow_loads: bool = True, eager: bool = True,
    this_thread: bool = False,
) -> None:  # fmt: skip
    """Forbid compilation from now on: after warm-up, a program should only hit JAX's caches.

    What would compile raises `RecompilationError`, before XLA runs, with the user's line, the difference to the nearest
    key that has a program, and the fix. Calls that compile nothing go on as before: NumPy in place of JAX arrays,
    callbacks, `grad` and `vmap` that were compiled. A stopped call can be repeated after `unfreeze()`.

    Args:
        *functions: Watched functions, or names; everything in the process if left out.
        action: `raise`; `warn`, which lets it compile; or a function that is called with an `Alert` before XLA runs,
            and may raise.
        allow_loads: Whether a program may come from the persistent compilation cache.
        eager: Whether eager operations, and functions that are not watched, are forbidden to compile too.
        this_thread: Whether to forbid it on the calling thread only.

    Raises:
        JitwatchError: A function is not watched, or the action is none of these.
    """
    _add(_ban("after jitwatch.freeze()", functions, action, allow_loads, eager, this_thread))


def unfreeze() -> None:
    """End every `freeze()`; `no_compiles` blocks stay in force."""
    global _bans
    with _lock:
        _bans = tuple(ban for ban in _bans if ban.rule != "after jitwatch.freeze()")


@contextmanager
def no_compiles(
    *functions: Any, action: say.Action = "raise", allow_loads: bool = True, eager: bool = True,
    this_thread: bool = False,
) -> Iterator[None]:  # fmt: skip
    """Forbid compilation while the block runs, as `freeze` does; the arguments are the same."""
    global _bans
    ban = _ban("within jitwatch.no_compiles()", functions, action, allow_loads, eager, this_thread)
    _add(ban)
    try:
        yield
    finally:
        with _lock:
            _bans = tuple(other for other in _bans if other is not ban)


def _add(ban: Ban) -> None:
    global _bans
    from jitwatch._api.watched import begin

    begin()
    with _lock:
        _bans = (*_bans, ban)


def _ban(
    rule: str, functions: Sequence[Any], action: say.Action, allow_loads: bool, eager: bool, this_thread: bool
) -> Ban:
    say.check_action(action, "action")
    thread = threading.get_ident() if this_thread else None
    return Ban(rule, frozenset(map(_name_of, functions)), thread, action, allow_loads, eager)


def _name_of(function: Any) -> str | int:
    from jitwatch._capture.hook.watch import watch_of

    if isinstance(function, str):
        return function
    watch = watch_of(function)
    if watch is None:
        raise JitwatchError(f"{function!r} is not a watched function; give one made by watched_jit, or a name.")
    return watch.record.id


def before(stage: str, name: str, frames: Sequence[Any], *, own: FunctionRecord | None, key: CacheKey | None) -> None:
    """Stop what a rule forbids: raises, warns or calls the user's function, whatever the rule asks for.

    Args:
        stage: That is about to run: `trace`, `lower`, `compile` (XLA, or a load in its place) or `xla` (no load).
        name: Of the program.
        frames: Of this thread, all of them.
        own: The function whose call, or use ahead of time, needs the stage for itself; None for anything else.
        key: Of that call.
    """
    if not _bans and (own is None or own.policy is None):
        return
    violation = _faults.contain("checking what may compile", _violation, stage, name, own, key, default=None)
    if violation is not None:
        try:
            say.act(violation.alert, violation.action, _faults.contain("an alert", user_frame, default=None))
        except BaseException:
            for frame in frames:
                frame.stopped = True
            _faults.contain("healing", jax_internals.clear_running_dispatch_caches, default=None)
            raise


def _violation(stage: str, name: str, own: FunctionRecord | None, key: CacheKey | None) -> _Violation | None:
    may_load = persistent.is_on() and jax_internals.can_call_before_xla()
    for broken in sorted(_broken_rules(own, name, key), key=lambda broken: broken.action != "raise"):
        waits_for_xla = may_load and broken.allow_loads
        is_certain = stage in ("compile", "xla") or broken.action == "raise"
        if waits_for_xla == (stage == "xla") and is_certain:
            record, key = (own, key) if own is not None else unwatched.program_of(name)[:2]
            alert = churn.forbidden(broken.kind, record, key, broken.rule, call_site(), broken.excess)
            return _Violation(alert, broken.action)
    return None


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


def _broken_rules(own: FunctionRecord | None, name: str, key: CacheKey | None) -> Iterator[_Broken]:
    for ban in reversed(_bans):
        if ban.covers(own, name):
            yield _Broken(ban.action, ban.allow_loads, "frozen", ban.rule)
    policy: churn.Policy | None = None if own is None else own.policy
    if own is None or policy is None:
        return
    if policy.expect is not None and key is not None and not policy.expect.covers(key):
        yield _Broken(policy.on_excess, True, "unexpected", "for arguments that its expect= does not declare")
    if policy.max_compiles is not None and own.compiles() >= policy.max_compiles:
        nth = own.compiles() + 1
        rule = f"for the {ordinal(nth)} time, with max_compiles={policy.max_compiles}"
        yield _Broken(policy.on_excess, True, "limit", rule, nth - policy.max_compiles)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `4th`, `11th` …"""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
