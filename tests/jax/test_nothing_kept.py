"""Nothing is kept alive by being watched, whichever way it came to be, with the cycle collector on."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from kept_programs import CASES, kept, megabytes_left

import jitwatch

WAYS = ["jax.jit", "watched_jit", "install", "install, hits counted"]


@pytest.fixture(params=WAYS)
def jit(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What to jit with; plain `jax.jit` is there to show that the programs keep nothing by themselves."""
    if request.param.startswith("install"):
        with jitwatch.watching(count_hits="hits" in request.param):
            yield jax.jit
    else:
        yield jitwatch.watched_jit if request.param == "watched_jit" else jax.jit


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::jitwatch.RecompilationWarning")
def test_nothing_is_kept(name: str, jit: Any) -> None:
    assert kept(name, jit) == 0


def run(folder: Any, trainers: int) -> str:
    """What the programs print under `jitwatch run`."""
    program = str(Path(__file__).with_name("kept_programs.py"))
    command = [sys.executable, "-W", "ignore", "-m", "jitwatch", "run", program, str(trainers)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_nothing_is_kept_under_jitwatch_run(tmp_path: Path) -> None:
    assert "kept: [] 0.0" in run(tmp_path, 12)


def test_a_megabyte_of_each_trainer_goes_with_it(jit: Any) -> None:
    assert megabytes_left(jit, 12) == 0


@pytest.mark.benchmark
def test_two_hundred_trainers_leave_nothing(jit: Any, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """As with plain JAX: no record, cache or frame grows by what 200 trainers hold. Some 30 s each."""
    if "jax.jit" in request.node.callspec.id:
        assert "kept: [] 0.0" in run(tmp_path, 200)
    assert megabytes_left(jit, 200) == 0


def test_the_check_can_fail() -> None:
    keep: list[Any] = []

    def leaking(function: Any) -> Any:
        keep.append(function)
        return jax.jit(function)

    assert kept("method", leaking) == 4
    assert megabytes_left(leaking, 2) == 2
    keep.clear()
    gc.collect()
