"""The commands that show, convert and add up data files."""

from __future__ import annotations

import os
import sys

import click
import msgspec

from jitwatch._cli import thresholds
from jitwatch._cli.loading import (
    end,
    files_argument,
    layout,
    load,
    options,
    plural,
    selection,
    setting,
)
from jitwatch._cli.thresholds import Seconds
from jitwatch._errors import JitwatchError
from jitwatch._report.recording.terminal import text_for
from jitwatch._report.selection import select, unmatched_text


@click.command()
@click.option(
    "--format", "format_name", type=click.Choice(("text", "markdown")), default="text", show_default=True,
    help="markdown reads well as the summary of a job.",
)  # fmt: skip
@options(
    [
        setting("fail_over", type=Seconds(), metavar="TIME", help="Exit 2 if more was needless: 10s, 500ms, 2min."),
        setting("fail_proved", flag=True, help="Exit 2 if a finding is proved by the compiled programs."),
        *selection,
        *layout,
    ]
)
@files_argument
def report(
    files: tuple[str, ...], format_name: str, include: tuple[str, ...], omit: tuple[str, ...], sort: str,
    top: int | None, show_all: bool, fail_over: float | None, fail_proved: bool,
) -> None:  # fmt: skip
    """Print the report of data files, added up.

    \b
    With --fail-over or --fail-proved it is a check too: exit status 2 where it fails. Needless is what findings that
    are proved or likely could save; what the author acknowledged is not counted.

    Without FILES: the files of the latest run in this folder, .jitwatch and .jitwatch.*, or where JITWATCH_FILE says.
    """
    loaded, notes = load(files)
    if unmatched := unmatched_text(loaded.recording.snapshot, include, omit):
        raise JitwatchError(unmatched)
    data = select(loaded.recording.snapshot, include, omit)
    if format_name == "markdown":
        from jitwatch._report.recording import as_markdown

        text = as_markdown.render(data, loaded.recording.processes, top=top, sort=sort, show_all=show_all)
        click.echo(text)
    else:
        render = text_for(sys.stdout, top=top, sort=sort, show_all=show_all)
        click.echo(render(data, loaded.recording.processes))
    for note in notes:
        click.echo(note, err=format_name == "markdown")
    end(loaded)
    failed = thresholds.failures(data, loaded.recording.processes, over_s=fail_over, proved=fail_proved)
    for failure in failed:
        click.echo(f"jitwatch: {failure}", err=True)
    if failed:
        sys.exit(2)


@click.command("json")
@click.option("-o", "--output", metavar="FILE", help="Write to a file; to standard output if left out.")
@options(selection)
@files_argument
def json_command(files: tuple[str, ...], output: str | None, include: tuple[str, ...], omit: tuple[str, ...]) -> None:
    """Print the report of data files, added up, as JSON.

    Without FILES: the files of the latest run in this folder. docs/json.md describes the form.
    """
    from jitwatch._report.recording import as_json
    from jitwatch._run import output_files

    if output is not None:
        output_files.check_report_path(output)
    loaded, notes = load(files)
    if unmatched := unmatched_text(loaded.recording.snapshot, include, omit):
        notes.append(unmatched)
    text = as_json.render(select(loaded.recording.snapshot, include, omit), loaded.recording.processes)
    if output is None:
        click.echo(text.encode(), nl=False)  # JSON is UTF-8, whatever the terminal's encoding
    else:
        output_files.write_whole(output, text)
    for note in notes:
        click.echo(f"jitwatch: {note}", err=True)
    end(loaded)


@click.command()
@click.option("-o", "--output", metavar="FILE", default="combined.jitwatch", show_default=True, help="A new file.")
@click.argument("files", nargs=-1, required=True, type=click.Path())
def combine(files: tuple[str, ...], output: str) -> None:
    """Add up data files, of several processes or machines, in one new file.

    FILES may be folders; then their .jitwatch and .jitwatch.* are taken. The files themselves stay as they are.
    """
    from jitwatch import _store

    if os.path.exists(output):
        raise JitwatchError(f"{output} exists; remove it or give another name with -o.")
    loaded, _ = load(files)
    _store.save(loaded.recording, output)
    processes = len(loaded.recording.processes)
    click.echo(f"{output}: {loaded.files} {plural(loaded.files, 'file')}, {processes} {plural(processes, 'process')}.")
    end(loaded)


@click.command("warm-up")
@click.option("--function", "name", metavar="NAME", help="Only the functions of this name.")
@files_argument
def warm_up(files: tuple[str, ...], name: str | None) -> None:
    """Print the calls in data files as Python source that declares them, for `warm_up` and `expect`.

    Without FILES: the files of the latest run in this folder. docs/warm_up.md says how to use what is printed.
    """
    from jitwatch._report.recording.declarations import declarations
    from jitwatch._words.safe_text import clean

    loaded, notes = load(files)
    data = loaded.recording.snapshot
    functions = tuple(each for each in data.functions if name in (None, each.name, each.qualname))
    if name is not None and not functions:
        known = ", ".join(sorted({clean(each.name, 60) for each in data.functions})) or "none"
        raise JitwatchError(f"no function is named {name!r}; recorded are: {known}.")
    click.echo(declarations(msgspec.structs.replace(data, functions=functions)), nl=False)
    for note in notes:
        click.echo(f"jitwatch: {note}", err=True)
    end(loaded)
