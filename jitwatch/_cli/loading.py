"""What commands share: finding and reading data files, choosing functions, the text for a stream."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from jitwatch import _config
from jitwatch._errors import JitwatchError

_MAX_NAMED = 12
_WORTH_S = 1.0


def _or_setting(_: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """What was given, else what the settings say."""
    return _config.option(str(parameter.name), value or None)


selection = [
    click.option(
        "--include", multiple=True, metavar="GLOB", callback=_or_setting,
        help="Report only functions whose name or file matches: 'train_*', train.py, 'src/*'.",
    ),
    click.option(
        "--omit", multiple=True, metavar="GLOB", callback=_or_setting,
        help="Leave out functions whose name or file matches.",
    ),
]  # fmt: skip
layout = [
    click.option(
        "--sort", type=click.Choice(_config.SORTS), callback=_or_setting,
        help="The order of functions; the most costly first if left out.",
    ),
    click.option(
        "--top", type=click.IntRange(1), metavar="N", callback=_or_setting,
        help="Show so many functions and findings; 20 if left out.",
    ),
    click.option("--show-all", is_flag=True, help="Do not cut long lists."),
]  # fmt: skip


def options(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def select(data: Any, include: Sequence[str], omit: Sequence[str]) -> Any:
    """What of a snapshot matches the globs: functions and other programs by name, qualified name or file."""

    def wanted(function: Any) -> bool:
        matches = [any(_matches(function, glob) for glob in globs) for globs in (include, omit)]
        return (matches[0] or not include) and not matches[1]

    functions, others = (tuple(filter(wanted, each)) for each in (data.functions, data.others))
    return msgspec.structs.replace(data, functions=functions, others=others)


def _matches(function: Any, glob: str) -> bool:
    """Whether a glob is about a function: its name, or its file by the end of the path from any folder on."""
    file = function.defined_at.rpartition(":")[0]
    return any(fnmatch.fnmatch(name, glob) for name in (function.name, function.qualname, file)) or (
        bool(file) and fnmatch.fnmatch(file.replace(os.sep, "/"), f"*/{glob.removeprefix('./')}")
    )


def unmatched_text(data: Any, include: Sequence[str], omit: Sequence[str]) -> str:
    """That the globs leave nothing of what was recorded, and what there is; empty where something is left."""
    from jitwatch._words.safe_text import clean

    chosen = select(data, include, omit)
    if chosen.functions or chosen.others or not (data.functions or data.others):
        return ""
    given = [f"--{name} {glob}" for name, globs in (("include", include), ("omit", omit)) for glob in globs]
    known = sorted({clean(each.name, 60) for each in (*data.functions, *data.others)})
    more = f" and {len(known) - _MAX_NAMED:,} more" if len(known) > _MAX_NAMED else ""
    return f"No function is left by {clean(' '.join(given), 200)}; recorded are: {', '.join(known[:_MAX_NAMED])}{more}."


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
    from jitwatch._judge.next_start import next_start, repeated_s
    from jitwatch._store import runs
    from jitwatch._words.quantity_text import seconds_text

    try:
        earlier = runs.load(before).recording.snapshot
    except JitwatchError:
        return []
    data = loaded.recording.snapshot
    again_s, spent_s = repeated_s(data, earlier), next_start(data).compile_s
    if again_s < _WORTH_S:
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
