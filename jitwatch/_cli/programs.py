"""The commands on programs that `jitwatch run --programs DIR` kept."""

from __future__ import annotations

from typing import Any

import click

_MAX_EARLIER = 200
_ID = 12


@click.group()
def programs() -> None:
    """List, show and compare the programs that `jitwatch run --programs DIR` kept.

    A program is named by its file, or by as much of its path as tells it from others, such as DIR/3f2a.
    """


@programs.command("list")
@click.argument("folder", metavar="DIR", type=click.Path())
def list_programs(folder: str) -> None:
    """List the programs of a folder, oldest first, and which earlier one of its name each is closest to."""
    from jitwatch._explain.programs import equal_up_to
    from jitwatch._model import EQUALITIES
    from jitwatch._store import program_files
    from jitwatch._words.equality_text import equality_text

    earlier: dict[str, list[Any]] = {}
    for path in program_files.files_in(folder):
        described = _described(path)
        program, name = described.program, described.text.name()
        known = earlier.setdefault(name, [])
        ranked = [(equal_up_to(each, program), each) for each in known[-_MAX_EARLIER:]]
        closest = min(ranked, key=lambda each: _rank(each[0], EQUALITIES), default=("", program))
        known.append(program)
        operations = described.text.plain.count(' = "')
        said = equality_text(closest[0])
        alike = f"  beside {_short(closest[1])}: {said}" if said else ""
        click.echo(f"{_short(program)}  {_name(name)}  {operations:,} operations{alike}")


@programs.command("show")
@click.argument("program", type=click.Path())
def show(program: str) -> None:
    """Print a program's StableHLO, with the line of yours behind each operation."""
    from jitwatch._report.program_text import annotated
    from jitwatch._store import program_files

    for line in annotated(_described(program_files.file_of(program)).text):
        click.echo(line)


@programs.command("diff")
@click.argument("before", metavar="A", type=click.Path())
@click.argument("after", metavar="B", type=click.Path())
def diff(before: str, after: str) -> None:
    """Say in what program B differs from program A.

    They are the same, or the same but for constants (which), sizes, dtypes, placement or precision, or different: then
    the first operation that differs is named, with your line.
    """
    from jitwatch._explain.program_difference import difference
    from jitwatch._report.program_text import difference_lines
    from jitwatch._store import program_files

    one, other = (_described(program_files.file_of(name)) for name in (before, after))
    for line in difference_lines(difference(one, other)):
        click.echo(line)


def _described(path: Any) -> Any:
    """A program with its text and what comparing it takes."""
    from jitwatch._explain.program_difference import described
    from jitwatch._store import program_files

    found = program_files.read(path)
    return described(found.program, found.text, found.suffix)


def _rank(equality: str, equalities: tuple[str, ...]) -> int:
    return equalities.index(equality) if equality in equalities else len(equalities)


def _short(program: Any) -> str:
    from jitwatch._words.safe_text import clean

    return clean(program.id[:_ID])


def _name(name: str) -> str:
    from jitwatch._words.safe_text import clean

    return clean(name, 60)
