"""Watches this process from its start to its end: the data file, the reports, and the processes that it starts."""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec

from jitwatch import _config, _faults, _hub, _state
from jitwatch._api import install
from jitwatch._errors import JitwatchError
from jitwatch._model import Miss, Process, Snapshot
from jitwatch._record.recorder import recorder
from jitwatch._record.sums import program_count
from jitwatch._report import forms
from jitwatch._run import output_files, script
from jitwatch._run.reports import Reports, reports
from jitwatch._words.safe_text import short_place

AUTOSTART = os.path.join(os.path.dirname(os.path.abspath(__file__)), "autostart")
"""The folder whose `sitecustomize` begins to watch where the environment asks for it."""
CHILD = "JITWATCH_CHILD"
"""The environment variable by which the processes that a watched one starts know how to be watched."""


class Watching(msgspec.Struct, frozen=True):
    """How a process is watched; what it hands on to the processes that it starts."""

    data_file: str
    """Absolute, since the program may change its folder."""
    run: str
    count_hits: bool = True
    programs: str | None = None
    """The folder for programs, absolute too; None for none."""


class _Devices:
    """JAX's process index and kind of device, noted when JAX has set them up for something that it compiled."""

    def __init__(self) -> None:
        self._known: tuple[int | None, str] = (None, "")
        self._unsubscribe = _hub.subscribe(self._on_event)

    def __call__(self) -> tuple[int | None, str]:
        """As far as known; never asks JAX, which may be at its end or not have begun."""
        return self._known

    def _on_event(self, event: Any) -> None:
        if isinstance(event, Miss) and program_count(event.stages):
            from jitwatch._capture.jax_internals import devices_if_set_up

            self._known = devices_if_set_up()
            if self._known[1]:
                self._unsubscribe()


class _Session:
    """One watched process."""

    def __init__(self, watching: Watching, reports: Reports | None) -> None:
        from jitwatch._store import Writer, program_files

        self._watching, self._reports, self._pid = watching, reports, os.getpid()
        self._finished = False
        self._kept = None if watching.programs is None else program_files.kept_in(watching.programs)
        self._default = Path(".jitwatch").absolute()
        self._programs = None if watching.programs is None else program_files.ProgramFolder(watching.programs)
        self._writer = Writer(watching.data_file, devices=_Devices(), run=watching.run)
        self._told = ""
        """What was said of the data file that cannot be written."""
        self._tell_of_error("The program runs all the same, and nothing of it is kept in a file.")
        if self._programs is not None:
            recorder().programs.keep = self._programs.keep
        install.install(count_hits=watching.count_hits)
        atexit.register(self.finish)
        self._panel: Any = None
        if reports is not None:
            self._take_sigterm()
            self._panel = self._begin_to_tell(reports)
        self._finish_with_multiprocessing()

    def _begin_to_tell(self, reports: Reports) -> Any:
        """Say each recompilation from now on, or show it; returns what is to be ended then."""
        if not (reports.warn or reports.live):
            return None
        from jitwatch._run.live_panel import Panel, can_show
        from jitwatch._run.recompile_lines import RecompileLines

        if reports.live and can_show(sys.stderr):
            panel = Panel(sys.stderr, reports.is_wanted)
            panel.begin()
            return panel
        RecompileLines(lambda line: _say(f"jitwatch: {line}"), reports.is_wanted).begin()
        return None

    def finish(self) -> None:
        """Complete the data file, and write the reports; once, and in the process that began."""
        if self._finished:
            return
        self._finished = True
        try:
            if self._panel is not None:
                _faults.contain("the live panel", self._panel.end, default=None)
            self._writer.close()
            if self._reports is not None and os.getpid() == self._pid:
                self._write_reports(self._reports)
                self._tell_of_error("The file ends there.")
                if self._programs is not None and self._programs.error:
                    _say(f"jitwatch: {self._programs.error}")
        except Exception as error:
            _faults.record("the end of the run", error)
        script.remain_interrupted()

    def _tell_of_error(self, consequence: str) -> None:
        """Say in one line, once, that the data file cannot be written."""
        error = self._writer.error
        if error and not self._told and self._reports is not None:
            self._told = error
            _say(f"jitwatch: {error} {consequence}")

    def _tell_of_place(self) -> None:
        """Say where the data is, unless that is where it is looked for first."""
        path = self._writer.path
        if self._writer.error is None and path != self._default and not output_files.is_special(path):
            _say(f"jitwatch: the data is in {short_place(str(path))}")

    def _write_reports(self, reports: Reports) -> None:
        if reports.text is None and not reports.files:
            return
        data, processes = self._recorded()
        for form, path in reports.files.items():
            try:
                render = forms.renderer(form, self._kept, **reports.layout)
                output_files.write_whole(path, render(reports.select(data), processes))
            except JitwatchError as error:
                _say(f"jitwatch: {error}")
        if reports.text is not None:
            _say(reports.text(data, processes))
            self._tell_of_place()

    def _recorded(self) -> tuple[Snapshot, tuple[Process, ...]]:
        """What this process recorded, and with it what those did that it started, as far as their files are there."""
        from jitwatch._api import scopes
        from jitwatch._store import runs

        data, process = scopes.snapshot(), self._writer.process
        own = () if process is None else (process,)
        try:
            others = runs.of_run(self._watching.data_file, self._watching.run, but=self._writer.path)
            if others:
                return runs.with_others(data, own, others)
        except Exception as error:
            _faults.record("adding up the processes of the run", error)
        return data, own

    def _finish_with_multiprocessing(self) -> None:
        """Finish in a process of `multiprocessing`, which may end by `os._exit`, without `atexit`."""
        util: Any = sys.modules.get("multiprocessing.util")
        if self._reports is None and util is not None:
            util.Finalize(self, self.finish, exitpriority=0)
            # `multiprocessing` drops this one if it comes before the process runs its own function, and runs that:
            util.register_after_fork(self, lambda session: util.Finalize(session, session.finish, exitpriority=0))

    def _take_sigterm(self) -> None:
        """Finish before a SIGTERM ends the process, where the program leaves it to the system."""
        try:
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._on_sigterm)
        except ValueError:  # not the main thread
            pass

    def _on_sigterm(self, number: int, _: Any) -> None:
        if os.getpid() == self._pid:  # one that was forked from it ends at once, as without jitwatch
            self.finish()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _say(text: str) -> None:
    """Print on standard error, wherever the program has left that."""
    stream = sys.stderr if sys.stderr is not None and not sys.stderr.closed else sys.__stderr__
    if stream is not None:
        print(text, file=stream, flush=True)


