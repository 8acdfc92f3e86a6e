"""The digits example started again with the cache settings that its report advises: what was promised comes true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "train_digits.py"


def start(folder: Path, settings: dict[str, str]) -> tuple[str, Any]:
    """One start of the example: its text report, and what the JSON report says of the next start."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "XLA_FLAGS": "", **settings}
    command = [sys.executable, "-m", "jitwatch", "run", "--json", "report.json", str(EXAMPLE)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stderr, json.loads((folder / "report.json").read_text())["next_start"]


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Without a cache, with the settings that are advised then, and with them again."""
    pytest.importorskip("sklearn")
    pytest.importorskip("optax")
    folder = tmp_path_factory.mktemp("digits")
    text, first = start(folder, {})
    advised = re.search(r"^ *set: (.*)$", text, re.MULTILINE)
    assert advised is not None, text
    settings = dict(each.split("=") for each in advised[1].split())
    assert settings["JAX_COMPILATION_CACHE_DIR"] == "/a/folder"
    settings["JAX_COMPILATION_CACHE_DIR"] = str(folder / "cache")
    return [first, *(start(folder, settings)[1] for _ in range(2))]


@pytest.mark.slow
def test_the_second_start_with_the_advised_settings_compiles_nothing(starts: list[Any]) -> None:
    advising, filling, last = starts
    (best,) = (one for one in advising["served"] if one["min_compile_s"] == advising["advised_s"])

    assert filling["cache_on"] and not filling["loads"] and not filling["not_kept"]
    assert last["compile_s"] == 0 and not last["not_kept"]
    assert last["loads"] == best["programs"]


@pytest.mark.benchmark
def test_the_saving_is_what_the_report_before_said(starts: list[Any]) -> None:
    advising, filling, last = starts
    (best,) = (one for one in advising["served"] if one["min_compile_s"] == advising["advised_s"])
    promised_s = best["saved_s"] / advising["compile_s"] * filling["compile_s"]
    saved_s = filling["compile_s"] - last["compile_s"] - last["load_s"]

    print(
        f"\nsaved {saved_s:.2f} of {filling['compile_s']:.2f} s; said to go into the cache {filling['kept_s']:.2f} s, "
        f"said before there was one {promised_s:.2f} s"
    )
    assert abs(promised_s - saved_s) <= 0.2 * saved_s
    assert abs(filling["kept_s"] - saved_s) <= 0.2 * saved_s
