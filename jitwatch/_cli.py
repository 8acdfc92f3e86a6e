"""The command line: runs programs, and shows, converts and combines data files. Imports no jax but to run a program."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click
import msgspec

from jitwatch import __version__, _cli_budget, _config, _program
from jitwatch._errors import JitwatchError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """A group whose commands answer a `JitwatchError` with one line and exit status 1, as they do a usage error."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            program = super().main(*args, **kwargs | {"standalone_mode": False})
            # The watched program runs out here, where its exceptions are its own and none of click's.
            return program() if callable(program) else program
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
      jitwatch combine A B                 add up the data files of several machines
      jitwatch diff A B                    what compiles more than before, and why
      jitwatch check --budget FILE         does anything compile more than it may?
      PYTHONPATH="$(jitwatch autostart)" JITWATCH=1 python train.py    watch a program that something else starts

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
) -> Callable[[], None]:  # fmt: skip
    """Run a program as python would, and watch everything that JAX compiles in it.

    \b
    jitwatch run [OPTIONS] script.py args...
    jitwatch run [OPTIONS] -m package.module args...
    jitwatch run [OPTIONS] -c "code" args...

    Options go before the script; what follows it is the program's. The report goes to standard error.
    """
    if module is None and code is None and not program:
        raise click.UsageError("give a script, -m MODULE or -c CODE to run.")
    if module is not None and code is not None:
        raise click.UsageError("give -m or -c, not both.")
    watched = _config.option("mode", mode) != "off"
    if module is None and code is None:
        _program.check_script(program[0])  # before a data file is begun
    if watched:
        from jitwatch import _run

        if json_file is not None:
            _run.check_report_path(json_file)
        reports = _run.Reports(
            json_file=json_file and os.path.abspath(json_file),
            text=None if quiet else text_for(sys.stderr, show_all=show_all),
            select=lambda data: select(data, include, omit),
        )
        _run.begin(output, count_hits=not no_calls, reports=reports)
    if module is not None:
        return lambda: _program.run_module(module, program)
    if code is not None:
        return lambda: _program.run_code(code, program)
    return lambda: _program.run_script(program[0], program[1:])


def select(data: Any, include: Sequence[str], omit: Sequence[str]) -> Any:
    """What of a snapshot matches the globs: functions and other programs by name, qualified name or file."""

    def wanted(function: Any) -> bool:
        names = (function.name, function.qualname, function.defined_at.rpartition(":")[0])
        matches = [any(fnmatch.fnmatch(name, glob) for name in names for glob in globs) for globs in (include, omit)]
        return (matches[0] or not include) and not matches[1]

    functions, others = (tuple(filter(wanted, each)) for each in (data.functions, data.others))
    return msgspec.structs.replace(data, functions=functions, others=others)


def text_for(stream: Any, *, show_all: bool = False) -> Callable[..., str]:
    """What makes the text report for a stream, coloured where that is a terminal."""

    def text(data: Any, processes: Any = ()) -> str:
        from jitwatch._report.text import render

        color = bool(getattr(stream, "isatty", lambda: False)()) and not os.environ.get("NO_COLOR")
        return render(data, color=color, show_all=show_all, processes=processes)

    return text


def _load(files: Sequence[str]) -> tuple[Any, list[str]]:
    """What was recorded in files, or in those of the latest run; and sentences on what was left out."""
    from jitwatch import _recordings, _store

    found = _store.find(files)
    chosen = _recordings.Chosen(tuple(found), 0) if files else _recordings.latest_run(found)
    loaded = _recordings.load(chosen.files)
    for problem in (*loaded.unreadable, *loaded.recording.problems):
        click.echo(f"jitwatch: {problem}", err=True)
    notes = []
    if chosen.left_out:
        notes.append(
            f"This is the latest run; data files of earlier runs left out: {chosen.left_out}. Name files to see them."
        )
    return loaded, notes


def _end(loaded: Any) -> None:
    """Status 1 where a file could not be read at all, after what could be was shown."""
    if loaded.unreadable:
        sys.exit(1)


files_argument = click.argument("files", nargs=-1, type=click.Path())


