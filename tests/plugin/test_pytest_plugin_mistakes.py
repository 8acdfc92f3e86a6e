"""What is given to the pytest plugin wrongly, and sessions in which it is idle, blocked or named twice."""

from __future__ import annotations

import importlib

import pytest
from sessions import run, write


@pytest.mark.parametrize("marker", [
    "max_compiles()", "max_compiles(-1)", "max_compiles(True)", "max_compiles('step')", "max_compiles(1, fn=3)",
    "max_compiles(1, function='step')", "no_recompile(1)",
])  # fmt: skip
def test_wrong_marker_is_a_usage_error(marker: str, alone: None, pytester: pytest.Pytester) -> None:
    write(pytester, "conftest.py", "")
    write(pytester, "test_b.py", f"import pytest\n@pytest.mark.{marker}\ndef test_one():\n    assert False\n")

    result = run(pytester)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = result.stderr.str()
    assert "test_b.py::test_one: wrong marker of jitwatch's: " in error
    assert f"write @pytest.mark.{marker.partition('(')[0]}" in error


@pytest.mark.parametrize(("arguments", "message"), [
    (["--jitwatch-top=0"], "valid is a whole number of at least 1"),
    (["--jitwatch-top=many"], "invalid int value: 'many'"),
    (["-o", "jitwatch_top=many"], "jitwatch_top is 'many'; valid is a whole number"),
    (["-o", "jitwatch=maybe"], "jitwatch: the ini value jitwatch is not valid: invalid truth value 'maybe'"),
    (["--jitwatch-report=report.txt"], "has no suffix that names a form; valid are: .html, .json"),
    (["--jitwatch-report="], "has no suffix"),
    (["-o", "jitwatch_report=report.csv"], "report.csv has no suffix"),
    (["--jitwatch-report=no/report.json"], "there is no folder"),
    (["--jitwatch-report=mine.json"], "mine.json exists and is no jitwatch report"),
    (["--jitwatch-baseline=new.toml"], "there is no baseline *new.toml; make one with"),
    (["--jitwatch-baseline="], "has no path"),
    (["--jitwatch-baseline=mine.json"], "mine.json is not valid TOML"),
    (["--jitwatch-baseline=mine.json", "--jitwatch-update-baseline"], "mine.json is not valid TOML"),
    (["--jitwatch-baseline=no/b.toml", "--jitwatch-update-baseline"], "there is no folder"),
    (["--jitwatch-update-baseline"], "--jitwatch-update-baseline goes with --jitwatch-baseline=PATH"),
    (["--jitwatch-fail-on-increase"], "--jitwatch-fail-on-increase goes with --jitwatch-baseline=PATH"),
    (["--jitwatch-baseline=new.toml", "--jitwatch-update-baseline", "--jitwatch-fail-on-increase"], "leave --jitwatch"),
])  # fmt: skip
def test_wrong_option_is_a_usage_error(
    arguments: list[str], message: str, alone: None, pytester: pytest.Pytester
) -> None:
    write(pytester, "conftest.py", "")
    write(pytester, "test_b.py", "def test_one():\n    assert False\n")
    write(pytester, "mine.json", "{}")

    result = run(pytester, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])
    assert (pytester.path / "mine.json").read_text() == "{}"
    assert not (pytester.path / "new.toml").exists()


@pytest.mark.parametrize("order", [("_pytest.entry", "pytest_plugin"), ("pytest_plugin", "_pytest.entry")])
def test_plugin_that_is_named_twice_is_loaded_once(
    order: tuple[str, str], alone: None, pytester: pytest.Pytester
) -> None:
    write(pytester, "conftest.py", "")
    names = [argument for name in order for argument in ("-p", f"jitwatch.{name}")]

    result = pytester.runpytest_subprocess(*names, "--help")

    assert result.stdout.str().count("--jitwatch-top=N ") == 1


def test_idle_plugin_imports_nothing(pytester: pytest.Pytester) -> None:
    write(pytester, "conftest.py", "")
    write(pytester, "test_b.py", """
        import sys

        def test_nothing_is_imported():
            ours = {name for name in sys.modules if name.split(".")[0] in ("jax", "jaxlib", "jitwatch")}
            assert ours <= {"jitwatch", "jitwatch._pytest", "jitwatch._pytest.entry", "jitwatch.pytest_plugin"}
    """)  # fmt: skip

    idle = run(pytester, "--strict-config")
    off = pytester.runpytest_subprocess("-p", "no:jitwatch", "-p", "no:cacheprovider")
    used = run(pytester, "--jitwatch")

    assert (idle.ret, off.ret) == (0, 0)
    assert used.ret == 1  # so that the check can fail
    assert "JITWATCH" not in idle.stdout.str()


def test_blocked_plugin_knows_no_option(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("-p", "no:jitwatch", "--jitwatch")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --jitwatch*"])


def test_plugin_may_be_loaded_when_jitwatch_runs_already() -> None:
    pytest.register_assert_rewrite("jitwatch")  # as pytest does for all of its plugins; a warning would be an error

    with pytest.raises(pytest.PytestAssertRewriteWarning):  # so that the check can fail
        pytest.register_assert_rewrite("importlib")


def test_entry_point_loads_the_plugin() -> None:
    entry = importlib.import_module("jitwatch._pytest.entry")

    for name in entry.pytest_plugins:
        assert hasattr(importlib.import_module(name), "pytest_addoption")
