"""The pytest plugin, in sessions of pytest's own: markers, fixtures, options, and what it costs where nobody uses it."""

from __future__ import annotations

import importlib
import json
import re
import textwrap
from pathlib import Path

import pytest

PLUGIN = ("-p", "jitwatch.pytest_plugin", "-p", "no:cacheprovider")
LIBRARY = """
    import jax

    @jax.jit
    def step(x):
        return x * 2
"""
TESTS = """
    import unittest
    import jax, jax.numpy as jnp, pytest
    from library import step

    @pytest.fixture
    def warm():
        step(jnp.ones(20))
        yield
        step(jnp.ones(21))

    @pytest.mark.no_recompile
    def test_kept():
        step(jnp.ones(3)), step(jnp.ones(3))

    @pytest.mark.no_recompile
    def test_recompiles():
        step(jnp.ones(4)), step(jnp.ones(5))

    @pytest.mark.no_recompile
    def test_made_anew():
        for _ in range(2):
            jax.jit(lambda x: x + 1)(jnp.ones(3))

    @pytest.mark.no_recompile
    def test_transforms_are_no_recompiles():
        f = jax.jit(lambda x: (x * x).sum())
        f(jnp.ones(3)), jax.grad(f)(jnp.ones(3)), jax.vmap(f)(jnp.ones((2, 3)))

    @pytest.mark.max_compiles(1, fn=step)
    @pytest.mark.max_compiles(1)
    def test_two_markers():
        step(jnp.ones(6)), step(jnp.ones(7))

    @pytest.mark.max_compiles(1, "step")
    @pytest.mark.max_compiles(2)
    def test_others_do_not_count():
        step(jnp.ones(8)), jax.jit(lambda x: x - 1)(jnp.ones(8)), jnp.ones(9), jnp.ones(10)

    @pytest.mark.max_compiles(1, "stepp")
    def test_misspelled():
        pass

    @pytest.mark.max_compiles(0)
    def test_set_up_is_free(warm):
        step(jnp.ones(20))

    def test_fixture(jitwatch):
        step(jnp.ones(30)), step(jnp.ones(31))
        assert jitwatch.compiles("step") == jitwatch.compiles() == jitwatch.traces() == 2
        assert "step" in jitwatch.report(color=False)
        assert jitwatch.snapshot().misses
        assert isinstance(jitwatch.findings(), tuple)
        with pytest.raises(Exception, match="Nothing named 'stepp' was called or compiled so far; there are: .*step"):
            jitwatch.compiles("stepp")

    def test_fresh(jitwatch_fresh):
        step(jnp.ones(3))
        assert jitwatch_fresh.compiles("step") == 1

    class TestCase(unittest.TestCase):
        @pytest.mark.no_recompile
        def test_recompiles(self):
            step(jnp.ones(40)), step(jnp.ones(41))

        @pytest.mark.no_recompile
        def test_fails_by_itself(self):
            step(jnp.ones(42)), step(jnp.ones(43))
            assert False

    @pytest.mark.no_recompile
    class TestClass:
        @pytest.mark.parametrize("size", [50, 51])
        def test_each_counts_anew(self, size):
            step(jnp.ones(size))

    @pytest.mark.xfail(strict=True)
    @pytest.mark.no_recompile
    def test_expected_to_fail():
        step(jnp.ones(60)), step(jnp.ones(61))

    @pytest.mark.no_recompile
    def test_skips():
        step(jnp.ones(62)), step(jnp.ones(63))
        pytest.skip()
"""
FAILED = {"test_recompiles", "test_made_anew", "test_two_markers", "TestCase::test_recompiles"}