@main.command()
@_options([*selection, show_all])
@files_argument
def report(files: tuple[str, ...], include: tuple[str, ...], omit: tuple[str, ...], show_all: bool) -> None:
    """Print the report of data files, added up.

    Without FILES: the files of the latest run in this folder, .jitwatch and .jitwatch.*, or where JITWATCH_FILE says.
    """
    loaded, notes = _load(files)
    data = select(loaded.recording.snapshot, include, omit)
    click.echo(text_for(sys.stdout, show_all=show_all)(data, loaded.recording.processes))
    for note in notes:
        click.echo(note)
    _end(loaded)


@main.command("json")
@click.option("-o", "--output", metavar="FILE", help="Write to a file; to standard output if left out.")
@_options(selection)
@files_argument
def json_command(files: tuple[str, ...], output: str | None, include: tuple[str, ...], omit: tuple[str, ...]) -> None:
    """Print the report of data files, added up, as JSON.

    Without FILES: the files of the latest run in this folder. docs/json.md describes the form.
    """
    from jitwatch import _run
    from jitwatch._report import json

    loaded, notes = _load(files)
    text = json.render(select(loaded.recording.snapshot, include, omit), loaded.recording.processes)
    if output is None:
        click.echo(text, nl=False)
    else:
        _run.check_report_path(output)
        _run.write_report(output, text)
    for note in notes:
        click.echo(f"jitwatch: {note}", err=True)
    _end(loaded)


@main.command()
@click.option("-o", "--output", metavar="FILE", default="combined.jitwatch", show_default=True, help="A new file.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
def combine(files: tuple[str, ...], output: str) -> None:
    """Add up data files, of several processes or machines, in one new file.

    FILES may be folders; then their .jitwatch and .jitwatch.* are taken. The files themselves stay as they are.
    """
    from jitwatch import _store

    if os.path.exists(output):
        raise JitwatchError(f"{output} exists; remove it or give another name with -o.")
    loaded, _ = _load(files)
    _store.save(loaded.recording, output)
    processes = len(loaded.recording.processes)
    click.echo(
        f"{output}: {loaded.files} {_plural(loaded.files, 'file')}, {processes} {_plural(processes, 'process')}."
    )
    _end(loaded)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + ("es" if noun.endswith("s") else "s")


@main.command("warm-up")
@click.option("--function", "name", metavar="NAME", help="Only the functions of this name.")
@files_argument
def warm_up(files: tuple[str, ...], name: str | None) -> None:
    """Print the calls in data files as Python source that declares them, for `warm_up` and `expect`.

    Without FILES: the files of the latest run in this folder. docs/warm_up.md says how to use what is printed.
    """
    from jitwatch._report._declaration_text import declarations
    from jitwatch._safe_text import clean

    loaded, notes = _load(files)
    data = loaded.recording.snapshot
    functions = tuple(each for each in data.functions if name in (None, each.name, each.qualname))
    if name is not None and not functions:
        known = ", ".join(sorted({clean(each.name, 60) for each in data.functions})) or "none"
        raise JitwatchError(f"no function is named {name!r}; recorded are: {known}.")
    click.echo(declarations(msgspec.structs.replace(data, functions=functions)), nl=False)
    for note in notes:
        click.echo(f"jitwatch: {note}", err=True)
    _end(loaded)


@main.command()
def autostart() -> None:
    """Print the PYTHONPATH by which any Python program watches itself.

    \b
    PYTHONPATH="$(jitwatch autostart)" JITWATCH=1 python train.py

    The program then behaves as under `jitwatch run`, and so do the Python programs that it starts.
    """
    from jitwatch import _run

    click.echo(_run.python_path())


@main.command()
@click.option("--jax", "with_jax", is_flag=True, help="Import jax too, and say how exactly this JAX can be watched.")
def debug(with_jax: bool) -> None:
    """Print versions, settings and data files, for a bug report."""
    from jitwatch import _debug

    for line in _debug.lines(with_jax=with_jax):
        click.echo(line)


main.add_command(_cli_budget.diff)
main.add_command(_cli_budget.check)
