"""What JAX says about a watched function names the same lines and reads the same as about a plain jitted one."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import warnings

import jax
import jax.numpy as jnp
import pytest
from side_by_side import same, without_addresses

from jitwatch import watched_jit


def scaled(x, n=2):
    return jnp.sin(x) * n


class Scaled:
    def __call__(self, x):
        return jnp.sin(x)

    def method(self, x):
        return jnp.cos(x)


CALLABLES = {
    "function": lambda: scaled, "lambda": lambda: lambda x: x * 3, "object": Scaled, "method": lambda: Scaled().method,
    "partial": lambda: functools.partial(scaled, n=3), "vmap": lambda: jax.vmap(scaled),
    "partial of partial": lambda: functools.partial(functools.partial(scaled), n=3),
    "grad": lambda: jax.grad(lambda x: scaled(x).sum(), allow_int=True),
    "wrapped": lambda: functools.wraps(scaled)(lambda x: scaled(x)),
}  # fmt: skip
SECONDS = re.compile(r"[\d.e-]+ (sec|ms|s)\b")


class Records(logging.Handler):
    """Keeps JAX's log records in comparable form, without times."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def emit(self, record) -> None:
        message = SECONDS.sub("…", without_addresses(record.getMessage()))
        self.seen.append((record.name, record.levelname, record.pathname, record.lineno, message))


@contextlib.contextmanager
def jax_logs():
    """What JAX logs in the block, which starts with empty caches."""
    jax.clear_caches()
    records, logger = Records(), logging.getLogger("jax")
    logger.addHandler(records)
    try:
        yield records.seen
    finally:
        logger.removeHandler(records)


def argument(kind):
    """Something to call the callable of a kind with."""
    return jnp.ones(3) if kind == "vmap" else jnp.float32(1)


@pytest.mark.parametrize("kind", CALLABLES)
def test_program_and_its_locations_are_those_of_plain_jit(kind) -> None:
    same(lambda jit: jit(CALLABLES[kind]()).lower(argument(kind)).as_text(debug_info=True))


@pytest.mark.parametrize("kind", CALLABLES)
def test_jaxpr_and_its_lines_are_those_of_plain_jit(kind) -> None:
    def observe(jit):
        traced = jit(CALLABLES[kind]()).trace(argument(kind))
        lines = [each.source_info.traceback and str(each.source_info.name_stack) for each in traced.jaxpr.eqns]
        return str(traced.jaxpr), str(traced.jaxpr.jaxpr.debug_info), lines, traced.jaxpr.pretty_print(source_info=True)

    same(observe)


def test_nested_program_and_its_locations_are_those_of_plain_jit() -> None:
    def observe(jit):
        inner = jit(scaled)

        @jit
        def outer(x):
            return inner(x) + jax.vmap(inner)(jnp.ones(2)).sum() + jax.grad(inner)(x)

        return outer.lower(1.0).as_text(debug_info=True)

    same(observe)


@pytest.mark.parametrize("kind", CALLABLES)
def test_compile_log_is_that_of_plain_jit(kind) -> None:
    def observe(jit):
        with jax_logs() as records, jax.log_compiles():
            f = jit(CALLABLES[kind]())
            f(argument(kind)), f(argument(kind)), f(argument(kind).astype(int))
            f.lower(argument(kind).astype("float16")).compile()
            jax.vmap(f)(jnp.ones((2, 3)))
        return records

    assert same(observe)


def test_explanations_of_misses_are_those_of_plain_jit() -> None:
    def observe(jit):
        with jax_logs() as records, jax.explain_cache_misses():
            f = jit(lambda x, n=0: x * n, static_argnames="n")
            f(jnp.ones(3)), f(jnp.ones(3)), f(jnp.ones(4)), f(1.0), f(1), f(1, n=2)
            with jax.numpy_rank_promotion("raise"):
                f(1)
        # Each is right here: the definition is the second at this line.
        return [(*record[:-1], re.sub(r"\n  but seen another(.|\n)*caching\?", "", record[-1])) for record in records]

    assert any("test_drop_in_messages.py" in record[-1] for record in same(observe))


@pytest.mark.parametrize("use", [
    lambda jit: jit(lambda x: x.sum(), donate_argnums=0)(jnp.ones(3)),
    lambda jit: jit(lambda x: x.sum(), donate_argnums=0).lower(jnp.ones(3)),
    lambda jit: jit(lambda x: x.astype("float64"))(jnp.ones(3)),
    lambda jit: jit(lambda x: x.astype("float64")).lower(jnp.ones(3)),
    lambda jit: jit(lambda x: warnings.warn("the user's", stacklevel=1) or x)(1.0),
    lambda jit: jit(lambda x: warnings.warn("the user's", stacklevel=1) or x).lower(1.0),
], ids=["donation", "donation, lowered", "dtype", "dtype, lowered", "user", "user, lowered"])  # fmt: skip
def test_warning_is_at_the_line_of_plain_jit(use) -> None:
    def observe(jit):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            use(jit)
        return [(str(each.message), each.category, each.filename, each.lineno) for each in caught]

    assert same(observe)


def test_compiled_program_has_the_users_lines() -> None:
    metadata = re.compile(r'source_file="[^"]*"|source_line=\d+|op_name="[^"]*"')

    same(lambda jit: metadata.findall(jit(scaled).lower(1.0).compile().as_text()))


def test_profiler_name_is_that_of_plain_jit() -> None:
    assert watched_jit(scaled).__getstate__()["function_name"] == jax.jit(scaled).__getstate__()["function_name"]
