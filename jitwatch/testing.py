"""Assertions for tests: how often something compiles, in a `with` block or in a decorated function.

Each failure says for each compilation why it happened, at which line, and what helps. docs/testing.md says what counts.
Importing this imports no jax.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from jitwatch import _config
from jitwatch._api.install import watching
from jitwatch._blocks import Block, is_being_defined
from jitwatch._errors import JitwatchError, check_flags, repr_of
from jitwatch._policy.reasons import programs
from jitwatch._record.recorder import recorder
from jitwatch._report.assertions.assertion_text import failure_text, function_text, never_called_note
from jitwatch._testing.counting import Counting
from jitwatch._testing.verdict import Bounds, Failure

__all__ = ["assert_compiles", "assert_no_recompiles", "assert_traces"]


def assert_compiles(
    fn: Any = None, *, exactly: int | None = None, at_most: int | None = None, at_least: int | None = None,
    eager: bool = False, this_thread: bool = False,
) -> Assertion:  # fmt: skip
    """Assert how often XLA compiles in a block, or while a decorated function runs.

    Counted are the first compilation of a function and all further ones, and loads from the persistent compilation
    cache: a test must not depend on what is on the disk. A program that was compiled before the block is a hit in it;
    `jax.clear_caches()` before it, or a new function, makes it compile again.

    Args:
        fn: What to count for: a jitted function; any Python function, wherever it is jitted; or a name, as JAX
            or Python has it, of a function or of an eager operation. If left out, all jitted functions.
        exactly: Compilations that are expected.
        at_most: The most that are allowed; with `at_least`, or alone.
        at_least: The fewest that are allowed.
        eager: Whether to count eager operations too, where no function is given. They are left out by default since
            JAX compiles a few for almost any line, such as `jnp.ones(3)`, which ones depends on its version, and what
            ran earlier in the process has them compiled already.
        this_thread: Whether to count what this thread compiles only, and not that of all threads.

    Raises:
        JitwatchError: The arguments make no sense, or nothing can be counted.
        AssertionError: At the end of the block, with what compiled and why.
    """
    return Assertion("compiled", fn, _bounds(exactly, at_most, at_least), eager, this_thread)


def assert_no_recompiles(fn: Any = None, *, eager: bool = False, this_thread: bool = False) -> Assertion:
    """Assert that nothing compiles again in a block, or while a decorated function runs.

    `@assert_no_recompiles` without parentheses decorates too.

    A compilation is one too many where the function had a program before, in the block or before it; the same goes for
    another function object that was made by the same definition and brings along the same. The first program of a
    function is allowed, and its first one under each transform (`grad`, `vmap`, an outer trace). Backward passes go
    along with the calls that they belong to, and `lower().compile()` does what it is asked to: neither is judged.

    Args:
        fn: As for `assert_compiles`.
        eager: As for `assert_compiles`.
        this_thread: As for `assert_compiles`.

    Raises:
        JitwatchError: The arguments make no sense, or nothing can be counted.
        AssertionError: At the end of the block, with what compiled again and why.
    """
    if is_being_defined(fn, sys._getframe(1)):
        return Assertion("recompiled", None, Bounds(0, 0), eager, this_thread)(fn)  # type: ignore[no-any-return]
    return Assertion("recompiled", fn, Bounds(0, 0), eager, this_thread)


def assert_traces(
    fn: Any = None, *, exactly: int | None = None, at_most: int | None = None, at_least: int | None = None,
    this_thread: bool = False,
) -> Assertion:  # fmt: skip
    """Assert how often JAX traces in a block, or while a decorated function runs: runs its Python body.

    Only functions that jitwatch watches tell of their traces: those that are jitted within the block, after
    `jitwatch.install()`, or by `watched_jit`. With others that were traced, or may have been, it is an error.

    Args:
        fn: As for `assert_compiles`; eager operations have no traces.
        exactly: Traces that are expected.
        at_most: The most that are allowed; with `at_least`, or alone.
        at_least: The fewest that are allowed.
        this_thread: As for `assert_compiles`.

    Raises:
        JitwatchError: The arguments make no sense, or nothing can be counted.
        AssertionError: At the end of the block, with what was traced and why.
    """
    return Assertion("traced", fn, _bounds(exactly, at_most, at_least), False, this_thread)


def _bounds(exactly: int | None, at_most: int | None, at_least: int | None) -> Bounds:
    for name, value in (("exactly", exactly), ("at_most", at_most), ("at_least", at_least)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise JitwatchError(f"{name} must be a whole number of at least 0, not {repr_of(value)}.")
    if exactly is not None and (at_most is not None or at_least is not None):
        raise JitwatchError("Give exactly=, or at_most= and at_least=, not both.")
    if exactly is None and at_most is None and at_least is None:
        raise JitwatchError("Say how many: give exactly=, at_most= or at_least=, such as exactly=1.")
    if at_most is not None and at_least is not None and at_least > at_most:
        raise JitwatchError(f"at_least={at_least} is more than at_most={at_most}, so no count fits.")
    return Bounds(exactly or at_least or 0, at_most if exactly is None else exactly)


class Assertion(Block[None]):
    """What the functions of this module return: a context manager and a decorator, to be used as often as you like.

    Each call of a decorated function is a block of its own; that of a generator goes on until it ends.
    """

    def __init__(self, verb: str, fn: Any, bounds: Bounds, eager: bool, this_thread: bool) -> None:
        if not (fn is None or callable(fn) or (isinstance(fn, str) and fn)):
            raise JitwatchError(f"Give a function or its name, not {repr_of(fn)}; nothing stands for all functions.")
        check_flags(eager=eager, this_thread=this_thread)
        super().__init__(lambda: _Block(verb, fn, bounds, eager, this_thread), whole=True)


class _Block(AbstractContextManager[None]):
    """One run of a block: what to count for, the count, and the verdict."""

    def __init__(self, verb: str, function: Any, bounds: Bounds, eager: bool, this_thread: bool) -> None:
        _refuse_where_off()
        from jitwatch._api.start import begin
        from jitwatch._capture.hook import target

        begin()
        self._verb, self._bounds = verb, bounds
        self._target = None if function is None else target.Target(function)
        if verb == "traced" and self._target is not None and self._target.is_unwatched:
            raise JitwatchError(_untold_text(self._target.name, self._target.defined_at))
        self._is_jit_disabled = target.is_jit_disabled
        self._was_disabled = target.is_jit_disabled()
        covers = None if self._target is None else self._target.covers
        self._counting = Counting(verb, covers, eager=eager, this_thread=this_thread)
        self._watching = ExitStack()

    def __enter__(self) -> None:
        self._watching.enter_context(watching())
        self._counting.begin()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        __tracebackhide__ = True
        self._counting.end()
        self._watching.close()
        if kind is None:
            self._check()

    def _check(self) -> None:
        """Say what is wrong, if anything is."""
        __tracebackhide__ = True
        counting = self._counting
        if counting.error is not None:
            raise JitwatchError(f"jitwatch failed to count what {self._verb} here.") from counting.error
        for record in counting.untold:
            raise JitwatchError(_untold_text(record.name, record.defined_at))
        if not self._bounds.allow(counting.count):
            raise AssertionError(failure_text(self._failure()))

    def _failure(self) -> Failure:
        counting, function = self._counting, self._target
        expected = "no recompilation" if self._verb == "recompiled" else self._bounds.text()
        name = "" if function is None else function.name
        places = {event.defined_at for event in counting.events} or {each.defined_at for each in self._known()}
        place = "" if function is None else function.defined_at or (places.pop() if len(places) == 1 else "")
        return Failure(
            self._verb, name, place, expected, counting.count, counting.loads, counting.reused, tuple(counting.events),
            tuple(self._notes()),
        )  # fmt: skip

    def _known(self) -> list[Any]:
        """The records of the function that the assertion is about."""
        return [] if self._target is None else [each for each in recorder().records() if self._target.covers(each)]

    def _notes(self) -> Iterator[str]:
        counting = self._counting
        if self._was_disabled or self._is_jit_disabled():
            yield "jax.disable_jit() is on: JAX runs jitted functions as plain Python, and nothing is compiled."
        if counting.elsewhere:
            yield f"Other threads: {counting.elsewhere:,}, which this_thread=True leaves out."
        if counting.count >= self._bounds.at_least or self._target is None:
            return
        known = [each for each in self._known() if each.activity()]
        before = sum(programs(each.totals.tally) for each in known) - counting.count - counting.elsewhere
        if before > 0 or self._target.was_compiled_unseen():
            yield (
                f"It has {f'{before:,} programs' if before > 1 else 'a program'} from before the block, and calls that"
                " find one are hits. Call jax.clear_caches() before the block, or jit a new function."
            )
        elif not known:
            yield never_called_note(self._target.name, [each.name for each in recorder().records()])


def _refuse_where_off() -> None:
    if _config.is_off():
        raise JitwatchError(
            f"{_config.off_text()}, so nothing can be counted for this assertion. Set the mode to 'warn' or 'error' for"
            " tests."
        )


def _untold_text(name: str, defined_at: str) -> str:
    return (
        f"How often {function_text(name, defined_at)} is traced cannot be counted: it was jitted before the block,"
        f" when jitwatch was not watching. Jit it within the block, use jitwatch.watched_jit, or {_earlier()}"
        "; assert_compiles counts its compilations as it is."
    )


def _earlier() -> str:
    """How to watch before a function is jitted, in pytest or elsewhere."""
    if "PYTEST_CURRENT_TEST" in os.environ:
        return "put `jitwatch = true` into pytest's settings, so that watching begins before it is jitted"
    return "call jitwatch.install() before it is jitted"


for _public in (assert_compiles, assert_no_recompiles, assert_traces, Assertion):
    _public.__module__ = "jitwatch.testing"


def __dir__() -> list[str]:
    return sorted(__all__)
