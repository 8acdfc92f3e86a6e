"""The pytest plugin, in sessions of pytest's own: markers, fixtures, options, and what it costs where nobody uses it."""

from __future__ import annotations

import json

import pytest
from sessions import FAILED, TESTS, problems, programs_by_test, run, write


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
