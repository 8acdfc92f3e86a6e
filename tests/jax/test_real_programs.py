"""Unmodified programs of libraries built on JAX: same output under `jitwatch run`, the user's lines in the report."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
PACKAGE = Path(__file__).parents[2]
LINES = {
    "diffrax_ode": ("diffrax", "solve", "diffrax_ode.py:8"),
    "equinox_mlp": ("equinox", "predict", "equinox_mlp.py:10"),
    "flax_nnx": ("flax", "train_step", "flax_nnx.py:18"),
    "numpyro_mcmc": ("numpyro", "", "numpyro_mcmc.py:17"),
    "optax_fit": ("optax", "step", "optax_fit.py:10"),
}


@pytest.mark.parametrize("name", LINES)
def test_program_runs_as_before_and_its_lines_are_reported(name: str, tmp_path: Path) -> None:
    package, function, line = LINES[name]
    pytest.importorskip(package)
    importlib.import_module(package)
    program = str(PROGRAMS / f"{name}.py")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "XLA_FLAGS": ""}

    plain, watched = (
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        for command in (
            [sys.executable, program],
            [sys.executable, "-m", "jitwatch", "run", "--json", "report.json", program],
        )
    )

    assert (watched.returncode, watched.stdout) == (plain.returncode, plain.stdout)
    assert line in watched.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["faults"] == 0
    assert all(miss["call_site"].startswith(program) for each in report["functions"] for miss in each["misses"])
    if function:
        (found,) = (each for each in report["functions"] if each["name"] == function and each["kind"] == "jitted")
        assert found["defined_at"].endswith(line)


WATCHED = """
import runpy, sys
import jax, jitwatch

jax.jit = jitwatch.watched_jit
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("name", LINES)
def test_program_gives_no_warning_under_watched_jit(name: str, tmp_path: Path) -> None:
    pytest.importorskip(LINES[name][0])
    command = [sys.executable, "-W", "error::jitwatch.RecompilationWarning", "-c", WATCHED]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "XLA_FLAGS": ""}

    done = subprocess.run(
        [*command, str(PROGRAMS / f"{name}.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout and done.returncode in (0, 3), done.stderr  # one of them ends with status 3
    assert "Warning: " not in done.stderr
