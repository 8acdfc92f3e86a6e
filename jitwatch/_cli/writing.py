"""The commands that write what was recorded to a file for another program: a page, a trace."""

from __future__ import annotations

from typing import Any

import click

from jitwatch._cli.loading import end, files_argument, load, options, order, selection
from jitwatch._report.selection import select, unmatched_text


@click.command()
@click.option("-o", "--output", metavar="FILE", default="jitwatch-trace.json", show_default=True, help="Where to.")
@options(selection)
@files_argument
def trace(files: tuple[str, ...], output: str, include: tuple[str, ...], omit: tuple[str, ...]) -> None:
    """Write the misses of data files with their stages as a trace, for https://ui.perfetto.dev.

    Without FILES: the files of the latest run in this folder.
    """
    _write("trace", files, output, include, omit)


@click.command()
@click.option("-o", "--output", metavar="FILE", default="jitwatch.html", show_default=True, help="Where to write it.")
@options([*selection, *order])
@click.option("--programs", metavar="DIR", help="Compare the programs that `jitwatch run --programs DIR` kept.")
@files_argument
def html(
    files: tuple[str, ...],
    output: str,
    include: tuple[str, ...],
    omit: tuple[str, ...],
    programs: str | None,
    sort: str,
    top: int | None,
) -> None:
    """Write the report of data files, added up, as one HTML page that needs no network.

    Without FILES: the files of the latest run in this folder. docs/page.md says what is on the page.
    """
    from jitwatch._store import program_files

    if programs is not None:
        program_files.files_in(programs)
    kept = programs and program_files.kept_in(programs)
    _write("html", files, output, include, omit, kept, top=top, sort=sort)


def _write(
    form: str,
    files: tuple[str, ...],
    output: str,
    include: tuple[str, ...],
    omit: tuple[str, ...],
    kept: Any = None,
    **layout: Any,
) -> None:
    """Write what was recorded in one of the forms that are for a file."""
    from jitwatch._report import forms
    from jitwatch._run import output_files

    output_files.check_report_path(output)
    loaded, notes = load(files)
    if unmatched := unmatched_text(loaded.recording.snapshot, include, omit):
        notes.append(unmatched)
    data = select(loaded.recording.snapshot, include, omit)
    output_files.write_whole(output, forms.renderer(form, kept, **layout)(data, loaded.recording.processes))
    click.echo(f"Written to {output}.")
    for note in notes:
        click.echo(f"jitwatch: {note}", err=True)
    end(loaded)
