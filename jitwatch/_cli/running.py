"""The commands that run programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from jitwatch import _config
from jitwatch._cli.loading import options, select, selection, show_all
from jitwatch._report.recording.terminal import text_for
from jitwatch._run import script


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.option("-c", "code", metavar="CODE", help="Run code, as `python -c` does.")
@click.option("-o", "--output", metavar="FILE", help="The data file; .jitwatch in this folder if left out.")
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON too.")
@click.option("--html", "html_file", metavar="FILE", help="Write the report as a page too, to open in a browser.")
@click.option("--no-calls", is_flag=True, help="Do not count hits, so that they cost strictly nothing.")
@click.option("--mode", type=click.Choice(_config.MODES), help="off runs the program unwatched.")
@click.option("--quiet", is_flag=True, help="Do not print the report at the end.")
@options([*selection, show_all])
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT] [ARGS]...")
def run(
    module: str | None, code: str | None, output: str | None, json_file: str | None, html_file: str | None,
    no_calls: bool, mode: str | None, quiet: bool, include: tuple[str, ...], omit: tuple[str, ...], show_all: bool,
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
        script.check_script(program[0])  # before a data file is begun
    if watched:
        from jitwatch._run import output_files, session

        files = {form: path for form, path in (("json", json_file), ("html", html_file)) if path is not None}
        for path in files.values():
            output_files.check_report_path(path)
        reports = session.Reports(
            files={form: os.path.abspath(path) for form, path in files.items()},
            text=None if quiet else text_for(sys.stderr, show_all=show_all),
            select=lambda data: select(data, include, omit),
        )
        session.begin(output, count_hits=not no_calls, reports=reports)
    if module is not None:
        return lambda: script.run_module(module, program)
    if code is not None:
        return lambda: script.run_code(code, program)
    return lambda: script.run_script(program[0], program[1:])


@click.command()
def autostart() -> None:
    """Print the PYTHONPATH by which any Python program watches itself.

    \b
    PYTHONPATH="$(jitwatch autostart)" JITWATCH=1 python train.py

    The program then behaves as under `jitwatch run`, and so do the Python programs that it starts.
    """
    from jitwatch._run import session

    click.echo(session.python_path())
