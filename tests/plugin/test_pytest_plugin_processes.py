"""The pytest plugin in more processes than one: reruns, workers, sessions that end before their end."""

from __future__ import annotations

import json

import pytest
from sessions import programs_by_test, run, write


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
