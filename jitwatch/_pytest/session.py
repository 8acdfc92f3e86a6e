"""Brings together what the tests of a session compiled, wherever they ran; writes the files, prints the report."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest

from jitwatch._errors import JitwatchError
from jitwatch._model import Recording
from jitwatch._pytest.options import Options, read_baseline
from jitwatch._pytest.process import Watch, recording_of
from jitwatch._record import merge
from jitwatch._report import forms
from jitwatch._run import output_files
from jitwatch._testing.costs import Cost, Handed, PhaseCost, SessionData, row_of, sum_costs
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import clean, clean_place, short_place

MAX_IN_SUMMARY = 10
_TITLE = "JITWATCH REPORT"
_OFF = (
    "jitwatch is off (JITWATCH_MODE or [tool.jitwatch] mode): nothing was counted, the markers max_compiles and "
    "no_recompile were ignored, and tests with its fixtures skipped."
)


class Session:
    """All tests of one session, in the process that reports them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._phases: dict[str, list[tuple[str, PhaseCost]]] = {}
        self._workers: dict[str, Handed | None] = {}
        """By name; None while a worker has not handed over what it counted."""
        self._children: list[Recording] = []
        self._crashed = 0
        self._data: SessionData | None = None
        self._baseline_text = ""
        self._over: list[str] = []
        """One line for each function over its baseline."""
        self._fails = False
        """Whether that makes the session fail."""

    def take(self, report: Any) -> None:
        """Take what the report of one phase brings along."""
        if report.when == "???":
            self._crashed += 1
            return
        phase = msgspec.convert(report.jitwatch, PhaseCost)
        if phase.child:
            self._children.append(recording_of(phase.child))
            phase = msgspec.structs.replace(phase, child="")
            report.jitwatch = msgspec.to_builtins(phase)
        self._phases.setdefault(report.nodeid, []).append((report.when, phase))

    def worker_began(self, name: str) -> None:
        """Expect what a worker counts."""
        self._workers.setdefault(name, None)

    def worker_ended(self, name: str, handed: tuple[str, int, float]) -> None:
        """Take what a worker counted."""
        text, programs, lost_s = handed
        self._workers[name] = Handed(recording_of(text), Cost(programs, lost_s))

    def finish(self, session: pytest.Session, watch: Watch | None) -> None:
        """At the end of all tests: add up, write the files, and fail the session if that was asked for."""
        notes = self._notes(is_off=watch is not None and watch.is_off)
        parts = [handed for handed in self._workers.values() if handed is not None]
        if not self._workers and watch is not None:  # what a controller imports, its workers import too
            parts = [watch.handed()]
        recordings = [*(part.recording for part in parts), *self._children]
        if not recordings:
            recordings = [] if watch is None else [watch.handed().recording]
        if not recordings:
            return
        whole = recordings[0] if len(recordings) == 1 else merge.combine(recordings)
        collects_only = bool(session.config.getoption("collectonly", False))
        if self._options.report is not None:
            notes.append(self._write_report(whole))
        if self._options.baseline is not None and not collects_only:
            notes += self._hold_against_baseline(whole, session)
        self._data = self._session_data(whole, sum_costs(part.outside for part in parts), notes)

    def print(self, terminal: Any) -> None:
        """Print the report, or, where none was asked for, what the user should know all the same."""
        if self._data is None:
            return
        if self._options.hide:
            text = ""
        elif self._options.watch:
            text = self._report_text(self._data, terminal)
        else:
            from jitwatch._report.assertions.session_text import notes_text

            text = notes_text(self._data)
        if self._baseline_text and (self._over or not self._options.hide):
            text = f"{text}\n\n{self._baseline_text}" if text else self._baseline_text
        if text:
            terminal.section(_TITLE)
            terminal.write_line(text)
        if self._fails:
            self._fail(terminal)

    def _fail(self, terminal: Any) -> None:
        """Put each function that compiles more than it may into pytest's own summary, which makes its last line red."""
        for line in self._over[:MAX_IN_SUMMARY]:
            where = f"{short_place(str(self._options.baseline))} (jitwatch)"
            report = pytest.CollectReport(nodeid=where, outcome="failed", longrepr=None, result=None)
            report.longrepr = line
            terminal.stats.setdefault("error", []).append(report)

    def _report_text(self, data: SessionData, terminal: Any) -> str:
        from jitwatch._report.assertions.session_text import render

        writer = terminal.config.get_terminal_writer()
        return render(data, top=self._options.top, color=writer.hasmarkup, width=writer.fullwidth)

    def _session_data(self, whole: Recording, outside: Cost, notes: list[str]) -> SessionData:
        rows = [
            row_of(nodeid, ((when, phase.cost) for when, phase in phases)) for nodeid, phases in self._phases.items()
        ]
        return SessionData(
            snapshot=whole.snapshot, processes=whole.processes, outside=outside,
            tests=tuple(row for row in rows if row.cost != Cost()),
            cleared=sum(any(phase.cleared for _, phase in phases) for phases in self._phases.values()),
            again=sum(phase.again for phases in self._phases.values() for _, phase in phases),
            notes=tuple(notes),
        )  # fmt: skip

    def _notes(self, *, is_off: bool) -> list[str]:
        notes = []
        if is_off or any(phase.ignored for phases in self._phases.values() for _, phase in phases):
            notes.append(_OFF)
        for nodeid, phases in self._phases.items():
            for name in dict.fromkeys(name for _, phase in phases for name in phase.unmatched):
                notes.append(f"max_compiles of {nodeid} names {name!r}, and nothing of that name was compiled or "
                             f"watched; is it spelled right?")  # fmt: skip
        lost = sorted(name for name, handed in self._workers.items() if handed is None)
        if lost:
            notes.append(f"{count_text(len(lost), 'worker')} ended without handing over what it counted "
                         f"({', '.join(lost)}): the counts of functions are too low.")  # fmt: skip
        if self._crashed and self._options.watch:
            notes.append(f"What compiled in {count_text(self._crashed, 'test')} that ended its process is not counted.")
        return notes

    def _write_report(self, whole: Recording) -> str:
        path = str(self._options.report)
        render = forms.renderer(forms.SUFFIXES[os.path.splitext(path)[1]])
        try:
            output_files.write_whole(path, render(whole.snapshot, whole.processes))
        except JitwatchError as error:
            return str(error)
        return f"Report written to {short_place(path)}."

    def _hold_against_baseline(self, whole: Recording, session: pytest.Session) -> list[str]:
        try:
            return self._update(whole, session) if self._options.update else self._check(whole, session)
        except JitwatchError as error:
            return [str(error)]

    def _check(self, whole: Recording, session: pytest.Session) -> list[str]:
        from jitwatch._compare import budget
        from jitwatch._compare.definition_files import file_namer
        from jitwatch._report.comparison import check_text
        from jitwatch._report.comparison.check_words import excess_text

        path = str(self._options.baseline)
        limits = budget.read_budget(read_baseline(path), path)
        found = budget.check(limits, whole.snapshot, file_namer(os.path.dirname(path)))
        # A part of the tests may have been run: what it left out says nothing.
        text = check_text.render(msgspec.structs.replace(found, unseen=()), width=100)
        self._baseline_text = f"Baseline {short_place(path)}: {text.removeprefix(check_text.HEADING)}"
        self._over = [f"{_named(one.function)} {excess_text(one)}" for one in found.over]
        if found.over and self._options.fail_on_increase and session.exitstatus in (0, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self._fails = True
        return []

    def _update(self, whole: Recording, session: pytest.Session) -> list[str]:
        from jitwatch._compare import budget
        from jitwatch._compare.budget_update import NEW_BUDGET, update_budget
        from jitwatch._compare.definition_files import file_namer

        path = str(self._options.baseline)
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not ended or None in self._workers.values():
            return [f"Baseline {short_place(path)} was left as it was, since the session did not end as it should."]
        partial = _why_partial(session)
        text = read_baseline(path) if os.path.exists(path) else ""
        needed = budget.needed_limits(whole.snapshot, file_namer(os.path.dirname(path)))
        update = update_budget(text if text.strip() else NEW_BUDGET, path, needed, only_raise=bool(partial))
        if update.text != text:
            output_files.write_whole(path, update.text)
        names = ("added", "raised", "lowered")
        counts = [f"{len(getattr(update, name))} {name}" for name in names if getattr(update, name)]
        note = f" Nothing was lowered, since {partial}." if partial else ""
        return [f"Baseline {short_place(path)}: {', '.join(counts) or 'no change'}.{note}"]


def _why_partial(session: pytest.Session) -> str:
    """Why a session says too little to lower a limit; empty where it ran all tests and they passed."""
    config = session.config
    if session.exitstatus != pytest.ExitCode.OK or session.testsfailed:
        return "not all tests passed"
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    deselected = getattr(terminal, "stats", {}).get("deselected", ())
    chosen = any(config.getoption(name, None) for name in ("keyword", "markexpr", "deselect", "lf"))
    if deselected or chosen:
        return "tests were deselected"
    named = config.args_source == pytest.Config.ArgsSource.ARGS and any(
        os.path.isfile(argument.partition("::")[0]) for argument in config.args
    )
    return "tests were named on the command line" if named else ""


def _named(function: Any) -> str:
    place = f" ({clean_place(function.file)})" if function.file else ""
    return f"{clean(function.name)}{place}"
