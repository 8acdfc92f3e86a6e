"""The command that removes data files."""

from __future__ import annotations

import click

from jitwatch._cli.loading import files_argument, plural


@click.command()
@files_argument
def erase(files: tuple[str, ...]) -> None:
    """Remove data files.

    Without FILES: all in this folder, .jitwatch and .jitwatch.*, or those that JITWATCH_FILE names. FILES may be
    folders. What is no data file of jitwatch's is never removed.
    """
    from jitwatch import _store

    found = _store.find(files) if files else _store.with_beside(_store.default_path())
    _store.erase(found)
    click.echo(f"Erased {len(found)} data {plural(len(found), 'file')}.")