class _Running:
    """The session of this process."""

    def __init__(self) -> None:
        self.session: _Session | None = None


def data_path(named: str | None) -> str:
    """Where the data goes: what was named, else what `JITWATCH_FILE` names, else `.jitwatch` in the current folder."""
    return os.path.abspath(named or os.environ.get("JITWATCH_FILE") or ".jitwatch")


def make_room(named: str | None, *, force: bool, append: bool) -> None:
    """See to it that a data file that was named for this run is one of this run.

    Args:
        named: By the user for this run; None for the name that all runs share.
        force: Whether to erase what earlier runs left under the name.
        append: Whether to keep it, and write beside it.

    Raises:
        JitwatchError: It exists, and neither was asked for; or it is no data file of jitwatch's.
    """
    path = Path(data_path(named))
    if force:
        from jitwatch import _store

        beside = [each for each in _store.with_beside(path) if not output_files.is_special(each)]
        _store.erase([each for each in beside if each == path or _store.is_data_file(each)])  # not `train.html`
    elif named is not None and path.is_file() and not append:
        raise JitwatchError(
            f"{named} exists, of an earlier run; --force erases that, and --append keeps it and writes beside it."
        )


def begin(
    data_file: str | None, *, count_hits: bool, reports: Reports, programs: str | None = None, reuse: bool = False
) -> None:
    """Watch this process from here to its end, and those that it starts.

    Args:
        data_file: Where to; see `data_path`.
        count_hits: Whether to count hits too.
        reports: What to write at the end.
        programs: Folder to keep each distinct program in; None for none.
        reuse: Whether to reuse compiled programs, here and there; else the settings say.

    Raises:
        JitwatchError: There is no such folder, or that for programs cannot be made.
    """
    path = data_path(data_file)
    output_files.check_named(path)
    if reuse and _config.option("reuse") == _config.REUSE_OFF:
        os.environ["JITWATCH_REUSE"] = "on"
    watching = Watching(path, secrets.token_hex(8), count_hits, programs and os.path.abspath(programs))
    _begin(watching, reports)
    os.environ[CHILD] = msgspec.json.encode(watching).decode()
    os.environ["PYTHONPATH"] = python_path()


def begin_by_environment() -> None:
    """Watch this process as its environment says: as a child of a watched one, or for `JITWATCH=1`."""
    try:
        if _state.part(_Running).session is not None or _config.is_off():
            return
        if CHILD in os.environ:
            watching = msgspec.json.decode(os.environ[CHILD], type=Watching)
            if not output_files.is_special(watching.data_file):  # that has room for one process
                _begin(watching, None)
        else:
            count_hits, programs = not _config.option("no_calls"), _config.option("programs")
            begin(None, count_hits=count_hits, reports=reports({}), programs=programs)
    except (JitwatchError, msgspec.MsgspecError) as error:
        print(f"jitwatch: the program runs unwatched: {error}", file=sys.stderr)


def _begin(watching: Watching, reports: Reports | None) -> None:
    running = _state.part(_Running)
    if running.session is None:
        running.session = _Session(watching, reports)


def python_path() -> str:
    """The value of PYTHONPATH by which the Python programs that are started with it find jitwatch's `sitecustomize`."""
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return os.pathsep.join([AUTOSTART, *(folder for folder in folders if folder != AUTOSTART)])
