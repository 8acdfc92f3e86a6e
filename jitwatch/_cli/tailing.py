"""The command that follows a program while it runs, from its data file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click

from jitwatch._cli.loading import files_argument

_PAUSE_S = 1.0
_RUNNING = "the process was killed or still runs"


@click.command()
@files_argument
def tail(files: tuple[str, ...]) -> None:
    """Follow a running program: a line for each program that is compiled, with the reason, until it ends.

    Without FILES: those of the latest run in this folder. Give it in another shell while `jitwatch run` is at work;
    `jitwatch report` shows the state so far. Eager operations are left out.
    """
    told: set[tuple[Any, ...]] = set()
    while True:
        began = time.monotonic()
        recording = _load(files)
        for identity, line in _lines(recording.snapshot):
            if identity not in told:
                told.add(identity)
                click.echo(line)
        if not any(_RUNNING in problem for problem in recording.problems):
            click.echo("The program has ended.")
            return
        time.sleep(max(_PAUSE_S, 5 * (time.monotonic() - began)))  # a large file takes a while to read


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
