"""The command line: runs programs, and shows, converts and combines data files. Imports no jax but to run a program."""

from __future__ import annotations

import fnmatch
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click
import msgspec

from jitwatch import __version__, _config
from jitwatch._errors import JitwatchError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """A group whose commands answer a `JitwatchError` with one line and exit status 1, as they do a usage error."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs | {"standalone_mode": False})
        except click.exceptions.Abort:
            _fail("interrupted")
        except click.ClickException as error:
            error.show()
            sys.exit(1)
        except JitwatchError as error:
            _fail(str(error))


def _fail(message: str) -> NoReturn:
    click.echo(f"jitwatch: {message}", err=True)
    sys.exit(1)


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="jitwatch")
def main() -> None:
    """Find out what JAX compiles in a program: what, how often, at whose line, and what it costs.

    \b
    Start here:
      jitwatch run train.py --epochs 3     run a program and print the report at its end
      jitwatch report                      print it again, from the data file
      jitwatch json                        the same as JSON

    Exit status: 0 if all went well, 1 for an error, 2 where a threshold failed; `run` passes on the program's own.
    """


selection = [
    click.option("--include", multiple=True, metavar="GLOB", help="Report only functions whose name or file matches."),
    click.option("--omit", multiple=True, metavar="GLOB", help="Leave out functions whose name or file matches."),
]
show_all = click.option("--show-all", is_flag=True, help="Do not cut long lists.")


def _options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.option("-c", "code", metavar="CODE", help="Run code, as `python -c` does.")
@click.option("-o", "--output", metavar="FILE", help="The data file; .jitwatch in this folder if left out.")
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON too.")
@click.option("--no-calls", is_flag=True, help="Do not count hits, so that they cost strictly nothing.")
@click.option("--mode", type=click.Choice(_config.MODES), help="off runs the program unwatched.")
@click.option("--quiet", is_flag=True, help="Do not print the report at the end.")
@_options([*selection, show_all])
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT] [ARGS]...")
def run(
    module: str | None, code: str | None, output: str | None, json_file: str | None, no_calls: bool,
    mode: str | None, quiet: bool, include: tuple[str, ...], omit: tuple[str, ...], show_all: bool,
    program: tuple[str, ...],
) -> None:  # fmt: skip
    """Run a program as python would, and watch everything that JAX compiles in it.

    \b
    jitwatch run [OPTIONS] script.py args...
    jitwatch run [OPTIONS] -m package.module args...
    jitwatch run [OPTIONS] -c "code" args...

    Options go before the script; what follows it is the program's. The report goes to standard error.
    """
    from jitwatch import _run

    if module is None and code is None and not program:
        raise click.UsageError("give a script, -m MODULE or -c CODE to run.")
    if module is not None and code is not None:
        raise click.UsageError("give -m or -c, not both.")
    if _config.option("mode", mode) != "off":
        if json_file is not None:
            _run.check_report_path(json_file)
        _run.begin(
            _run.Watching(
                data_file=output or os.environ.get("JITWATCH_FILE") or ".jitwatch",
                json_file=json_file and os.path.abspath(json_file),
                count_hits=not no_calls,
                report=None if quiet else lambda data: _text(data, show_all=show_all, stream=sys.stderr),
                select=lambda data: select(data, include, omit),
            )
        )
    if module is not None:
        status = _run.run_module(module, program)
    elif code is not None:
        status = _run.run_code(code, program)
    else:
        status = _run.run_script(program[0], program[1:])
    _end_with(status)


def _end_with(status: int) -> NoReturn:
    """End with the program's status; after Ctrl-C as the interpreter does, by the signal."""
    if status == -signal.SIGINT:
        import atexit

        atexit._run_exitfuncs()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(status)


def select(data: Any, include: Sequence[str], omit: Sequence[str]) -> Any:
    """What of a snapshot matches the globs: functions and other programs by name, qualified name or file."""

    def wanted(function: Any) -> bool:
        names = (function.name, function.qualname, function.defined_at.rpartition(":")[0])
        matches = [any(fnmatch.fnmatch(name, glob) for name in names for glob in globs) for globs in (include, omit)]
        return (matches[0] or not include) and not matches[1]

    functions, others = (tuple(filter(wanted, each)) for each in (data.functions, data.others))
    return msgspec.structs.replace(data, functions=functions, others=others)


def _text(data: Any, *, show_all: bool, stream: Any) -> str:
    from jitwatch._report.text import render

    color = bool(getattr(stream, "isatty", lambda: False)()) and not os.environ.get("NO_COLOR")
    limits = {"max_functions": 10**6, "max_keys": 10**6} if show_all else {}
    return render(data, color=color, **limits)


def _load(files: Sequence[str]) -> Any:
    from jitwatch import _merge, _store

    recordings = [_store.load(path) for path in _store.find(files)]
    recording = recordings[0] if len(recordings) == 1 else _merge.combine(recordings)
    for problem in recording.problems:
        click.echo(f"jitwatch: {problem}", err=True)
    return recording


files_argument = click.argument("files", nargs=-1, type=click.Path())


@main.command()
@_options([*selection, show_all])
@files_argument
def report(files: tuple[str, ...], include: tuple[str, ...], omit: tuple[str, ...], show_all: bool) -> None:
    """Print the report of data files, all together; of .jitwatch and .jitwatch.* in this folder if none are given."""
    data = select(_load(files).snapshot, include, omit)
    click.echo(_text(data, show_all=show_all, stream=sys.stdout))


@main.command("json")
@click.option("-o", "--output", metavar="FILE", help="Write to a file; to standard output if left out.")
@_options(selection)
@files_argument
def json_command(files: tuple[str, ...], output: str | None, include: tuple[str, ...], omit: tuple[str, ...]) -> None:
    """Print the report of data files as JSON (docs/json.md)."""
    from jitwatch import _run
    from jitwatch._report import json

    text = json.render(select(_load(files).snapshot, include, omit))
    if output is None:
        click.echo(text, nl=False)
    else:
        _run.check_report_path(output)
        _run.write_report(output, text)
