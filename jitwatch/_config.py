"""Options: an argument, else `JITWATCH_*` in the environment, else `[tool.jitwatch]` of pyproject.toml, or default."""

from __future__ import annotations

import difflib
import functools
import math
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jitwatch._errors import JitwatchError, repr_of

_PREFIX = "JITWATCH_"
_VARIABLES = ("FILE", "CHILD")
"""Names of environment variables that are no options."""
_NEAR = 0.6
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
SORTS = ("spent", "recompiles", "misses", "name")
MODES = ("warn", "error", "off")
FAIL_ON = ("increase", "any")


class Option(NamedTuple):
    """One option."""

    default: Any
    valid: str
    """What a valid value is, in words."""
    read: Callable[[Any], Any]
    """What makes it from a value of TOML or an argument."""
    of_text: Callable[[str], Any] = str
    """What makes such a value of the text of an environment variable."""
    also: str = ""
    """Where else it can be given, as the docs say it."""
    is_path: bool = False
    """Whether pyproject.toml gives a path, from its own folder on."""


def _mode(value: Any) -> str:
    if value not in MODES:
        raise ValueError
    return str(value)


def _positive(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= float(value) < math.inf:
        raise ValueError
    return float(value)


_UNITS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def duration(value: Any) -> float:
    """Seconds, of a number or of a text with a unit such as `500ms`; `ValueError` for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|)", value.strip()) if isinstance(value, str) else None
    return _seconds(float(found[1]) * _UNITS[found[2]] if found else value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _flag_of_text(text: str) -> Any:
    return _SWITCH.get(text.lower(), text)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _fail_on(value: Any) -> str:
    if value not in FAIL_ON:
        raise ValueError
    return str(value)


def _sort(value: Any) -> str:
    if value not in SORTS:
        raise ValueError
    return str(value)


def _globs(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) and one for one in value):
        raise ValueError
    return tuple(value)


def _commas(text: str) -> list[str]:
    return [one.strip() for one in text.split(",")]


_CODE = re.compile(r"JW\d{3}")
_ACKNOWLEDGED = {"code", "function", "reason", "limit"}


def _acknowledged(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise ValueError
    for one in value:
        if not isinstance(one, dict) or set(one) - _ACKNOWLEDGED or not {"code", "function", "reason"} <= set(one):
            raise ValueError
        if not all(isinstance(one[name], str) and one[name] for name in ("code", "function", "reason")):
            raise ValueError
        if not _CODE.fullmatch(one["code"]) or ("limit" in one and _positive(one["limit"]) != one["limit"]):
            raise ValueError
    return value


REUSE_OFF, REUSE_EVERYWHERE = "off", "several-processes"
_REUSE = {word: "on" if on else REUSE_OFF for word, on in _SWITCH.items()} | {REUSE_EVERYWHERE: REUSE_EVERYWHERE}


def _reuse(value: Any) -> str:
    if str(value).lower() not in _REUSE:
        raise ValueError
    return _REUSE[str(value).lower()]


def _switch(what: str, also: str) -> Option:
    return Option(False, f"true or false: whether {what}", _flag, _flag_of_text, also)


OPTIONS: dict[str, Option] = {
    "mode": Option("warn", "one of " + ", ".join(repr(mode) for mode in MODES), _mode, also="`jitwatch run --mode`"),
    "max_keys": Option(
        10_000, "a whole number of at least 1: keys kept for each function", _positive, int, "`watched_jit(max_keys=)`"
    ),
    "max_compiles": Option(
        None, "a whole number of at least 1: compilations of each function", _positive, int,
        "`watched_jit(max_compiles=)`",
    ),
    "warn_compiles": Option(
        4, "a whole number of at least 1: needless compilations worth a warning", _positive, int,
        "`watched_jit(warn_compiles=)`",
    ),
    "warn_s": Option(10.0, "a number of at least 0: seconds in needless compilations worth a warning", _seconds, float),
    "progress_s": Option(
        None, "seconds until a long compile is announced: a number of at least 0, where 0 is never", _seconds, float
    ),
    "reuse": Option(REUSE_OFF, "one of 'off', 'on', 'several-processes'", _reuse, also="`jitwatch run --reuse`"),
    "reuse_programs": Option(2_000, "a whole number of at least 1: programs kept for reuse", _positive, int),
    "reuse_bytes": Option(1 << 30, "a whole number of at least 1: bytes of code kept for reuse", _positive, int),
    "include": Option(
        (), "a list of globs: only functions of which name or file matches are reported", _globs, _commas, "`--include`"
    ),
    "omit": Option(
        (), "a list of globs: functions of which name or file matches are not reported", _globs, _commas, "`--omit`"
    ),
    "top": Option(
        None, "a whole number of at least 1: functions and findings shown; not set, 20 in a text and all on a page",
        _positive, int, "`--top`",
    ),
    "sort": Option("spent", f"one of {', '.join(map(repr, SORTS))}: the order of functions", _sort, also="`--sort`"),
    "show_all": _switch("long lists are not cut", "`--show-all`"),
    "quiet": _switch("a run prints no report", "`jitwatch run --quiet`"),
    "warn": _switch("a run says each recompilation when it happens", "`jitwatch run --warn`"),
    "live": _switch("a run shows them at the end of the terminal", "`jitwatch run --live`"),
    "no_calls": _switch("a run counts no hits", "`jitwatch run --no-calls`"),
    "programs": Option(
        None, "a folder: where a run keeps each distinct program's StableHLO", _text, also="`jitwatch run --programs`",
        is_path=True,
    ),
    "fail_over": Option(
        None, "a duration, such as '10s', '500ms', '2min': the report fails if more was needless", duration,
        also="`jitwatch report --fail-over`",
    ),
    "fail_proved": _switch("the report fails if a finding is proved", "`jitwatch report --fail-proved`"),
    "fail_on": Option(
        None, f"one of {', '.join(map(repr, FAIL_ON))}: what lets a comparison fail", _fail_on,
        also="`jitwatch diff --fail-on`",
    ),
    "budget": Option(
        None, "a file: the budget that `jitwatch check` holds a run against", _text, also="`jitwatch check --budget`",
        is_path=True,
    ),
    "acknowledged": Option(
        None,
        "a list of tables in pyproject.toml, each with code, such as 'JW301', function, reason, and maybe limit",
        _acknowledged,
    ),
}  # fmt: skip


def option(name: str, argument: Any = None) -> Any:
    """The value of an option; `argument` is what the caller was given for it, None if nothing.

    Raises:
        JitwatchError: The value is not valid; the message says where it came from and what is.
    """
    return option_and_source(name, argument)[0]


def option_and_source(name: str, argument: Any = None) -> tuple[Any, str]:
    """The value of an option, as `option` gives it, and where it comes from, in words."""
    variable = f"JITWATCH_{name.upper()}"
    project, path = _project_options()
    value, source = project.get(name), f"[tool.jitwatch] in {path}"
    if os.environ.get(variable):
        value, source = os.environ[variable], f"the environment variable {variable}"
    if argument is not None:
        value, source = argument, f"the argument {name}"
    elif OPTIONS[name].is_path and isinstance(value, str) and not os.environ.get(variable):
        value = value and str(path.parent / value)
    if value is None:
        return OPTIONS[name].default, "the default"
    return _checked(name, value, source, of_text=argument is None and bool(os.environ.get(variable))), source


def check_environment() -> None:
    """Refuse a variable that nearly has the name of one of jitwatch's, which would be lost in silence.

    Raises:
        JitwatchError: There is one; the message names the one that was meant.
    """
    known = [*_VARIABLES, *(name.upper() for name in OPTIONS)]
    for variable in os.environ:
        name = variable.removeprefix(_PREFIX)
        if name != variable and name not in known and (near := difflib.get_close_matches(name, known, 1, _NEAR)):
            raise JitwatchError(f"The environment variable {variable} is none of jitwatch's; is it {_PREFIX}{near[0]}?")


def is_off() -> bool:
    """Whether the settings say that jitwatch is to do nothing.

    Raises:
        JitwatchError: A setting is not valid.
    """
    return bool(option("mode") == "off")


def off_text() -> str:
    """Why it is off, as the beginning of a sentence."""
    return f"jitwatch is off (mode 'off' from {option_and_source('mode')[1]})"


def _checked(name: str, value: Any, source: str, *, of_text: bool) -> Any:
    wanted = OPTIONS[name]
    try:
        return wanted.read(wanted.of_text(value) if of_text else value)
    except (ValueError, TypeError):
        raise JitwatchError(f"{source} has the value {repr_of(value)} for {name!r}; valid is {wanted.valid}.") from None


def _project_options() -> tuple[dict[str, Any], Path]:
    return _read_project(Path.cwd())


@functools.lru_cache(maxsize=16)
def _read_project(folder: Path) -> tuple[dict[str, Any], Path]:
    """The `[tool.jitwatch]` table of the nearest pyproject.toml from `folder` upwards, and that file."""
    path = next((up / "pyproject.toml" for up in (folder, *folder.parents) if (up / "pyproject.toml").is_file()), None)
    if path is None:
        return {}, folder
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("jitwatch", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise JitwatchError(f"{path} cannot be read for [tool.jitwatch]: {error}.") from error
    unknown = sorted(set(table) - set(OPTIONS))
    if unknown:
        near = difflib.get_close_matches(unknown[0], OPTIONS, 1)
        raise JitwatchError(
            f"[tool.jitwatch] in {path} has the unknown option {unknown[0]!r}"
            + (f"; did you mean {near[0]!r}? Valid are" if near else "; valid are")
            + f" {', '.join(sorted(OPTIONS))}."
        )
    return table, path
