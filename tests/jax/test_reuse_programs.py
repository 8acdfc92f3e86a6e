"""Property: random programs give the same under `reuse`, and XLA runs once for each program that plain JAX compiles.

Each program runs as it is first, where an oracle outside jitwatch (`xla_runs`) notes for every run of XLA which program
it was, and then with reuse on. Results must be equal bit by bit, XLA must run once for each distinct program, and
jitwatch must count each program that JAX asked for, compiled or reused. A few programs;
`TEST_PROGRAMS=10000 pytest tests/jax/test_reuse_programs.py` runs as many as it says, drawn anew each time.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from xla_runs import Run, xla_runs

import jitwatch
from jitwatch import _faults
from jitwatch._record.recorder import recorder
from jitwatch._state import State, use

LONG = os.environ.get("TEST_PROGRAMS")
PROGRAMS = int(LONG or 12)

BODIES: dict[str, Callable[[Any, int], Any]] = {
    "scale": lambda x, n: x * n,
    "sum": lambda x, n: x.sum() + n,
    "cond": lambda x, n: jax.lax.cond(x[0] > n, lambda y: y, lambda y: -y, x),
    "pair": lambda x, n: {"double": x + x, "n": x - n},
    "constant": lambda x, n: x + np.arange(n, n + 8, dtype=np.float32)[: x.shape[0]],
    "random": lambda x, n: x + jax.random.uniform(jax.random.PRNGKey(n), x.shape),
    "callback": lambda x, n: jax.pure_callback(lambda y: np.asarray(y) * n, jax.ShapeDtypeStruct(x.shape, x.dtype), x),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {}, "donate": {"donate_argnums": 0}, "inline": {"inline": True}, "keep": {"keep_unused": True},
    "compiler": {"compiler_options": {"xla_embed_ir_in_executable": True}},
}  # fmt: skip
WAYS = ("call", "call", "call", "grad", "vmap", "aot", "nested", "threads")


def _over(*devices: int) -> NamedSharding:
    return NamedSharding(Mesh(np.array([jax.devices()[each] for each in devices]), "a"), PartitionSpec("a"))


PLACES: dict[str, Callable[[], Any]] = {
    "host": lambda: None, "default": lambda: jax.devices()[0], "second": lambda: jax.devices()[1],
    "0 and 1": lambda: _over(0, 1), "1 and 0": lambda: _over(1, 0), "2 and 3": lambda: _over(2, 3),
}  # fmt: skip


class Step(NamedTuple):
    """A function made anew, and how it is called."""

    body: str
    number: int
    size: int
    dtype: str
    place: str
    option: str
    way: str
    clear: bool


steps = st.builds(
    Step, body=st.sampled_from(sorted(BODIES)), number=st.sampled_from([1, 2]), size=st.sampled_from([4, 8]),
    dtype=st.sampled_from(["float32", "float16"]), place=st.sampled_from(sorted(PLACES)),
    option=st.sampled_from(sorted(OPTIONS)), way=st.sampled_from(WAYS), clear=st.sampled_from([False] * 9 + [True]),
)  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> tuple[Step, ...]:
    """Steps of which many are as an earlier one, or differ from it in one place."""
    made = [draw(steps)]
    for _ in range(draw(st.integers(2, 7))):
        like, other = draw(st.sampled_from(made)), draw(steps)
        field = draw(st.sampled_from([*Step._fields, "same", "same"]))
        made.append(like if field == "same" else like._replace(**{field: getattr(other, field)}))
    return tuple(made)


def function_of(step: Step) -> Any:
    """A new function object, jitted."""
    body, number = BODIES[step.body], step.number

    def f(x):
        return body(x, number)

    return jax.jit(f, **OPTIONS[step.option])


def argument(step: Step) -> Any:
    """A fresh one, as it may be donated."""
    values = np.linspace(0.0, 3.0, step.size).astype(step.dtype)
    place = PLACES[step.place]()
    return values if place is None else jax.device_put(values, place)


def do(step: Step) -> Any:
    """What a step gives, as NumPy arrays; or the class of what JAX raises."""
    if step.clear:
        jax.clear_caches()
    f = function_of(step)
    try:
        if step.way == "grad":
            result = jax.grad(lambda x: sum(leaf.sum() for leaf in jax.tree.leaves(f(x))))(argument(step))
        elif step.way == "vmap":
            result = jax.vmap(f)(np.stack([np.linspace(0.0, 1.0, step.size, dtype=step.dtype)] * 2))
        elif step.way == "aot":
            x = argument(step)
            result = f.lower(x).compile()(x)
        elif step.way == "nested":
            result = jax.jit(lambda x: f(x))(argument(step))
        elif step.way == "threads" and step.place in ("host", "default"):
            result = at_once(step)
        else:
            result = f(argument(step))
        shardings = [leaf.sharding for leaf in jax.tree.leaves(result)]
        return jax.tree.map(np.asarray, result), [[device.id for device in each.device_set] for each in shardings]
    except Exception as error:
        return type(error).__name__, str(error)[:60]


def at_once(step: Step) -> Any:
    """The same function object made on three threads at once."""
    results: list[Any] = []
    together = threading.Barrier(3)

    def work() -> None:
        f, x = function_of(step), argument(step)
        together.wait(20)
        results.append(f(x))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def run(program: tuple[Step, ...]) -> tuple[list[Any], list[Run]]:
    """The results of a program, and what XLA compiled for it, with JAX's caches empty before."""
    jax.clear_caches()
    with xla_runs() as runs:
        return [do(step) for step in program], runs


def asked_for() -> tuple[int, int]:
    """Programs compiled, and programs reused, of everything in this process."""
    snapshot = recorder().snapshot()
    every = [*snapshot.functions, *snapshot.others]
    stages = [stages for each in every for stages in (each.stages, each.helpers)]
    return sum(each.compiles for each in stages), sum(each.reused for each in stages)


def check(program: tuple[Step, ...]) -> None:
    """Hold a program with reuse against the same one without."""
    faults = _faults.count()
    with use(State()), jitwatch.watching():  # a state of its own: the functions of thousands are beyond any bound
        plain, plain_runs = run(program)
        before = asked_for()
        with jitwatch.reusing():
            results, runs = run(program)
        compiled, reused = (now - then for now, then in zip(asked_for(), before, strict=True))

    for step, expected, actual in zip(program, plain, results, strict=True):
        assert jax.tree.structure(expected) == jax.tree.structure(actual), step
        for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(actual), strict=True):
            assert np.array_equal(one, other, equal_nan=isinstance(one, np.ndarray)), step
    distinct = {each.identity for each in plain_runs if each.identity[-1] is None}
    alone = [each for each in plain_runs if each.identity[-1] is not None]
    assert len(runs) == len(distinct) + len(alone)
    assert {each.identity for each in runs if each.identity[-1] is None} == distinct
    assert (compiled, reused) == (len(runs), len(plain_runs) - len(runs))
    assert _faults.count() == faults


@pytest.mark.filterwarnings("ignore")
def test_random_programs_give_the_same_and_xla_runs_once_for_each() -> None:
    @seed(0 if LONG is None else random.getrandbits(64))
    @settings(max_examples=PROGRAMS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(programs())
    def each(program: tuple[Step, ...]) -> None:
        check(program)

    jnp.zeros(3).block_until_ready()
    each()
