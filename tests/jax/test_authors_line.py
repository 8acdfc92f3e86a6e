"""Whose line and whose function a report names: the author's, whatever libraries stand between them and JAX."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._capture.functions.identity import definition_of, qualified_name

HERE = __file__
LIBRARY = """
import jax
import jax.numpy as jnp


def solve(f, x):
    return f(x) + jnp.ones(x.shape[0] + 1).sum()


def transform(f):
    def apply_fn(params, x):
        return f(params * x)

    return apply_fn


class Module:
    def apply(self, x):
        return self(x)


def main():
    return solve(abs, jnp.ones(21))
"""
IN_SOLVE = "    return f(x) + jnp.ones(x.shape[0] + 1).sum()"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes a package in a folder, and imports it."""
    made = []

    def make(name: str, folder: str) -> Any:
        path = tmp_path / folder / name
        path.mkdir(parents=True)
        (path / "__init__.py").write_text(LIBRARY)
        monkeypatch.syspath_prepend(str(path.parent))
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


def misses_of(run: Callable[[], Any]) -> set[tuple[str, str]]:
    """Place and library of the programs that something compiles."""
    jax.clear_caches()
    with jitwatch.watching(), jitwatch.recording() as recorded:
        run()
    return {(miss.call_site, miss.library) for miss in recorded.snapshot().misses if miss.stages.compiles}


def line_of(function: Callable[..., Any]) -> str:
    return f"{HERE}:{function.__code__.co_firstlineno}"


def test_frames_of_an_installed_package_are_its_own(package: Any) -> None:
    library = package("somesolver", "lib/python3.11/site-packages")
    x = np.ones(3, np.float32)

    run = lambda: library.solve(abs, x)

    assert misses_of(run) == {(line_of(run), "somesolver")}


def test_frames_of_a_package_elsewhere_are_the_authors(package: Any) -> None:
    mine = package("mysolver", "src")
    line = f"{mine.__file__}:{LIBRARY.splitlines().index(IN_SOLVE) + 1}"

    assert misses_of(lambda: mine.solve(abs, np.ones(3, np.float32))) == {(line, "")}


def test_a_function_that_a_library_calls_back_is_the_authors(package: Any) -> None:
    library = package("othersolver", "site-packages")
    mine = lambda x: jnp.sin(jnp.asarray(x)).sum()
    call = lambda: library.solve(mine, np.ones(5, np.float32))

    assert misses_of(call) == {(line_of(mine), ""), (line_of(call), "othersolver")}


def test_frames_of_the_standard_library_are_passed_through() -> None:
    key = lambda x: float(jnp.cos(x))

    assert misses_of(lambda: functools.reduce(lambda a, b: a, sorted([2.0, 1.0], key=key))) == {(line_of(key), "")}


def test_generated_code_is_nobodys_line() -> None:
    @dataclasses.dataclass
    class State:
        x: Any = dataclasses.field(default_factory=functools.partial(jnp.zeros, 31))

    make = lambda: State()

    assert misses_of(make) == {(line_of(make), "")}


def test_an_installed_program_has_lines_of_its_own(package: Any) -> None:
    program = package("tool", "site-packages")

    def in_thread() -> None:  # whose stack has no frame of the test's
        thread = threading.Thread(target=program.main)
        thread.start()
        thread.join()

    assert {(place.startswith(program.__file__), library) for place, library in misses_of(in_thread)} == {(True, "")}


def forward(x: Any) -> Any:
    return x.sum()


def test_what_a_library_makes_of_a_function_is_told_by_the_function(package: Any) -> None:
    library = package("nets", "site-packages")
    wrapped = library.transform(forward)

    class Net(library.Module):
        def __call__(self, x: Any) -> Any:
            return x * 2

    assert qualified_name(wrapped, "apply_fn") == "apply_fn(forward)"
    assert definition_of(wrapped) == line_of(forward)
    assert qualified_name(Net().apply, "apply") == f"apply({Net.__qualname__})"
    assert definition_of(Net().apply) == line_of(Net.__call__)


def test_a_librarys_jitted_function_stands_for_that_of_its_calls(package: Any) -> None:
    library = package("odes", "site-packages")
    plain = library.solve
    other = lambda x: x * 3
    solve = watched_jit(plain, static_argnums=0)
    x = jnp.ones(3)

    solve(forward, x)
    one = solve.cache_stats()
    solve(other, x)
    two = solve.cache_stats()

    assert (one.qualname, one.defined_at) == ("solve(forward)", line_of(forward))
    assert (two.qualname, two.defined_at) == ("solve", f"{library.__file__}:{plain.__code__.co_firstlineno}")


def test_what_has_no_name_is_told_by_its_line() -> None:
    nameless = watched_jit(lambda x: x + 1)

    class Called:
        def __call__(self, x: Any) -> Any:
            return x

    called = watched_jit(Called())
    nameless(1.0)
    called(1.0)

    line, of_called = (stats.cache_stats().defined_at.rpartition(":")[2] for stats in (nameless, called))
    assert nameless.cache_report().splitlines()[0].endswith(f"test_authors_line.py:{line}")
    assert nameless.cache_report().startswith("lambda at ")
    assert called.cache_report().startswith("function at ")
    assert called.cache_report().splitlines()[0].endswith(f"test_authors_line.py:{of_called}")
