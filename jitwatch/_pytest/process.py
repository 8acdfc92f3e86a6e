"""Watches the tests of one process: what each phase compiles, and whether a test keeps its markers.

What there is to say goes out with the reports of the tests, so that it arrives from a worker of xdist, and from a
process that a test is run in, as the outcome itself does.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import time
from typing import Any

import msgspec
import pytest

from jitwatch import _config, _faults, _hub, _store
from jitwatch._api import install, scopes
from jitwatch._errors import JitwatchError
from jitwatch._model import Finding, FunctionStats, Miss, Process, Recording, Snapshot, Stages
from jitwatch._record.recorder import recorder
from jitwatch._record.sums import COUNTS, lost_s, program_count, programs_of
from jitwatch._store.files import host_name
from jitwatch._testing.costs import Cost, Handed, PhaseCost
from jitwatch._testing.limits import Limit, jitted_functions, limit_of, problems

_Failed: Any = pytest.fail.Exception
_LIMITS = pytest.StashKey[tuple[Limit, ...]]()
SECTION = "jitwatch: compiled more than its markers allow"


class RecompileProblem(_Failed):  # type: ignore[misc]
    """A test compiled more than its markers allow."""


RecompileProblem.__module__ = "jitwatch"


def is_off() -> bool:
    """Whether the settings say that nothing is to be counted.

    Raises:
        pytest.UsageError: A setting is not valid.
    """
    try:
        return _config.is_off()
    except JitwatchError as error:
        raise pytest.UsageError(f"jitwatch: {error}") from None


def read_markers(items: Sequence[pytest.Item]) -> None:
    """Keep with each test what its markers say.

    Raises:
        pytest.UsageError: A marker is not valid.
    """
    for item in items:
        marks = [mark for name in ("max_compiles", "no_recompile") for mark in item.iter_markers(name)]
        try:
            item.stash[_LIMITS] = tuple(dict.fromkeys(limit_of(mark.name, mark.args, mark.kwargs) for mark in marks))
        except JitwatchError as error:
            raise pytest.UsageError(f"{item.nodeid}: wrong marker of jitwatch's: {error}") from None


class WatchedTest:
    """What one test compiled since its fixture was set up; programs are XLA compilations and persistent-cache loads."""

    def __init__(self) -> None:
        self._recording = scopes.Recording()

    def compiles(self, name: str | None = None) -> int:
        """Programs compiled: of all jitted functions, or of what has this name.

        Raises:
            JitwatchError: Nothing with the name was called or compiled in this process.
        """
        return sum(map(programs_of, self._functions(name)))

    def traces(self, name: str | None = None) -> int:
        """Traces, told as `compiles` is."""
        return sum(function.stages.traces for function in self._functions(name))

    def snapshot(self) -> Snapshot:
        """All counts as plain data."""
        return self._recording.snapshot()

    def report(self, *, color: bool | None = None, width: int | None = None) -> scopes.Report:
        """All counts as text."""
        return scopes.report(self.snapshot(), color=color, width=width)

    def findings(self) -> tuple[Finding, ...]:
        """What of it could be saved and how, the most costly first."""
        from jitwatch._policy.verdict import verdict
        from jitwatch._report.summary import sort_findings

        return sort_findings(verdict(self.snapshot()).all_findings())

    def _functions(self, name: str | None) -> Sequence[FunctionStats]:
        data = self.snapshot()
        if name is None:
            return jitted_functions(data)
        known = sorted({one for record in recorder().records() for one in (record.name, record.qualname)})
        if name not in known:
            raise JitwatchError(
                f"Nothing named {name!r} was called or compiled so far; there are: {', '.join(known) or 'none'}."
            )
        return [one for one in (*data.functions, *data.others) if name in (one.name, one.qualname)]


class _Tally:
    """What was compiled in a stretch of time, on any thread."""

    def __init__(self) -> None:
        self.programs = self.again = 0
        self.lost_s = 0.0

    def cost(self) -> Cost:
        return Cost(self.programs, self.lost_s)


class Watch:
    """Watches one process; a plugin of pytest from when a test, or an option, asks for it."""

    def __init__(self, is_off: bool) -> None:
        self.is_off = is_off
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._started_unix_s = time()
        self._outside = _Tally()
        self._phase: _Tally | None = None
        self._said: dict[str, Any] = {}
        """What there is to say of the phase besides what it compiled."""
        self._problem = ""
        """What is wrong with what the test compiled."""
        self._compiled: set[tuple[int, int]] = set()
        """Functions and keys that were compiled before JAX's caches were cleared, or since."""
        self._cleared = self._in_child = self._is_calling = False
        self._stops: list[Callable[[], object]] = []
        if not is_off:
            watching = install.watching(count_hits=True)
            watching.__enter__()
            self._stops = [_hub.subscribe(self._on_event), lambda: watching.__exit__(None, None, None)]
        self._recording = scopes.Recording()

    def stop(self) -> None:
        """Watch no longer."""
        for stop in self._stops:
            _faults.contain("the end of watching", stop, default=None)
        self._stops.clear()

    def watched_test(self) -> WatchedTest:
        """What the test that is running compiles from here on."""
        return WatchedTest()

    def fresh_test(self) -> WatchedTest:
        """The same, with JAX's caches cleared."""
        if sys.modules.get("jax") is not None:
            from jitwatch._capture.clearing import clear_caches

            clear_caches()
        self._cleared = self._said["cleared"] = True
        return WatchedTest()

    def hand_over(self, session: pytest.Session) -> None:
        """Leave for the controller of xdist what this worker counted."""
        output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
        output["jitwatch"] = text_of(self._recorded()), *msgspec.to_builtins(self._outside.cost()).values()

    def handed(self) -> Handed:
        """What this process counted."""
        return Handed(self._recorded(), self._outside.cost())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[Any]:
        """Attribute what follows to the test's set-up."""
        self._begin_phase()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[Any]:
        """Attribute what follows to the test's teardown."""
        self._begin_phase()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[Any]:
        """Attribute what follows to the test's call, and fail it where it does not keep its markers."""
        self._begin_phase()
        limits = item.stash.get(_LIMITS, ())
        if self.is_off and limits:
            self._said["ignored"] = True
        scope = _faults.contain("a test's begin", scopes.Recording, default=None) if limits else None
        self._is_calling = True
        try:
            result = yield
        except (Exception, _Failed):
            _faults.contain("a test's markers", self._judge, limits, scope, default="")
            raise
        finally:
            self._is_calling = False
        text = _faults.contain("a test's markers", self._judge, limits, scope, default="")
        if text:
            raise RecompileProblem(text, pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> Iterator[Any]:
        """Put what the phase compiled into its report."""
        report = yield
        if self._is_calling:  # the report of a subtest; what the test compiles goes into its own
            return report
        _faults.contain("a test's report", self._end_phase, report, call, default=None)
        return report

    def _begin_phase(self) -> None:
        if os.getpid() != self._pid:  # a process of the test's own, forked from this one
            self._pid, self._in_child = os.getpid(), True
            self._started_unix_s = time()
            self._recording = scopes.Recording()
        self._phase, self._said = _Tally(), {}

    def _end_phase(self, report: Any, call: pytest.CallInfo[Any]) -> None:
        phase, self._phase = self._phase or _Tally(), None
        if self._in_child and call.when == "teardown":
            self._said["child"] = text_of(self._recorded())
        if call.excinfo and isinstance(call.excinfo.value, RecompileProblem):
            _tell_alone(report.longrepr, self._problem)
        elif self._problem:
            report.sections.append((SECTION, self._problem))  # of a test that failed by itself too
            self._said.pop("problem")
        self._problem = ""
        found = PhaseCost(phase.cost(), again=phase.again, **self._said)
        if found != PhaseCost():
            report.jitwatch = msgspec.to_builtins(found)

    def _judge(self, limits: Sequence[Limit], scope: scopes.Recording | None) -> str:
        """What is wrong with what a test compiled; empty if nothing is."""
        if scope is None or self.is_off:
            return ""
        from jitwatch._report.assertions.limit_text import failure_text, problem_line

        self._said["unmatched"] = tuple(limit.name for limit in limits if limit.name and not _is_known(limit.name))
        found = problems(limits, scope.snapshot()) if self._phase and self._phase.programs else []
        self._problem = failure_text(found)
        if found:
            self._said["problem"] = problem_line(found[0])
        return self._problem

    def _on_event(self, event: Any) -> None:
        if not isinstance(event, Miss) or event.stages == Stages():
            return
        with self._lock:
            tally = self._phase or self._outside
            tally.programs += program_count(event.stages)
            tally.lost_s += lost_s(event.stages)
            if event.key is not None and program_count(event.stages):
                tally.again += self._cleared and (event.function, event.key) in self._compiled
                self._compiled.add((event.function, event.key))

    def _recorded(self) -> Recording:
        snapshot = self._recording.snapshot()
        used = tuple(function for function in snapshot.functions if _was_used(function))
        index, kind = None, ""
        if sys.modules.get("jax") is not None:
            from jitwatch._capture.jax_internals import devices_if_set_up

            index, kind = devices_if_set_up()
        process = Process(
            host_name(), self._pid, index, snapshot.jax_version, snapshot.python_version, kind,
            self._started_unix_s, tuple(sys.orig_argv),
        )  # fmt: skip
        return Recording((process,), msgspec.structs.replace(snapshot, functions=used), ())


def _tell_alone(shown: Any, problem: str) -> None:
    """Show a problem without what pytest says around it: the name of the exception, and that no frame is shown."""
    shown.reprtraceback.extraline = None
    shown.reprcrash.message = problem


def text_of(recording: Recording) -> str:
    """A recording as the text of a data file, in which what keys share stands once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recording")
        _store.save(recording, path)
        return path.read_bytes().decode()


def recording_of(text: str) -> Recording:
    """The recording that `text_of` made a text of."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recording")
        path.write_bytes(text.encode())
        return _store.load(path)


def _is_known(name: str) -> bool:
    return any(name in (record.name, record.qualname) for record in recorder().records())


def _was_used(function: FunctionStats) -> bool:
    return bool(function.keys) or function.stages != Stages() or any(getattr(function, name) for name in COUNTS)
