"""What the report says of programs of one shape each, whole, with the same seconds on every machine."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import msgspec
import pytest

import jitwatch
from jitwatch._model import Build, CallSite, Snapshot, Stages
from jitwatch._report.recording.text import render

PROGRAMS = Path(__file__).parents[1] / "programs"
TRACE_S, LOWER_S, COMPILE_S = 0.01, 0.02, 0.1
WHOLE_S = TRACE_S + LOWER_S + COMPILE_S


def steady(value: Any) -> Any:
    """A recording as if each stage always took as long, on one version of JAX and Python."""
    if isinstance(value, tuple):
        return tuple(map(steady, value))
    if isinstance(value, Stages):
        return msgspec.structs.replace(
            value,
            trace_s=TRACE_S * value.traces,
            lower_s=LOWER_S * value.lowerings,
            compile_s=COMPILE_S * value.compiles,
        )
    if not isinstance(value, msgspec.Struct):
        return value
    changed = {name: steady(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Build):
        changed |= {"lost_s": WHOLE_S * value.count, "compile_s": COMPILE_S * value.count}
    if isinstance(value, CallSite):
        changed["lost_s"] = WHOLE_S * value.misses
    if isinstance(value, Snapshot):
        changed |= {"jax_version": "0.0.0", "python_version": "3.0.0", "wall_s": 60.0, "unix_s": 0.0}
    return type(value)(**changed)


def watched(run: Callable[[], Any]) -> str:
    """The report of what runs."""
    with jitwatch.watching(count_hits=True), jitwatch.recording() as recorded:
        run()
    data = recorded.snapshot()
    used = tuple(one for one in data.functions if one.misses)  # and not those of earlier tests
    return render(steady(msgspec.structs.replace(data, functions=used)), width=100)


def test_many_objects_of_one_definition(check_golden: Callable[[str, str], None]) -> None:
    check_golden("shape_many_objects.txt", watched(lambda: runpy.run_path(str(PROGRAMS / "many_objects.py"))))


CELLS = (
    "import jax, numpy as np",
    "@jax.jit\ndef total(x):\n    return (x * x).sum()",
    "# lengths as the data has them\nfor n in (5, 7, 9, 11, 13, 15, 17, 19):\n    total(np.ones(n, np.float32))",
    "for rate in (0.1, 0.2, 0.3, 0.4):\n    jax.jit(lambda x: x * 0.5)(np.ones(3, np.float32))",
)


@pytest.fixture
def run_cells() -> Any:
    """What runs cells as a notebook does."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.instance()
    shell.history_manager.enabled = False

    def run(cells: Sequence[str]) -> None:
        for cell in cells:
            shell.run_cell(cell, store_history=True).raise_error()

    yield run
    shells.InteractiveShell.clear_instance()


def test_notebook(run_cells: Any, check_golden: Callable[[str, str], None]) -> None:
    check_golden("shape_notebook.txt", watched(lambda: run_cells(CELLS)))


@pytest.mark.skipif(jax.__version_info__[:2] != (0, 10), reason="other versions of JAX have other eager operations")
@pytest.mark.parametrize("name", ["eager_flood", "library_solver"])
def test_eager_work(name: str, check_golden: Callable[[str, str], None]) -> None:
    jax.clear_caches()  # what earlier tests compiled would be missing
    check_golden(
        f"shape_{name}.txt", watched(lambda: runpy.run_path(str(PROGRAMS / f"{name}.py"), run_name="__main__"))
    )
