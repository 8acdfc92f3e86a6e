"""An entry of the persistent cache says what its program takes and returns, so that other data is told from another key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax._src import compilation_cache

from jitwatch import watched_jit
from jitwatch._capture import jax_internals
from jitwatch._capture.events import persistent

SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A persistent cache that keeps everything."""
    before = {name: getattr(jax.config, name) for name in (*SETTINGS, "jax_compilation_cache_dir")}
    for name, value in (SETTINGS | {"jax_compilation_cache_dir": str(tmp_path)}).items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def step(value: float, size: int) -> Any:
    """A function of this name, as one start of a program makes it."""

    def stored_step(x: Any) -> Any:
        return x * value

    f = watched_jit(stored_step)
    f(np.ones(size, np.float32))
    return f


def test_entry_says_what_its_program_takes_and_returns(folder: Path) -> None:
    step(2.0, 3)
    (entry,) = folder.glob("jit_stored_step-*-cache")

    assert jax_internals.entry_signature(entry.read_bytes()) == "(f32[3]{0})->f32[3]{0}"


@pytest.mark.parametrize(("value", "size", "codes"), [(2.0, 4, []), (3.0, 3, ["JW501"])], ids=["data", "key"])
def test_entry_of_other_data_is_no_other_key(
    value: float, size: int, codes: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(2.0, 3)
    time.sleep(0.05)  # so that the times of files tell the starts apart
    monkeypatch.setattr(persistent, "_STARTED_UNIX_S", time.time() - 0.02)
    persistent._programs_at_start.cache_clear()

    found = step(value, size).check()

    assert [finding.code for finding in found if finding.code.startswith("JW5")] == codes


def test_what_is_no_entry_has_no_signature(folder: Path) -> None:
    (folder / "jit_stored_step-x-cache").write_bytes(b"not an entry")

    assert persistent._signature(str(folder / "jit_stored_step-x-cache"), 0.0) == ""
    assert persistent._signature(str(folder / "missing"), 0.0) == ""
