"""A program before and after a change, run and compared as in a CI job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
BEFORE = """
import jax, numpy
@jax.jit
def step(x):
    return x * 2
@jax.jit
def evaluate(x):
    return x + 1
for _ in range(4):
    step(numpy.ones(4, 'float32'))
evaluate(numpy.ones(4, 'float32'))
"""
AFTER = "# a line that moves the others\n" + BEFORE.replace(
    "ones(4, 'float32'))\nevaluate", "ones(_ + 4, 'float32'))\nevaluate"
)


def jitwatch(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JITWATCH")}
    return subprocess.run(
        [sys.executable, "-m", "jitwatch", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**inherited, "PYTHONPATH": str(PACKAGE)},
    )  # fmt: skip


def test_a_change_that_recompiles_is_found_and_told(tmp_path: Path) -> None:
    for name, program in (("base", BEFORE), ("branch", AFTER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.py").write_text(program)
        jitwatch(tmp_path / name, "run", "--quiet", "-o", f"../{name}.jitwatch", "train.py")
    jitwatch(tmp_path / "base", "check", "--budget", "budget.toml", "--update", "../base.jitwatch")
    (tmp_path / "branch" / "budget.toml").write_text((tmp_path / "base" / "budget.toml").read_text())

    same = jitwatch(tmp_path, "diff", "base.jitwatch", "base.jitwatch", "--fail-on", "any")
    diff = jitwatch(tmp_path, "diff", "base.jitwatch", "branch.jitwatch", "--fail-on", "increase", "--format", "json")
    checks = [
        jitwatch(tmp_path / name, "check", "--budget", "budget.toml", f"../{name}.jitwatch")
        for name in ("base", "branch")
    ]

    assert (same.returncode, diff.returncode, *(check.returncode for check in checks)) == (0, 2, 0, 2)
    found = {pair["name"]: pair for pair in json.loads(diff.stdout)["functions"]}
    assert (found["step"]["status"], found["evaluate"]["status"]) == ("more", "same")
    assert found["step"]["before"]["causes"] == {"first": 1}
    assert found["step"]["after"]["causes"] == {"first": 1, "shape": 3}
    assert "step (train.py): 4 compiles; its budget is 1" in checks[1].stdout
    assert "x: f32[4] → f32[5] (axis 0: 4 → 5)" in checks[1].stdout
    assert "at train.py:11" in checks[1].stdout
