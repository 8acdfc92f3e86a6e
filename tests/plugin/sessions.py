"""A session of pytest's own, with tests that compile too much, and what it said."""

from __future__ import annotations

import re
import textwrap

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


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*PLUGIN, *arguments)


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
