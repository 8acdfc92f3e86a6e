"""`explain_call`: what it foretells is what the call then does, and it compiles nothing itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from xla_runs import xla_runs

import jitwatch
from jitwatch import ExplainedCall, JitwatchError, explain_call, watched_jit
from jitwatch._capture.events.frames import thread_state

X = np.ones(5, np.float32)


def made() -> Any:
    def step(x, n=2):
        return x * n

    return watched_jit(step, static_argnames="n")


def then(f: Any, *args: Any, **kwargs: Any) -> str:
    """What a call does."""
    before = f.cache_info()
    f(*args, **kwargs)
    now = f.cache_info()
    names = {"compile": "compiles", "load": "loads", "reuse": "reused", "hit": "hits"}
    grown = [name for name, count in names.items() if getattr(now, count) > getattr(before, count)]
    return grown[0] if grown else "cached"


def test_a_first_call_compiles_and_the_next_one_hits() -> None:
    f = made()
    with xla_runs() as runs:
        first = explain_call(f, X)
        assert not runs
        assert then(f, X) == first.outcome == "compile"
        again = explain_call(f, X)
        assert then(f, X) == again.outcome == "hit"

    assert first.changes == () and first.program and not first.known and first.spent_s > 0
    assert again.spent_s == 0
    assert str(first).startswith("This call of step would compile.\n  It would be the first program of the function.")
    assert "would hit JAX's dispatch cache" in str(again)


def test_it_says_what_differs_from_the_nearest_key() -> None:
    f = made()
    f(X, n=2)

    shape, static = explain_call(f, X[1:], n=2), explain_call(f, X, n=3)

    assert (shape.outcome, shape.nearest) == ("compile", 1) and [each.cause for each in shape.changes] == ["shape"]
    assert [each.cause for each in static.changes] == ["static_value"]
    assert "Other than key 1: x: f32[5] → f32[4]" in str(shape)


def test_what_it_traced_and_lowered_the_call_need_not() -> None:
    f = made()
    explain_call(f, X)
    before = f.cache_info()
    f(X)
    now = f.cache_info()

    assert (before.traces, before.lowerings, before.compiles) == (1, 1, 0)
    assert (now.traces, now.compiles) == (1, 1)


def test_a_program_in_memory_is_not_compiled() -> None:
    f = made()
    f.lower(X).compile()

    found = explain_call(f, X)

    assert found.outcome == "cached" == then(f, X)


def test_a_program_that_was_cleared_is_compiled_again_or_reused() -> None:
    f = made()
    with jitwatch.reusing():
        f(X)
        jax.clear_caches()
        assert explain_call(f, X).outcome == "reuse" == then(f, X)
    jax.clear_caches()
    found = explain_call(f, X)

    assert found.outcome == "compile" == then(f, X)
    assert found.known and "jitwatch.reuse() would spare this one" in str(found)
    assert [each.cause for each in found.changes] == ["cache_cleared"]


def test_a_function_made_anew_is_told_as_known() -> None:
    made()(X)
    found = explain_call(made(), X)

    assert found.outcome == "compile" and found.known


def test_programs_that_call_back_are_compiled() -> None:
    def asking() -> Any:
        def step(x):
            return jax.pure_callback(lambda y: y, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

        return watched_jit(step)

    with jitwatch.reusing():
        asking()(X)
        found = explain_call(asking(), X)

    assert found.outcome == "compile" and not found.known


def test_settings_in_force_count() -> None:
    f = made()
    f(X)
    with jax.default_matmul_precision("highest"):
        found = explain_call(f, X)

    assert [each.cause for each in found.changes] == ["config_context"]


def test_frozen_programs_can_be_asked_about() -> None:
    f = made()
    with jitwatch.no_compiles():
        found = explain_call(f, X)

    assert found.outcome == "compile"


def test_what_the_function_raises_passes_and_leaves_nothing() -> None:
    def broken(x):
        raise KeyError("mine")

    f = watched_jit(broken)
    with pytest.raises(KeyError, match="mine"):
        explain_call(f, X)

    assert thread_state().stack == []


@pytest.mark.parametrize("function", [print, jax.jit(lambda x: x), None], ids=["builtin", "plain jit", "None"])
def test_what_is_not_watched_is_refused(function: Any) -> None:
    with pytest.raises(JitwatchError, match="is not a watched function; give one made by watched_jit"):
        explain_call(function, X)


def test_names_of_the_program_reach_no_terminal_raw() -> None:
    found = ExplainedCall("f\x1b[2J", "compile", (), None, "", False, 0.1)

    assert "\x1b" not in str(found)


def test_the_persistent_cache_is_asked(tmp_path: Path) -> None:
    program = f"""
import jax, numpy as np, jitwatch, json
jax.config.update("jax_compilation_cache_dir", {str(tmp_path / "cache")!r})
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
f = jitwatch.watched_jit(lambda x: x * 2)
x = np.ones(3, np.float32)
told = jitwatch.explain_call(f, x).outcome
f(x)
info = f.cache_info()
print(json.dumps([told, info.compiles, info.loads]))
"""

    def start() -> Any:
        command = [sys.executable, "-c", program]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert [start(), start()] == [["compile", 1, 0], ["load", 0, 1]]
