"""Runs a program as `python` would, watches it, and leaves a data file and a report."""

from __future__ import annotations

import atexit
import os
import runpy
import signal
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jitwatch import _faults, _install
from jitwatch._errors import JitwatchError


class Watching(NamedTuple):
    """What a watched program leaves behind, and how it is watched."""

    data_file: str
    json_file: str | None = None
    count_hits: bool = True
    report: Callable[[Any], str] | None = None
    """Makes the text for standard error from the recording's snapshot; None for none."""
    select: Callable[[Any], Any] | None = None
    """Keeps of a snapshot what the user asked for."""


class _Session:
    """One watched process, from its start to its end."""

    def __init__(self, watching: Watching) -> None:
        from jitwatch._store import Writer

        self._watching = watching
        self._pid = os.getpid()
        self._writer = Writer(watching.data_file)
        self._finished = False
        _install.install(count_hits=watching.count_hits)
        atexit.register(self.finish)
        self._take_sigterm()

    def finish(self) -> None:
        """Complete the data file, and write the reports; once, and in the process that began."""
        if self._finished:
            return
        self._finished = True
        try:
            self._writer.close()
            if os.getpid() == self._pid:
                self._write_reports()
        except Exception as error:
            _faults.record("the end of the run", error)

    def _write_reports(self) -> None:
        from jitwatch._scopes import snapshot

        data = snapshot()
        if self._watching.select is not None:
            data = self._watching.select(data)
        if self._watching.json_file is not None:
            from jitwatch._report import json

            write_report(self._watching.json_file, json.render(data))
        if self._watching.report is not None and sys.stderr is not None:
            print(self._watching.report(data), file=sys.stderr)

    def _take_sigterm(self) -> None:
        """Finish before a SIGTERM ends the process, where the program leaves it to the system."""
        try:
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._on_sigterm)
        except ValueError:  # not the main thread
            pass

    def _on_sigterm(self, number: int, _: Any) -> None:
        self.finish()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def begin(watching: Watching) -> None:
    """Watch this process from here to its end."""
    _Session(watching)


def write_report(path: str, text: str) -> None:
    """Write a report to a file of its own."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def check_report_path(path: str) -> None:
    """Refuse to overwrite what is no report of jitwatch's.

    Raises:
        JitwatchError: The file exists and is something else, or cannot be written there.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise JitwatchError(f"{path} cannot be written: there is no folder {folder}.")
    if os.path.isdir(path):
        raise JitwatchError(f"{path} is a folder; give the name of a file.")
    if os.path.exists(path) and os.path.getsize(path):
        with open(path, "rb") as file:
            if b'"schema": "jitwatch-' not in file.read(200):
                raise JitwatchError(f"{path} exists and is no jitwatch report; remove it or give another name.")


def run_script(path: str, args: Sequence[str]) -> int:
    """Run `python path args...`; returns the exit status."""
    if os.path.isdir(path) or path.endswith((".zip", ".pyz")):
        sys.argv = [path, *args]
        return _guarded(lambda: runpy.run_path(path, run_name="__main__"))
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise JitwatchError(f"{path} cannot be run: {error.strerror or error}.") from error
    sys.argv = [path, *args]
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    return _guarded(lambda: _exec_main(source, path))


def run_module(name: str, args: Sequence[str]) -> int:
    """Run `python -m name args...`; returns the exit status."""
    sys.argv = [name, *args]
    sys.path[0] = os.getcwd()
    return _guarded(lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def run_code(source: str, args: Sequence[str]) -> int:
    """Run `python -c source args...`; returns the exit status."""
    sys.argv = ["-c", *args]
    sys.path[0] = ""
    return _guarded(lambda: _exec_main(source.encode(), "<string>"))


def _exec_main(source: bytes, path: str) -> None:
    module = types.ModuleType("__main__")
    if path != "<string>":
        module.__file__ = path
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)


def _guarded(program: Callable[[], Any]) -> int:
    """Run, and answer an exception as the interpreter would, without jitwatch's frames in the traceback."""
    try:
        program()
    except SystemExit as exit_:
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0
        print(exit_.code, file=sys.stderr)
        return 1
    except BaseException as error:
        error.__traceback__ = _without_own_frames(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            return -signal.SIGINT
        return 1
    return 0


def _without_own_frames(traceback: Any) -> Any:
    own = (os.path.dirname(__file__), runpy.__file__)
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith((*own, "<frozen runpy>")):
        traceback = traceback.tb_next
    return traceback
