"""Whose a function is: its definition, its code where several stand on a line, and which programs are its first."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jitwatch
from jitwatch import _faults, watched_jit
from jitwatch._capture.functions.identity import code_of, definition_of, qualified_name
from jitwatch._capture.keys.values import describe
from jitwatch._model import FunctionStats
from jitwatch._record.kinds import recompiles
from jitwatch._report.summary import summarize
from jitwatch.testing import assert_compiles

X = jnp.ones(3)


def scaled(n, x):
    return (x * n).sum()


class Called:
    def __call__(self, x):
        return x

    def method(self, x):
        return x


LINE = scaled.__code__.co_firstlineno
HERE = __file__


def stats_of(function: Any) -> FunctionStats:
    return next(one for one in jitwatch.snapshot().functions if one.id == function.cache_stats().id)


@pytest.mark.parametrize(("fun", "line"), [
    (scaled, LINE),
    (jax.grad(functools.partial(scaled, 2.0)), LINE),
    (functools.partial(jax.grad(scaled), 2.0), LINE),
    (jax.vmap(jax.grad(functools.partial(scaled, 2.0))), LINE),
    (jax.checkpoint(functools.partial(scaled, 2.0)), LINE),
    (Called(), Called.__call__.__code__.co_firstlineno),
    (Called().method, Called.method.__code__.co_firstlineno),
])  # fmt: skip
def test_definition_is_that_of_the_innermost_function(fun: Any, line: int) -> None:
    assert definition_of(fun) == f"{HERE}:{line}"
    assert stats_of(watched_jit(fun)).defined_at == f"{HERE}:{line}"


def test_definition_of_what_python_did_not_define_is_the_line_of_its_jit() -> None:
    _, vjp = jax.vjp(jnp.sin, 1.0)
    here = watched_jit(vjp)

    assert (
        stats_of(here).defined_at
        == f"{HERE}:{test_definition_of_what_python_did_not_define_is_the_line_of_its_jit.__code__.co_firstlineno + 2}"
    )


def test_unwatched_functions_have_the_innermost_definition_too() -> None:
    partial = functools.partial(scaled, 2.0)

    jax.jit(jax.grad(partial))(X)

    (found,) = [
        one
        for one in jitwatch.snapshot().others
        if one.defined_at == f"{HERE}:{LINE}" and one.qualname == "grad(scaled)"
    ][-1:]
    assert [(one.name, one.value) for one in found.captured] == [("partial args[0]", "2.0")]


def test_qualified_names_name_the_transforms() -> None:
    assert qualified_name(jax.vmap(jax.grad(scaled)), "") == "vmap(grad(scaled))"
    assert qualified_name(jax.jit(Called().method), "") == "jit(Called.method)"


def test_lambdas_of_one_line_are_told_apart() -> None:
    one, two, same_code = lambda x: x + 1, lambda x: x + 2, lambda x: x + 1

    assert len({code_of(each) for each in (one, two, same_code)}) == 3
    assert len({describe(each) for each in (one, two, same_code)}) == 3
    assert code_of(jax.grad(one)) == code_of(functools.partial(one)) == code_of(jax.jit(one)) == code_of(one)
    assert code_of(jnp.sin) == code_of(jnp.sin)


def test_lambdas_of_one_line_have_rows_and_counts_of_their_own() -> None:
    first, second = lambda x: x + 1, lambda x: x + 2
    one, two = watched_jit(first), watched_jit(second)

    with assert_compiles(first, exactly=1), assert_compiles(second, exactly=2):
        one(X), two(X), two(1.0)

    ids = {one.cache_stats().id, two.cache_stats().id}
    rows = [row for row in summarize(jitwatch.snapshot()).functions.shown if ids & set(row.ids)]
    assert len(rows) == 2
    assert {row.defined_at.rpartition(":")[0] for row in rows} == {f"{HERE}:{first.__code__.co_firstlineno}"}
    assert sorted(row.recompiles for row in rows) == [0, 1]


def made(n: float) -> Any:
    def of_a_factory(x):
        return x * n

    return watched_jit(of_a_factory)


def test_first_programs_of_each_kind_are_no_recompiles() -> None:
    f = watched_jit(lambda x: (x**2).sum())
    for _ in range(3):
        jax.grad(f)(X), jax.vmap(f)(X), f(X)
    f.lower(jnp.ones(4)).compile()

    assert recompiles([stats_of(f)]) == 0

    f(jnp.ones(5)), jax.vmap(f)(jnp.ones(5)), jax.grad(f)(jnp.ones(5))

    assert recompiles([stats_of(f)]) >= 3


def test_another_function_of_a_factory_is_no_recompile_and_the_same_again_is() -> None:
    functions = [made(1.0), made(2.0)]
    for function in functions:
        function(X)

    assert recompiles(map(stats_of, functions)) == 0

    functions.append(made(1.0))
    functions[-1](X)

    assert recompiles(map(stats_of, functions)) == 1


def test_what_install_watches_has_its_values() -> None:
    with jitwatch.watching():
        installed = jax.jit(functools.partial(scaled, 7.0))
    installed(X)

    assert any(
        ("partial args[0]", "7.0") in [(one.name, one.value) for one in each.captured]
        for each in jitwatch.snapshot().functions
    )


def test_a_function_within_hundreds_of_transforms_is_watched() -> None:
    deep = scaled
    for _ in range(600):
        deep = jax.vmap(deep)

    faults = _faults.count()
    watched_jit(deep)
    assert _faults.count() == faults


def test_a_function_of_jaxs_that_calls_itself_is_watched() -> None:
    source = """
def alone():
    def inner(x, n):
        return x if n == 0 else inner(x * 2, n - 1)
    return inner
def pair():
    first = lambda x, n: x if n == 0 else second(x * 2, n - 1)
    second = lambda x, n: first(x, n)
    return first
"""
    made: dict[str, Any] = {}
    exec(compile(source, jax.__file__, "exec"), made)  # as what stands in JAX's own files

    faults = _faults.count()
    for function in (made["alone"](), made["pair"]()):
        watched = watched_jit(functools.partial(function, n=2))
        assert watched(X).shape == X.shape and watched.cache_info().compiles == 1
    assert _faults.count() == faults
