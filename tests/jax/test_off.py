"""With `JITWATCH_MODE=off` all of jitwatch exists and does no harm."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit

X = np.ones(3, np.float32)


@pytest.fixture(autouse=True)
def off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MODE", "off")


def make(**options: Any) -> Any:
    return watched_jit(lambda x, n=1: x * n, static_argnames="n", **options)


def test_methods_of_a_function_count_nothing() -> None:
    f = make(max_compiles=1, on_excess="raise", expect=[{"x": (3,)}])
    f(X), f(X[:2])

    assert set(f.cache_info()) == {0}
    assert f.cache_keys() == [] and f.check() == [] and f.heal() == 0
    assert f.cache_stats().misses == 0
    assert "jitwatch is off (mode 'off' from the environment variable JITWATCH_MODE)" in f.cache_report()
    assert "jitwatch is off" in f.diff_keys(1, 2)
    assert f.cache_key(X, n=2) == f.cache_key(X, n=2) != f.cache_key(X, n=3)


@pytest.mark.parametrize("options", [{}, {"run": False}, {"threads": 2}], ids=str)
def test_warm_up_makes_the_calls(options: dict[str, Any], backend_compiles: list[str]) -> None:
    traced = []

    @watched_jit
    def warmed(x: Any) -> Any:
        traced.append(x.shape)
        return x + 1

    compiled = warmed.warm_up([jitwatch.spec(jax.ShapeDtypeStruct((n,), "float32")) for n in (2, 3)], **options)
    made = len(backend_compiles)
    warmed(X), warmed(X[:2])

    assert (compiled, traced) == (0, [(2,), (3,)])
    assert backend_compiles[made:] == [] or options == {"run": False}


def test_warm_up_of_a_function_that_nobody_holds() -> None:
    def fun(x: Any) -> Any:
        return x + 1

    watched_jit(fun).warm_up(jitwatch.spec(X))

    assert watched_jit(fun)(X).shape == (3,)


def test_a_function_is_freed_as_without_jitwatch() -> None:
    def one() -> Any:
        held = np.ones(3)
        f = watched_jit(lambda x: x + held)
        f.cache_info()
        return weakref.ref(held)

    gc.disable()
    try:
        assert one()() is None
    finally:
        gc.enable()


FORBIDDING: dict[str, Callable[[Any], Any]] = {
    "freeze": lambda f: (jitwatch.freeze(), f(X), jnp.arange(17)),
    "freeze of a function": lambda f: (jitwatch.freeze(f), f(X)),
    "freeze of a name": lambda f: (jitwatch.freeze("nothing_has_this_name"), f(X)),
    "no_compiles": lambda f: jitwatch.no_compiles()(f)(X),
    "no_compiles of a function": lambda f: jitwatch.no_compiles(f)(f)(X),
    "unfreeze": lambda f: jitwatch.unfreeze(),
}


@pytest.mark.parametrize("what", FORBIDDING)
def test_nothing_is_forbidden(what: str) -> None:
    try:
        FORBIDDING[what](make())
    finally:
        jitwatch.unfreeze()


def test_nothing_is_watched() -> None:
    jitwatch.install()
    try:
        with jitwatch.watching(count_hits=True):
            f = jax.jit(lambda x: x + 1)
        assert not hasattr(f, "cache_info")
        assert jax.jit.__module__.startswith("jax")
    finally:
        jitwatch.uninstall()


def test_blocks_and_reports_are_empty() -> None:
    with jitwatch.recording() as counts, jitwatch.call_log() as lines, jitwatch.context(step=1):
        make()(X)

    assert (counts.compiles(), lines) == (0, [])
    assert counts.report() == jitwatch.report() and jitwatch.report().startswith("jitwatch is off (mode 'off'")
    assert str(jitwatch.explain_call(make(), X)).endswith("jitwatch is off.")
    jitwatch.reset()


def test_mistakes_are_still_told() -> None:
    with pytest.raises(jitwatch.JitwatchError, match="on_excess is 'stop'"):
        jitwatch.freeze(on_excess="stop")
    with pytest.raises(jitwatch.JitwatchError, match="max_compiles"):
        make(max_compiles=0)


CHILD = (
    "import jax, jitwatch; print(hasattr(jitwatch.watched_jit(lambda x: x), '_jitwatch'), jitwatch._config.is_off())"
)


@pytest.mark.parametrize(("mode", "said"), [("off", "False True"), ("warn", "True False"), ("error", "True False")])
def test_run_hands_its_mode_on(mode: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        f"import subprocess, sys\nexec({CHILD!r})\nsubprocess.run([sys.executable, '-c', {CHILD!r}], check=True)\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "jitwatch", "run", "--quiet", "--mode", mode, "program.py"], cwd=tmp_path,
        env={**os.environ, "JITWATCH_MODE": "warn"}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert sorted(done.stdout.splitlines()) == [said, said]


def test_mode_error_of_run_raises_in_the_program(tmp_path: Path) -> None:
    code = "import jax, numpy as np\nf = jax.jit(lambda x: x + 1)\nfor n in range(1, 6): f(np.ones(n))\n"

    done = subprocess.run(
        [sys.executable, "-m", "jitwatch", "run", "--quiet", "--mode", "error", "-c", code], cwd=tmp_path,
        env={**os.environ, "JITWATCH_MAX_COMPILES": "2"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "RecompilationError" in done.stderr
