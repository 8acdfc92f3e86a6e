"""Misses carry what the program says of the moment, and a hit asks nothing."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import context, watched_jit
from jitwatch._record.recorder import recorder
from jitwatch._record.user_context import current
from jitwatch._report.recording.as_json import render
from jitwatch._store import Writer, load


def contexts(function: Any) -> list[dict[str, str]]:
    """Of each miss of a watched function, oldest first."""
    return [dict(miss.context) for miss in recorder().misses_of(function.cache_stats().id)]


def test_each_miss_has_the_values_of_its_block() -> None:
    f = watched_jit(lambda x: x + 1)

    f(jnp.ones(3))
    for step, size in enumerate([3, 4, 4, 5]):
        with context(step=step):
            f(jnp.ones(size))

    assert contexts(f) == [{}, {"step": "1"}, {"step": "3"}]


def test_callback_runs_on_misses_only() -> None:
    calls = []
    f = watched_jit(lambda x: x + 1)
    x, y = jnp.ones(3), np.ones(3, np.float32)

    with context(lambda: calls.append(1) or {"calls": len(calls)}):
        for argument in (x, x, x, y, y):
            f(argument)

    assert (f.cache_info().hits, f.cache_info().misses) == (3, 2)
    assert contexts(f) == [{"calls": "1"}, {"calls": "2"}]


def test_failed_nested_and_ahead_of_time_misses_have_it_too() -> None:
    @watched_jit
    def f(x):
        if x.shape[0] > 3:
            raise ValueError
        return (x * x).sum()

    with context(step=1), pytest.raises(ValueError):
        f(jnp.ones(4))
    with context(step=2):
        jax.grad(f)(jnp.ones(3))
    with context(step=3):
        f.lower(jnp.ones(2))

    misses = recorder().misses_of(f.cache_stats().id)
    assert {(miss.kind, dict(miss.context)["step"]) for miss in misses} >= {
        ("call", "1"), ("nested", "2"), ("aot", "3"),
    }  # fmt: skip
    assert misses[0].failed == "ValueError"


def test_programs_of_no_watched_function_have_it_too() -> None:
    with jitwatch.recording() as block, context(step=3):
        jnp.ones(1234) * 2

    misses = block.snapshot().misses
    assert misses and all(miss.context == (("step", "3"),) for miss in misses)


def test_installed_watch_records_it() -> None:
    with jitwatch.watching():
        f = jax.jit(lambda x: x + 1)
    with jitwatch.recording() as block, context(step=3):
        f(np.ones(3))

    assert [miss.context for miss in block.snapshot().misses] == [(("step", "3"),)]


def test_callback_may_call_watched_functions_itself() -> None:
    loss = watched_jit(lambda x: x.sum())
    f = watched_jit(lambda x: x + 1)

    with context(lambda: {"loss": float(loss(np.ones(3)))}):
        f(np.ones(3))

    assert (contexts(f), contexts(loss)) == ([{"loss": "3.0"}], [{}])


@dataclasses.dataclass
class State:
    weights: Any


def test_array_is_neither_read_nor_kept() -> None:
    array = jnp.ones((8, 128))
    gone = weakref.ref(array)
    array.delete()  # whoever reads it now, fails

    with context(array=array, inside=[array], state=State(array), key=jax.random.key(0)):
        del array
        gc.collect()
        assert gone() is None
        texts = dict(current())

    assert texts["array"] == "float32[8,128]"
    assert texts["inside"] == "[float32[8,128]]"
    assert texts["state"] == "State(weights=float32[8,128])"
    assert texts["key"].startswith("key<")


def test_numpy_scalar_reads_like_a_number_and_a_tracer_like_an_array() -> None:
    texts = []

    @watched_jit
    def f(x):
        with context(step=np.int64(3), loss=np.float32(0.5), x=x):
            texts.append(current())
        return x

    f(jnp.ones(3))

    assert texts == [(("step", "3"), ("loss", "0.5"), ("x", "float32[3]"))]


def test_reports_say_when() -> None:
    @watched_jit
    def f(x):
        return x + 1

    for step, size in enumerate([3, 4, 4, 5, 6]):
        with context(step=step):
            f(np.ones(size))

    when = "when     step=4 (key 4), step=3 (key 3), step=1 (key 2), … 1 earlier"
    assert when in f.cache_report(width=100)
    assert when in jitwatch.report(width=100)
    (function,) = (
        one for one in json.loads(render(jitwatch.snapshot()))["functions"] if one["qualname"] == f.__qualname__
    )
    assert [miss["context"] for miss in function["misses"]] == [{"step": step} for step in "0134"]


def test_reset_begins_anew() -> None:
    f = watched_jit(lambda x: x + 1)
    with context(step=1):
        f(np.ones(3))

    jitwatch.reset()

    assert contexts(f) == []
    assert "when" not in f.cache_report()
    with context(step=2):
        f(np.ones(4))
    assert contexts(f) == [{"step": "2"}]


def test_data_file_keeps_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "data")
    f = watched_jit(lambda x: x + 1)

    with context(step=3):
        f(np.ones(3))
    writer.close()

    assert [miss.context for miss in load(tmp_path / "data").snapshot.misses] == [(("step", "3"),)]
