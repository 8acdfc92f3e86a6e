"""The names that users see, and that looking at them costs no import of jax."""

from __future__ import annotations

import subprocess
import sys

import pytest

import jitwatch

NAMES = {
    "Alert", "CacheChurnWarning", "CacheInfo", "ContextChurnWarning", "DtypeChurnWarning", "IdentityChurnWarning",
    "JitwatchError", "RecompilationError", "RecompilationWarning", "Recording", "Report", "ShapeChurnWarning",
    "ShardingChurnWarning", "StaticArgChurnWarning", "StructureChurnWarning", "WatchedFunction", "__version__",
    "ExplainedCall", "call_log", "context", "explain_call", "freeze", "install", "metrics", "no_compiles",
    "recording", "report", "report_json", "reset", "reuse", "reusing", "snapshot", "spec", "subscribe", "testing",
    "typing", "unfreeze", "uninstall", "watch", "watched_jit", "watching",
}  # fmt: skip
WITHOUT_JAX = "import sys; sys.modules['jax'] = None; {}"


def test_public_names_are_exactly_these() -> None:
    assert set(jitwatch.__all__) == NAMES
    assert {name for name in NAMES if getattr(jitwatch, name) is None} == set()


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = jitwatch.nonsense  # type: ignore[attr-defined]


def test_data_and_reports_work_where_jax_cannot_be_imported() -> None:
    code = "import jitwatch; jitwatch.report(); jitwatch.reset(); jitwatch.snapshot()"
    subprocess.run([sys.executable, "-c", WITHOUT_JAX.format(code)], check=True)


def test_assertions_of_tests_load_without_jax() -> None:
    code = "import jitwatch; jitwatch.testing.assert_compiles(exactly=1)(print); import jitwatch.testing"
    subprocess.run([sys.executable, "-c", WITHOUT_JAX.format(code)], check=True)


def test_the_check_for_jax_can_fail() -> None:
    code = WITHOUT_JAX.format("import jitwatch; jitwatch.watched_jit")

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert done.returncode != 0
