"""Churn in whole programs: what is printed, and what the interpreter and the tests of others make of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2]


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "churn.py"
    path.write_text(
        "import numpy as np\nfrom jitwatch import watched_jit\n\nf = watched_jit(lambda x: x * 2)\n"
        "for size in range(3, 23, 2):\n    f(np.ones(size, np.float32))\nprint('done')\n",
        encoding="utf-8",
    )
    yield path


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    full = {**os.environ, "PYTHONPATH": str(PACKAGE), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=full, check=False)


def test_warning_is_printed_with_the_line(script: Path) -> None:
    done = run(sys.executable, str(script))

    assert done.stdout == "done\n"
    assert done.stderr.startswith(f"{script}:6: ShapeChurnWarning: <lambda> ({script}:4) compiled 4 times more")
    assert done.stderr.count("ShapeChurnWarning") == 1


def test_interpreters_warning_option_works(script: Path) -> None:
    done = run(sys.executable, "-W", "error::jitwatch.RecompilationWarning", str(script))

    assert done.returncode == 1 and done.stdout == ""
    assert "jitwatch.ShapeChurnWarning: <lambda>" in done.stderr


def test_program_without_any_log_gets_no_line_twice(script: Path) -> None:
    done = run(sys.executable, "-W", "ignore::jitwatch.RecompilationWarning", str(script))

    assert "more than needed" not in done.stderr and done.stdout == "done\n"


TESTS = """
import unittest
import numpy as np
import pytest
import jitwatch

module_level = jitwatch.watched_jit(lambda x: x * 2)


@pytest.mark.parametrize("size", range(3, 23, 2))
def test_each_size(size):
    module_level(np.ones(size))
    jitwatch.watched_jit(lambda x: x + 1)(1.0)


class EachSize(unittest.TestCase):
    pass


def make_test(size):
    def test(self):
        module_level(np.ones((size, 2)))
        jitwatch.watched_jit(lambda x: x - 1)(1.0)

    return test


for size in range(3, 23, 2):
    setattr(EachSize, f"test_{size}", make_test(size))


if __name__ == "__main__":
    unittest.main()
"""


def test_what_many_tests_compile_once_is_no_churn(tmp_path: Path) -> None:
    path = tmp_path / "test_sizes.py"
    path.write_text(TESTS, encoding="utf-8")
    by_pytest = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(path))
    by_unittest = run(sys.executable, "-W", "error::jitwatch.RecompilationWarning", str(path))

    assert by_pytest.returncode == 0, by_pytest.stdout
    assert "20 passed" in by_pytest.stdout
    assert by_unittest.returncode == 0, by_unittest.stderr
    assert "Ran 10 tests" in by_unittest.stderr
