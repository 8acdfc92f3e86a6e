"""The commands that run programs."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import Any

import click

from jitwatch import _config
from jitwatch._cli.loading import layout, options, selection, setting
from jitwatch._errors import JitwatchError
from jitwatch._run import script
from jitwatch._words.safe_text import clean

_MAX_FIRST_LINE = 200


class _Run(click.Command):
    """A command whose options end where the program is named: what follows is the program's, as with `python`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, with `--` put behind the value of `-m` or `-c`."""
        end = self._end_of_options(args)
        return super().parse_args(ctx, args if end is None else [*args[:end], "--", *args[end:]])

    def _end_of_options(self, args: list[str]) -> int | None:
        """How many arguments there are up to the value of `-m` or `-c`; None where neither names the program."""
        options = (option for option in self.params if isinstance(option, click.Option) and not option.is_flag)
        with_value = {name for option in options for name in option.opts}
        at = 0
        while at < len(args) and args[at].startswith("-") and args[at] not in ("-", "--"):
            after = at + (2 if args[at] in with_value else 1)
            if args[at][:2] in ("-m", "-c"):
                return after if after <= len(args) else None
            at = after
        return None


@click.command(cls=_Run, context_settings={"allow_interspersed_args": False})
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.option("-c", "code", metavar="CODE", help="Run code, as `python -c` does.")
@click.option("-o", "--output", metavar="FILE", help="The data file; .jitwatch in this folder if left out.")
@click.option("--force", is_flag=True, help="Erase what earlier runs left under the name of the data file.")
@click.option("--append", is_flag=True, help="Keep that, and write beside it.")
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON too.")
@click.option("--html", "html_file", metavar="FILE", help="Write the report as a page too, to open in a browser.")
@click.option("--reuse", is_flag=True, help="Do not compile again what this process has compiled.")
@click.option("--mode", type=click.Choice(_config.MODES), help="off runs the program unwatched.")
@options(
    [
        setting("programs", metavar="DIR", help="Keep each distinct program's StableHLO there, once."),
        setting("no_calls", flag=True, help="Do not count hits, so that they cost strictly nothing."),
        setting("warn", flag=True, help="Say each recompilation on standard error when it happens, with the reason."),
        setting("live", flag=True, help="Show them at the end of the terminal instead, while the program runs above."),
        setting("quiet", flag=True, help="Do not print the report at the end."),
        *selection,
        *layout,
    ]
)
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT] [ARGS]...")
def run(
    module: str | None, code: str | None, output: str | None, force: bool, append: bool, json_file: str | None,
    html_file: str | None, reuse: bool, mode: str | None, programs: str | None, no_calls: bool,
    program: tuple[str, ...], **settings: Any,
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
    if force and append:
        raise click.UsageError("give --force or --append, not both.")
    watched = _config.option("mode", mode) != "off"
    if module is None and code is None:
        _check_script(program[0])  # before a data file is begun
    elif module is not None:
        _check_module(module)
    if mode is not None:
        os.environ["JITWATCH_MODE"] = mode  # for what the program asks of jitwatch too, and for its children
    if watched:
        from jitwatch._run import output_files, session
        from jitwatch._run.reports import reports

        files = {form: path for form, path in (("json", json_file), ("html", html_file)) if path is not None}
        for path in files.values():
            output_files.check_report_path(path)
        session.make_room(output, force=force, append=append)

        begun = reports({form: os.path.abspath(path) for form, path in files.items()}, settings)
        session.begin(output, count_hits=not no_calls, reports=begun, programs=programs, reuse=reuse)
    if module is not None:
        return lambda: script.run_module(module, program)
    if code is not None:
        return lambda: script.run_code(code, program)
    return lambda: script.run_script(program[0], program[1:])


def _check_script(path: str) -> None:
    """Refuse what is no script, with what was meant as far as that can be told."""
    try:
        script.check_script(path)
    except JitwatchError as error:
        hint = _hint(path)
        raise JitwatchError(f"{error} {hint}" if hint else str(error)) from None


def _check_module(name: str) -> None:
    """Refuse a module of which there is no trace where it can be told what was meant; else Python says so."""
    first = name.partition(".")[0]
    if first.isidentifier() and not _is_there(first):
        known = [each.removesuffix(".py") for each in os.listdir(".") if each.endswith(".py") or os.path.isdir(each)]
        near = difflib.get_close_matches(first, known, 1)
        if near:
            raise JitwatchError(f"There is no module {first} to run. Did you mean {clean(near[0])}?")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None or PathFinder.find_spec(module, [os.getcwd()]) is not None
    except (ImportError, ValueError):  # Python says what is wrong with it
        return True


def _hint(path: str) -> str:
    """What somebody may have meant by a script that is not there."""
    if os.path.basename(path).startswith("python"):
        return "Name the program itself: jitwatch runs it with the Python that it is installed in."
    if path.isidentifier() and find_spec(path) is not None:
        return f"To run the module, write `jitwatch run -m {path}`."
    if os.sep not in path and _is_python_command(shutil.which(path)):
        return f"To run the command, give its file: `jitwatch run $(which {path})`."
    folder, name = os.path.split(path)
    known = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    near = difflib.get_close_matches(name, [each for each in known if each.endswith(".py")], 1)
    return f"Did you mean {clean(os.path.join(folder, near[0]))}?" if near else ""


def _is_python_command(path: str | None) -> bool:
    """Whether a command is a script in Python, such as pip installs them."""
    if path is None:
        return False
    with open(path, "rb") as file:
        return b"python" in file.readline(_MAX_FIRST_LINE)


@click.command()
def autostart() -> None:
    """Print the PYTHONPATH by which any Python program watches itself.

    \b
    PYTHONPATH="$(jitwatch autostart)" JITWATCH=1 python train.py

    The program then behaves as under `jitwatch run`, and so do the Python programs that it starts.
    """
    from jitwatch._run import session

    click.echo(session.python_path())