@pytest.fixture(autouse=True)
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a session: a function that is jitted before any test is collected, and tests that call it."""
    for name in ("JITWATCH_MODE", "JITWATCH_FILE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(library=LIBRARY)
    pytester.makeconftest("import library")
    return pytester.path


@pytest.fixture(autouse=True)
def settings_of_its_own(pytester: pytest.Pytester) -> None:
    """Also where temporary files are inside a project with settings for pytest."""
    pytester.makeini("[pytest]")


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*PLUGIN, *arguments)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other plugin, which makes the begin of a session quick, and none of an installed jitwatch."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def write(pytester: pytest.Pytester, name: str, text: str) -> None:
    (pytester.path / name).write_text(textwrap.dedent(text))


def problems(result: pytest.RunResult) -> set[str]:
    """The tests that failed for their markers."""
    return {
        match.group(1) for line in result.outlines if (match := re.match(r"RECOMPILE PROBLEMS test_a\.py::(\S+)", line))
    }


def programs_by_test(result: pytest.RunResult) -> dict[str, int]:
    """The tests in the report, each with its programs."""
    rows = (re.match(r" *[\d.]+ \S+ +(\d+)  test_\w+\.py::(\S+)", line) for line in result.outlines)
    return {row.group(2).rstrip(","): int(row.group(1)) for row in rows if row}


def test_markers_and_fixtures(pytester: pytest.Pytester) -> None:
    write(pytester, "test_a.py", TESTS)

    result = run(pytester, "--strict-markers", "-vv")

    result.assert_outcomes(passed=9, failed=5, xfailed=1, skipped=1)
    assert problems(result) == FAILED
    result.stdout.fnmatch_lines([
        "no_recompile: step (library.py:3) compiled 2 programs, expected at most 1. Compiled beyond that:",
        "  shape: x: f32[[]4] → f32[[]5] (axis 0: 4 → 5)",
        "    at test_a.py:18",
        "  fix: Keep the shape of x the same in every call: *JW101*",
        "no_recompile: <lambda> (test_a.py:23) compiled 2 programs*",
        "  function_identity: another function object of the same definition",
        "  fix: *JW301*",
        "max_compiles(1): the test compiled 2 programs, expected at most 1. *",
        "  step (library.py:3): shape: x: f32[[]6] → f32[[]7]*",
        "max_compiles(1, fn=step): step (library.py:3) compiled 2 programs*",
        "*jitwatch: compiled more than its markers allow*",
        "no_recompile: step (library.py:3) compiled 2 programs*",
        "  shape: x: f32[[]42] → f32[[]43]*",
        "*JITWATCH REPORT*",
        "1 test cleared JAX's caches (jitwatch_fresh): * compiled again that had been there.",
        "max_compiles of test_a.py::test_misspelled names 'stepp', and nothing of that name *",
        "FAILED test_a.py::TestCase::test_fails_by_itself - *",
    ], consecutive=False)  # fmt: skip
    assert "Functions" not in result.stdout.str() and "traceback entries are hidden" not in result.stdout.str()


def test_report_is_the_same_with_workers(pytester: pytest.Pytester) -> None:
    write(pytester, "test_a.py", TESTS.replace("jnp.ones", "np.ones").replace("pytest\n", "pytest, numpy as np\n", 1))

    alone = run(pytester, "--jitwatch", "--jitwatch-top=50", "--jitwatch-report=alone.json")
    spread = run(pytester, "--jitwatch", "--jitwatch-top=50", "--jitwatch-report=spread.json", "-n2")

    outcomes = alone.parseoutcomes()
    assert outcomes == spread.parseoutcomes()
    assert problems(alone) == problems(spread) == FAILED
    assert programs_by_test(alone).keys() == programs_by_test(spread).keys()
    different = {
        test for test, programs in programs_by_test(alone).items() if programs != programs_by_test(spread)[test]
    }
    assert different <= {"test_kept", "test_fresh"}  # one finds what the other compiled, in the same process only
    reports = [json.loads((pytester.path / name).read_text()) for name in ("alone.json", "spread.json")]
    assert [len(report["processes"]) for report in reports] == [1, 2]
    for report in reports:
        compiles = {function["name"]: function["compiles"] for function in report["functions"]}
        assert compiles["step"] in (20, 21)
        assert compiles["<lambda>"] >= 1


def test_report_names_functions_tests_and_what_to_change(pytester: pytest.Pytester) -> None:
    write(pytester, "test_b.py", """
        import jax.numpy as jnp, pytest
        from library import step
        x = [jnp.ones(size) for size in range(2, 9)]
        step(x[0])

        @pytest.fixture
        def warm():
            step(x[1])

        def test_one(warm):
            step(x[2]), step(x[3]), step(x[4])

        def test_two():
            step(x[5])

        def test_three():
            step(x[6])
    """)  # fmt: skip
    write(pytester, "pytest.ini", "[pytest]\njitwatch = true\njitwatch_top = 2\njitwatch_report = deep.json\n")
    (pytester.path / "deep").mkdir()

    result = run(pytester)
    hidden = run(pytester, "--hide-jitwatch-summary")
    nothing = run(pytester, "--collect-only", "--jitwatch-top=1")

    result.stdout.fnmatch_lines([
        "*JITWATCH REPORT*",
        "* spent on tracing, lowering and compiling 7 programs of 1 jitted function;*",
        "6 recompiles.",
        "Eager operations and other programs: *",
        "Of this at import and collection, outside all tests: *, 9 programs.",
        "*spent  programs  Functions",
        "* 7  step  library.py:3",
        "*spent  programs  Tests",
        "* 4  test_b.py::test_one, * in set-up and teardown",
        "… 1 more test",
        "JW303  *run outside jit, at module level:",
        "JW101  step compiled 2 times more than needed*",  # of test_one; other lines may have other sizes
        "*fix: Keep the shape*",
        "Report written to deep.json.",
    ])  # fmt: skip
    assert json.loads((pytester.path / "deep.json").read_text())["schema"] == "jitwatch-report/1"
    assert "JITWATCH" not in hidden.stdout.str()
    nothing.stdout.fnmatch_lines(["*compiling 1 program of 1 jitted function;*"])
    assert result.ret == hidden.ret == nothing.ret == 0


def test_baseline_is_written_checked_and_can_fail_the_session(pytester: pytest.Pytester) -> None:
    text = "import numpy as np\nfrom library import step\ndef test_a():\n    step(np.ones(2)), step(np.ones(3))\n"
    write(pytester, "test_b.py", text)
    baseline = "--jitwatch-baseline=limits.toml"

    made = run(pytester, baseline, "--jitwatch-update-baseline")
    limits = (pytester.path / "limits.toml").read_text()
    write(pytester, "test_b.py", text + "def test_more():\n    step(np.ones(4))\n")
    told = run(pytester, baseline)
    failed = run(pytester, baseline, "--jitwatch-fail-on-increase", "--hide-jitwatch-summary")
    write(pytester, "test_b.py", text + "def test_wrong():\n    step(np.ones(4))\n    assert False\n")
    left = run(pytester, baseline, "--jitwatch-update-baseline")

    made.stdout.fnmatch_lines(["*JITWATCH REPORT*", "*spent  programs  Functions", "Baseline limits.toml: 1 added."])
    assert '[functions."library.py"]\nstep = { max_compiles = 2 }' in limits
    for result in (told, failed):
        result.stdout.fnmatch_lines([
            "Baseline limits.toml: 1 of 1 function is over its budget.", "step (library.py): 3 compiles; its budget is 2",
            "  shape  x: f32[[]3] → f32[[]4] *", "*at test_b.py:6",
        ])  # fmt: skip
    assert (made.ret, told.ret, failed.ret, left.ret) == (0, 0, 1, 1)
    failed.stdout.fnmatch_lines([
        "ERROR limits.toml (jitwatch) - step (library.py) 3 compiles; its budget is 2", "*2 passed, 1 error in *",
    ])  # fmt: skip
    told.stdout.no_fnmatch_line("ERROR limits.toml*")
    left.stdout.fnmatch_lines(["Baseline limits.toml: 1 raised. Nothing was lowered, since not all tests passed."])


@pytest.mark.parametrize("part", [["-k", "one"], ["test_b.py"], ["--deselect", "test_b.py::test_two"]], ids=str)
def test_baseline_is_only_raised_by_a_part_of_the_tests(part: list[str], pytester: pytest.Pytester) -> None:
    write(pytester, "test_b.py", """
        import numpy as np
        from library import step

        def test_one():
            step(np.ones(2))

        def test_two():
            pass
    """)  # fmt: skip
    write(pytester, "limits.toml", '[functions."library.py"]\nstep = { max_compiles = 5 }\n')
    update = "--jitwatch-baseline=limits.toml", "--jitwatch-update-baseline"

    of_a_part = run(pytester, *update, *part)
    kept = (pytester.path / "limits.toml").read_text()
    run(pytester, *update)

    of_a_part.stdout.fnmatch_lines(["Baseline limits.toml: no change. Nothing was lowered, since tests were*"])
    assert "max_compiles = 5" in kept
    assert "max_compiles = 1" in (pytester.path / "limits.toml").read_text()


def test_failures_show_no_frame_of_jitwatch(pytester: pytest.Pytester) -> None:
    write(pytester, "test_b.py", """
        import numpy as np, jitwatch
        from library import step
        from jitwatch.testing import assert_no_recompiles, assert_traces

        @assert_no_recompiles
        def test_decorated():
            step(np.ones(2)), step(np.ones(3))

        def test_refused():
            with assert_traces(step, exactly=1):
                step(np.ones(4))

        def test_forbidden():
            with jitwatch.no_compiles():
                step(np.ones(5))

        def test_asked(jitwatch):
            jitwatch.compiles("stepp")
    """)  # fmt: skip

    result = run(pytester)

    result.assert_outcomes(failed=4)
    result.stdout.no_re_match_line(r"^/.*/jitwatch/.*\.py:\d+:")
    result.stdout.fnmatch_lines(["*put `jitwatch = true` into pytest's settings*"])


def test_rerun_counts_anew(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures")
    write(pytester, "test_b.py", """
        import numpy as np, pytest
        from library import step
        runs = []

        @pytest.mark.max_compiles(1)
        def test_flaky():
            runs.append(1)
            step(np.ones(len(runs)))
            assert len(runs) > 1

        @pytest.mark.no_recompile
        def test_recompiles():
            runs.append(1)
            step(np.ones(10 * len(runs))), step(np.ones(10 * len(runs) + 1))
    """)  # fmt: skip

    result = run(pytester, "--reruns=1", "--jitwatch")

    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "rerun": 2}
    result.stdout.fnmatch_lines(
        ["*2  test_b.py::test_flaky, in 2 runs", "RECOMPILE PROBLEMS test_b.py::test_recompiles*"]
    )


def test_processes_of_their_own_hand_over_what_they_counted_or_are_missed(pytester: pytest.Pytester) -> None:
    # As pytest-forked does, whose latest release does not work with the latest pytest.
    write(pytester, "conftest.py", """
        import json, os, library, pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            hook, (reader, writer) = item.config.hook, os.pipe()
            if not (child := os.fork()):
                reports = runtestprotocol(item, log=False)
                data = [hook.pytest_report_to_serializable(config=item.config, report=one) for one in reports]
                os.write(writer, json.dumps(data).encode())
                os._exit(0)
            os.close(writer)
            with os.fdopen(reader) as file:
                data = json.loads(file.read() or "[]")
            os.waitpid(child, 0)
            for one in data:
                item.ihook.pytest_runtest_logreport(
                    report=hook.pytest_report_from_serializable(config=item.config, data=one)
                )
            if not data:
                call = pytest.CallInfo.from_call(lambda: 1 / 0, "???")
                item.ihook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, call))
            return True
    """)  # fmt: skip
    write(pytester, "test_b.py", """
        import os, numpy as np, pytest
        from library import step

        def test_one():
            step(np.ones(2))

        @pytest.mark.no_recompile
        def test_two():
            step(np.ones(3)), step(np.ones(4))

        def test_crashes():
            os._exit(3)
    """)  # fmt: skip

    result = run(pytester, "--jitwatch", "--jitwatch-report=report.json")

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines([
        "* 3  step  library.py:3", "* 2  test_b.py::test_two", "What compiled in 1 test that ended its process is not *",
        "RECOMPILE PROBLEMS test_b.py::test_two*",
    ])  # fmt: skip
    processes = json.loads((pytester.path / "report.json").read_text())["processes"]
    assert len({process["pid"] for process in processes}) == 3


def test_worker_that_crashed_is_said(pytester: pytest.Pytester) -> None:
    write(pytester, "test_b.py", """
        import os, numpy as np, pytest
        from library import step

        def test_crashes():
            step(np.ones(2))
            os._exit(3)

        def test_goes_on():
            step(np.ones(3))

        @pytest.mark.max_compiles
        def test_wrong_marker():
            pass
    """)  # fmt: skip

    result = run(pytester, "--jitwatch", "-n1")

    result.stdout.fnmatch_lines([
        "*JITWATCH REPORT*", "*1 worker ended without handing over what it counted (gw0)*",
        "What compiled in 1 test that ended its process is not counted.",
        "ERROR test_b.py::test_wrong_marker - *",
    ])  # fmt: skip
    assert programs_by_test(result) == {"test_goes_on": 1}


def test_interrupted_session_is_reported(pytester: pytest.Pytester) -> None:
    write(pytester, "test_b.py", """
        import numpy as np
        from library import step

        def test_one():
            step(np.ones(2))

        def test_two():
            raise KeyboardInterrupt
    """)  # fmt: skip

    result = run(pytester, "--jitwatch", "--jitwatch-baseline=new.toml", "--jitwatch-update-baseline")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["* 1  test_b.py::test_one", "Baseline new.toml was left as it was*"])
    assert not (pytester.path / "new.toml").exists()


def test_mode_off_ignores_markers_and_skips_fixtures(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(pytester, "test_a.py", TESTS)
    monkeypatch.setenv("JITWATCH_MODE", "off")

    result = run(pytester, "-k", "not TestCase and not expected")

    result.assert_outcomes(passed=10, skipped=3, deselected=3)
    result.stdout.fnmatch_lines(["*JITWATCH REPORT*", "jitwatch is off *: nothing was counted, the markers *ignored*"])


def test_fault_of_the_plugin_fails_no_test(pytester: pytest.Pytester) -> None:
    write(pytester, "test_b.py", """
        import numpy as np, pytest
        from library import step
        from jitwatch._pytest import process, session

        def broken(*args, **kwargs):
            raise ValueError("broken on purpose")

        process.problems = process.PhaseCost = session.row_of = broken

        @pytest.mark.no_recompile
        def test_one():
            step(np.ones(2)), step(np.ones(3))
    """)  # fmt: skip

    result = run(pytester, "--jitwatch")

    result.assert_outcomes(passed=1)
    assert "INTERNALERROR" not in result.stdout.str()


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
