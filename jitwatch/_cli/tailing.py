"""The command that follows a program while it runs, from its data file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from jitwatch._cli.loading import files_argument, options, selection
from jitwatch._report.selection import select

_PAUSE_S = 1.0


@click.command()
@options(selection)
@files_argument
def tail(files: tuple[str, ...], include: tuple[str, ...], omit: tuple[str, ...]) -> None:
    """Follow a running program: a line for each program that is compiled, with the reason, until it ends.

    Without FILES: those of the latest run in this folder. Give it in another shell while `jitwatch run` is at work;
    `jitwatch report` shows the state so far. Eager operations are left out.
    """
    from jitwatch._store import reader

    told: set[tuple[Any, ...]] = set()
    while True:
        began = time.monotonic()
        recording = _load(files)
        for identity, line in _lines(select(recording.snapshot, include, omit)):
            if identity not in told:
                told.add(identity)
                click.echo(line)
        if not _has(recording, reader.RUNS, reader.UNFINISHED):
            cut = "; it was killed, or could not write to the end" if _has(recording, reader.ENDED) else ""
            click.echo(f"The program has ended{cut}.")
            return
        time.sleep(max(_PAUSE_S, 5 * (time.monotonic() - began)))  # a large file takes a while to read


def _has(recording: Any, *kinds: tuple[str, str]) -> bool:
    """Whether something of these kinds is said of one of the files."""
    return any(kind[0] in problem for kind in kinds for problem in recording.problems)


def _load(files: tuple[str, ...]) -> Any:
    from jitwatch import _store
    from jitwatch._store import runs

    found = _store.find(files)
    chosen = runs.named(found) if files else runs.latest_run(found)
    return runs.load(chosen.files).recording


def _lines(data: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """What tells each program from the others, and its line, in the order of time."""
    from jitwatch._judge.judge import explanations
    from jitwatch._record.sums import program_count
    from jitwatch._report.live_line import live_line

    functions = {one.id: one for one in (*data.functions, *data.others) if one.defined_at}
    why = {number: explanations(one) for number, one in functions.items()}
    had: set[int] = set()
    for miss in sorted(data.misses, key=lambda miss: miss.unix_s):
        function = functions.get(miss.function)
        if function is None or not program_count(miss.stages):
            continue
        explanation = why[function.id].get(miss.key or 0)
        changes = explanation.changes if explanation is not None and function.id in had else ()
        identity = miss.unix_s, miss.thread, miss.number, function.name
        yield (
            identity,
            live_line(
                function.name, function.defined_at, miss.call_site, miss.stages, changes, again=function.id in had
            ),
        )
        had.add(function.id)
