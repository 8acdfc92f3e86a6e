"""The options of the pytest plugin: a command line option, else the ini name, checked before a test runs."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pytest

from jitwatch import _config
from jitwatch._compare.budget import read_budget
from jitwatch._errors import JitwatchError
from jitwatch._report import forms
from jitwatch._run import output_files

DEFAULT_TOP = 10


class Options(NamedTuple):
    """What the user asked for."""

    watch: bool
    """Whether to watch from the start of the session and to report."""
    top: int
    report: str | None
    baseline: str | None
    update: bool
    fail_on_increase: bool
    hide: bool


def read_options(config: pytest.Config, *, check: bool) -> Options:
    """Read the options.

    Args:
        config: Of this session.
        check: Whether to check what they say of files.

    Raises:
        pytest.UsageError: One is not valid, or two contradict each other.
    """
    watch = bool(_value(config, "jitwatch"))
    report, baseline = (_path(config, f"jitwatch_{name}") for name in ("report", "baseline"))
    options = Options(
        watch=bool(watch or report or baseline or config.getoption("jitwatch_top") is not None),
        top=_top(_value(config, "jitwatch_top")), report=report, baseline=baseline,
        update=bool(_value(config, "jitwatch_update_baseline")),
        fail_on_increase=bool(_value(config, "jitwatch_fail_on_increase")),
        hide=bool(_value(config, "hide_jitwatch_summary")),
    )  # fmt: skip
    if check:
        try:
            _config.option("mode")
            _check(options)
        except JitwatchError as error:
            raise pytest.UsageError(f"jitwatch: {error}") from None
    return options


def read_baseline(path: str) -> str:
    """The text of a baseline.

    Raises:
        JitwatchError: It cannot be read.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        raise JitwatchError(
            f"there is no baseline {path}; make one with --jitwatch-baseline={path} --jitwatch-update-baseline."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise JitwatchError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from None


def _value(config: pytest.Config, name: str) -> Any:
    given = config.getoption(name)
    return config.getini(name) if given is None else given


def _path(config: pytest.Config, name: str) -> str | None:
    """Absolute: an option is relative to the current folder, an ini name to pytest's root."""
    given = config.getoption(name)
    if given is not None:
        return os.path.join(config.invocation_params.dir, given) if given else ""
    written = str(config.getini(name))
    return os.path.join(config.rootpath, written) if written else None


def _top(value: Any) -> int:
    try:
        top = DEFAULT_TOP if value in ("", None) else int(value)
    except ValueError:
        top = 0
    if top < 1:
        raise pytest.UsageError(f"jitwatch: jitwatch_top is {value!r}; valid is a whole number of at least 1.")
    return top


def _check(options: Options) -> None:
    if options.report is not None:
        _check_report(options.report)
    for name, asked in (("update-baseline", options.update), ("fail-on-increase", options.fail_on_increase)):
        if asked and not options.baseline:
            raise JitwatchError(f"--jitwatch-{name} goes with --jitwatch-baseline=PATH; name the file.")
    if options.update and options.fail_on_increase:
        raise JitwatchError(
            "--jitwatch-update-baseline makes what the session compiles the baseline, so nothing can be an increase; "
            "leave --jitwatch-fail-on-increase out."
        )
    if options.baseline is not None:
        _check_baseline(options.baseline, update=options.update)


def _check_report(path: str) -> None:
    if os.path.splitext(path)[1] not in forms.SUFFIXES:
        raise JitwatchError(
            f"--jitwatch-report={path} has no suffix that names a form; valid are: {', '.join(forms.SUFFIXES)}."
        )
    output_files.check_report_path(path)


def _check_baseline(path: str, *, update: bool) -> None:
    if not path:
        raise JitwatchError("--jitwatch-baseline has no path; name a file.")
    if update:
        output_files.check_writable(path)
    if not update or os.path.exists(path):
        read_budget(read_baseline(path), path)
