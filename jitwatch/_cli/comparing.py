"""The commands that compare: two recordings (`diff`), and a recording with a budget (`check`)."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from jitwatch import _config
from jitwatch._cli.loading import load, options, setting
from jitwatch._cli.loading import top as top_option
from jitwatch._errors import JitwatchError
from jitwatch._run import output_files

STATUS_FAILED = 2
_FAIL_ON = "Exit with status 2 if a function compiles more than before (increase), or if any count of compiles differs."
_FORMATS = ("text", "markdown", "json")

_format = click.option(
    "--format", "format_name", type=click.Choice(_FORMATS), default="text", show_default=True,
    help="markdown reads well as a comment on a pull request; docs/budgets.md describes json.",
)  # fmt: skip
_output = click.option("-o", "--output", metavar="FILE", help="Write to a file; to standard output if left out.")


@click.command()
@click.argument("before", metavar="A", type=click.Path())
@click.argument("after", metavar="B", type=click.Path())
@_format
@_output
@options([setting("fail_on", type=click.Choice(_config.FAIL_ON), help=_FAIL_ON), top_option])
def diff(
    before: str, after: str, format_name: str, output: str | None, fail_on: str | None, top: int | None
) -> None:  # fmt: skip
    """Compare recording B with the earlier recording A: what compiles more, what less, and why.

    A and B are data files, or folders whose .jitwatch and .jitwatch.* are added up. Functions are told by name and
    file, so that moved lines make no difference, and compared for each process that used them. Seconds are shown and
    never fail: they vary from run to run.

    \b
    Is my branch worse than main?
      jitwatch run -o before.jitwatch train.py       on main
      jitwatch run -o after.jitwatch train.py        on the branch
      jitwatch diff before.jitwatch after.jitwatch --fail-on increase

    `increase` is: more compiles than before, or a new function that compiles more than once in a process.
    """
    from jitwatch._compare.comparison import compare
    from jitwatch._compare.definition_files import file_namer

    _check_output(output, "diff", format_name)
    loaded = [_load([path], label) for path, label in ((before, "A"), (after, "B"))]
    earlier, later = (each.recording.snapshot for each in loaded)
    comparison = compare(earlier, later, file_namer(os.getcwd()))
    _write("diff", format_name, comparison, output, **({} if format_name == "json" else {"top": top}))
    failed = {"increase": comparison.has_increase, "any": comparison.has_count_difference}
    _end(loaded, failed=fail_on is not None and failed[fail_on])


@click.command()
@options([setting("budget", metavar="FILE", help="The budget, a TOML file.")])
@click.option("--update", is_flag=True, help="Write what the recording needs into the budget, instead of checking.")
@click.option("--prune", is_flag=True, help="With --update: remove functions that the recording does not have.")
@_format
@_output
@click.argument("recordings", nargs=-1, type=click.Path(), metavar="[RECORDING]...")
def check(
    budget: str | None, update: bool, prune: bool, format_name: str, output: str | None, recordings: tuple[str, ...]
) -> None:
    """Hold a recording against a budget: how many programs each function may compile in a process.

    Exits with status 2 if a function is over its budget, and says what was compiled beyond it, why and where. Without
    RECORDING: the data files of the latest run in this folder.

    \b
    A budget for a project:
      jitwatch run train.py                              record
      jitwatch check --budget budget.toml --update       write the budget, and commit it
      jitwatch check --budget budget.toml                later, after another run: status 2 if it compiles more

    \b
    The budget, which you may edit:
      [default]
      max_compiles = 1                        of functions that are not listed; "allow" for any number
      [functions."src/train.py"]              relative to the budget's folder
      train_step = { max_compiles = 2 }
    """
    if budget is None:
        raise click.UsageError('give --budget FILE, or budget = "FILE" in [tool.jitwatch] of pyproject.toml.')
    if prune and not update:
        raise click.UsageError("--prune goes with --update.")
    if update and (output is not None or format_name != "text"):
        raise click.UsageError("--update writes the budget; --format and -o go without it.")
    if update:
        _update(budget, recordings, prune=prune)
        return
    from jitwatch._compare import budget as budgets
    from jitwatch._compare.definition_files import file_namer

    limits = budgets.read_budget(_read(budget), budget)
    _check_output(output, "check", format_name)
    loaded = _load(recordings)
    found = budgets.check(limits, loaded.recording.snapshot, file_namer(_folder(budget)))
    _write("check", format_name, found, output)
    _end([loaded], failed=bool(found.over))


def _update(budget_file: str, recordings: tuple[str, ...], *, prune: bool) -> None:
    from jitwatch._compare import budget
    from jitwatch._compare.budget_update import NEW_BUDGET, update_budget
    from jitwatch._compare.definition_files import file_namer

    output_files.check_writable(budget_file)
    text = _read(budget_file) if os.path.exists(budget_file) else ""
    budget.read_budget(text, budget_file)
    loaded = _load(recordings)
    if loaded.unreadable:
        raise JitwatchError(f"{budget_file} stays as it is, since a part of the recording cannot be read.")
    needed = budget.needed_limits(loaded.recording.snapshot, file_namer(_folder(budget_file)))
    update = update_budget(text if text.strip() else NEW_BUDGET, budget_file, needed, prune=prune)
    if update.text != text:
        output_files.write_whole(budget_file, update.text)
    names = ("added", "raised", "lowered", "moved", "removed")
    counts = [f"{len(getattr(update, name))} {name}" for name in names if getattr(update, name)]
    click.echo(f"{budget_file}: {', '.join(counts) or 'no change'}.")
    if update.unseen:
        click.echo(f"Not in the recording, and kept: {len(update.unseen)}; --prune removes them.")


def _load(paths: Any, label: str = "") -> Any:
    """What was recorded in files, after saying on standard error what is missing from it."""
    loaded, notes = load(paths, latest_only=True)
    if loaded.recording.snapshot.dropped_functions:
        notes.append("Functions beyond the bound on watched functions are missing, so counts are too low.")
    if loaded.recording.snapshot.faults:
        notes.append("jitwatch caught errors of its own while recording, so counts can be too low.")
    for note in notes:
        click.echo(f"jitwatch: {label + ': ' if label else ''}{note}", err=True)
    return loaded


def _end(loaded: list[Any], *, failed: bool) -> None:
    """Status 1 where a file could not be read, since that result says little; else 2 where a threshold failed."""
    if any(each.unreadable for each in loaded):
        sys.exit(1)
    if failed:
        sys.exit(STATUS_FAILED)


def _write(command: str, format_name: str, data: Any, output: str | None, **bounds: Any) -> None:
    render = importlib.import_module(f"jitwatch._report.comparison.{command}_{format_name}").render
    if output is not None:
        width = {"width": 100} if format_name == "text" else {}
        output_files.write_whole(output, render(data, **bounds, **width) + "\n")
    elif format_name == "text":
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        click.echo(render(data, color=color, **bounds))
    else:
        click.echo(render(data, **bounds))


def _check_output(path: str | None, command: str, format_name: str) -> None:
    """Refuse to overwrite what is no such report of jitwatch's."""
    if path is None:
        return
    if format_name == "json":
        output_files.check_report_path(path)
        return
    output_files.check_writable(path)
    heading = importlib.import_module(f"jitwatch._report.comparison.{command}_{format_name}").HEADING
    beginning = b"" if output_files.is_special(path) else output_files.beginning_of(path)
    if beginning and not beginning.startswith(heading.encode()):
        raise JitwatchError(f"{path} exists and is no `jitwatch {command}` report; remove it or give another name.")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        raise JitwatchError(
            f"There is no budget {path}; make one with `jitwatch check --budget {path} --update RECORDING`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise JitwatchError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from error


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))
