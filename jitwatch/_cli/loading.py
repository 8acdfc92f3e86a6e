"""What commands share: their options, and finding and reading data files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from jitwatch import _config
from jitwatch._errors import JitwatchError


def setting(name: str, *, help: str, flag: bool = False, **given: Any) -> Callable[[Any], Any]:
    """An option of a command that is one of the settings too: what is not given is what those say."""

    def value_or_setting(_: click.Context, parameter: click.Parameter, value: Any) -> Any:
        return _config.option(name, None if value == () else value)

    kind: dict[str, Any] = {"is_flag": True, "default": None} if flag else {}
    return click.option(f"--{name.replace('_', '-')}", name, callback=value_or_setting, help=help, **kind, **given)


_INCLUDE = "Report only functions whose name or file matches: 'train_*', train.py, 'src/*'."
selection = [
    setting("include", multiple=True, metavar="GLOB", help=_INCLUDE),
    setting("omit", multiple=True, metavar="GLOB", help="Leave out functions whose name or file matches."),
]
top = setting(
    "top", type=click.IntRange(1), metavar="N",
    help="Show so many functions and findings; 20 in a text, and all on a page, if left out.",
)  # fmt: skip
_SORT = "The order of functions; the most costly first if left out."
order = [setting("sort", type=click.Choice(_config.SORTS), help=_SORT), top]
layout = [*order, setting("show_all", flag=True, help="Do not cut long lists.")]


def options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def load(files: Sequence[str], *, latest_only: bool = False) -> tuple[Any, list[str]]:
    """What was recorded in files, or in those of the latest run; and sentences on what was left out.

    Args:
        files: As the user named them.
        latest_only: Whether a named file beside which a later run left its data is an error.

    Raises:
        JitwatchError: There is nothing to read, or what is named is not the latest.
    """
    from jitwatch import _store
    from jitwatch._store import runs

    found = _store.find(files)
    chosen = runs.named(found) if files else runs.latest_run(found)
    if chosen.newer and latest_only:
        raise JitwatchError(
            f"{_newer_text(chosen.newer)} Name the file that you mean, or make the old one anew with `jitwatch run"
            " --force -o FILE`."
        )
    loaded = runs.load(chosen.files)
    for problem in (*loaded.unreadable, *loaded.recording.problems):
        click.echo(f"jitwatch: {problem}", err=True)
    notes = [_newer_text(chosen.newer)] if chosen.newer else []
    if chosen.left_out and not files:
        notes += _repeated_text(loaded, runs.run_before(found, chosen).files)
    if chosen.left_out:
        notes.append(
            f"This is the latest run; data files of earlier runs left out: {chosen.left_out}. Name files to see them."
        )
    return loaded, notes


def _repeated_text(loaded: Any, before: Sequence[Any]) -> list[str]:
    """How much of the compiling of a run repeats the run before it; nothing where that is little."""
    from jitwatch._judge.next_start import WORTH_S, next_start, repeated_s
    from jitwatch._store import runs
    from jitwatch._words.quantity_text import seconds_text

    try:
        earlier = runs.load(before).recording.snapshot
    except JitwatchError:
        return []
    data = loaded.recording.snapshot
    again_s, spent_s = repeated_s(data, earlier), next_start(data).compile_s
    if again_s < WORTH_S:
        return []
    return [
        f"{seconds_text(again_s)} of {seconds_text(spent_s)} of this run's compiling repeats the run before it, which "
        "JAX's persistent cache would have spared."
    ]


def _newer_text(files: Sequence[Any]) -> str:
    from jitwatch._words.safe_text import clean

    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    return f"A later run left its data beside what is named, in {clean(str(files[0]), 200)}{more}; it is not looked at."


def end(loaded: Any) -> None:
    """Status 1 where a file could not be read at all, after what could be was shown."""
    if loaded.unreadable:
        sys.exit(1)


files_argument = click.argument("files", nargs=-1, type=click.Path())


def plural(count: int, noun: str) -> str:
    return noun if count == 1 else noun + ("es" if noun.endswith("s") else "s")
