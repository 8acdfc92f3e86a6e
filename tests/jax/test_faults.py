"""Each function inside jitwatch fails in turn: the watched program goes on as without it, and the fault is told once."""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import pkgutil
import subprocess
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._api.start import begin
from jitwatch._capture import jax_internals
from jitwatch._state import State

pytestmark = pytest.mark.faults
MODULES = ("_api", "_capture", "_explain", "_hub", "_judge", "_policy", "_record", "_words")
ASKED_FOR = {
    "watched_jit", "freeze", "unfreeze", "no_compiles", "call_log", "snapshot", "reset", "report", "recording",
    "subscribe", "context", "spec", "reuse", "reusing", "_reusing", "watch", "install", "uninstall", "watching",
    "_watching", "_recording",
}  # fmt: skip
"""Functions that the program calls itself, and so can fail in."""
THE_PROGRAM_ITSELF = {
    "Body.__call__", "Body.function", "plain_jit", "_jit", "call_as", "Watch.ahead", "Watch.compile_lowered", "Reuse.executable", "_around_xla",
    "_OwnAttributes.keys", "_Installation.begin", "_Installation.end", "_Installation.apply",
}  # fmt: skip
"""What stands for the user's function, for one of JAX's or for what the program called, and does nothing besides."""
LISTENERS = {"_on_event", "_on_duration", "_on_begin"}
"""What JAX calls is looked up by name at each miss, so that JAX would be given what the test puts there."""
LOOKED_UP = {"thread_state", "push", "Frame.is_under_way", "observer", "bans"}
"""A part of the state, or an end of a list: nothing of the user's runs, and a guard would cost more."""
RAISES_ON_PURPOSE = {
    "before", "before_trace", "ask", "_before_xla", "Watch.speak", "Live.before", "Live.say", "act", "_warn",
}  # fmt: skip
"""By which an alert reaches the user's call as an exception, and which do nothing else that could fail."""
NOT_FAULTS = THE_PROGRAM_ITSELF | LOOKED_UP | RAISES_ON_PURPOSE | LISTENERS
TAKEN_FOR_AN_ANSWER = {
    "_capture.jax_internals.value_signature", "_capture.keys.static_parts.children", "_capture.keys.values._text_of",
    "_capture.keys.values._is_short",
}  # fmt: skip
"""That it raises says that a value is nothing that JAX takes, or one of the user's that cannot be shown."""


class Injected(MemoryError):
    """What the functions raise."""


def functions_of(module: types.ModuleType) -> Iterator[tuple[str, Any, str]]:
    """The functions and methods that a module defines: qualified name, where it stands, attribute."""
    for name, value in tuple(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__ or name in ASKED_FOR | NOT_FAULTS:
            continue
        if inspect.isclass(value) and not issubclass(value, BaseException):
            for method, each in tuple(vars(value).items()):
                is_function = isinstance(each, types.FunctionType) and not method.startswith("__")
                if is_function and f"{name}.{method}" not in NOT_FAULTS:
                    yield f"{name}.{method}", value, method
        elif callable(value) and not inspect.isclass(value):
            yield name, module, name


def all_functions() -> dict[str, tuple[Any, str]]:
    found = {}
    for module in pkgutil.walk_packages(jitwatch.__path__, "jitwatch."):
        short = module.name.removeprefix("jitwatch.")
        if short.partition(".")[0] in MODULES:
            for name, owner, attribute in functions_of(importlib.import_module(module.name)):
                found[f"{short}.{name}"] = owner, attribute
    return found


FUNCTIONS = all_functions()


def fails_everywhere(monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str) -> list[int]:
    """Make a function raise wherever a name of jitwatch's refers to it; returns its calls."""
    original = getattr(owner, attribute)
    calls: list[int] = []

    def fail(*_: Any, **__: Any) -> Any:
        calls.append(1)
        raise Injected(attribute)

    raw = vars(owner)[attribute]
    monkeypatch.setattr(owner, attribute, staticmethod(fail) if isinstance(raw, staticmethod) else fail)
    if isinstance(owner, types.ModuleType):
        for name, module in tuple(sys.modules.items()):
            if name.startswith("jitwatch"):
                for key, value in tuple(vars(module).items()):
                    if value is original:
                        monkeypatch.setattr(module, key, fail)
    return calls


def program(jit: Callable[..., Any]) -> list[Any]:
    """Hits, misses of all kinds, nested calls, failures, eager operations, and what is done ahead of time."""
    results: list[Any] = []

    def note(call: Callable[[], Any]) -> None:
        try:
            results.append(jax.tree_util.tree_map(lambda leaf: np.asarray(leaf).tolist(), call()))
        except Injected:
            raise
        except Exception as error:
            results.append(type(error).__name__)

    @jit
    def f(x: Any) -> Any:
        return jax.tree_util.tree_map(lambda leaf: leaf * 2, x)

    for size in (3, 5, 3, 7):
        note(lambda size=size: f(np.ones(size, np.float32)))
    note(lambda: f({"a": jnp.float32(1), "b": None}))
    note(lambda: f("text"))
    note(lambda: jax.vmap(f)(np.ones((2, 3), np.float32)))
    note(lambda: f.lower(np.ones(2, np.float32)).compile()(np.ones(2, np.float32)))
    note(lambda: jnp.arange(3) + 1)
    return results


def short_program(jit: Callable[..., Any]) -> list[Any]:
    """A miss, a hit, and what is done ahead of time, with a static argument."""
    g = jit(lambda x, n: x + n, static_argnames="n")
    return [float(g(2.0, n=1)), float(g(2.0, n=1)), str(g.lower(2.0, n=1).out_info)]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    return program(jax.jit) + short_program(jax.jit)


@pytest.fixture(autouse=True)
def whole_again() -> Iterator[None]:
    """Undo what a function that failed left behind, so that other tests of this process are not concerned."""
    ahead = jax_internals.ahead_functions()
    places = [
        (module, name)
        for module in tuple(sys.modules.values())
        if isinstance(module, types.ModuleType)
        for name, value in tuple(vars(module).items())
        if value is jax_internals.plain_jit
    ]
    yield
    for module, name in places:
        setattr(module, name, jax_internals.plain_jit)
    jax_internals.set_ahead_functions(ahead)


@pytest.fixture(autouse=True)
def no_fault_yet(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_WARN_COMPILES", "1")
    begin()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The places at which a fault was logged."""
    return [str(record.args[0]) for record in caplog.records if "jitwatch failed in" in str(record.msg) and record.args]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_program_goes_on_where_a_function_of_jitwatchs_fails(
    name: str, expected: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        pytest.MonkeyPatch.context() as failing,
        warnings.catch_warnings(),
        caplog.at_level(logging.ERROR, logger="jitwatch"),
    ):
        warnings.simplefilter("ignore", jitwatch.RecompilationWarning)
        calls = fails_everywhere(failing, *FUNCTIONS[name])
        found = program(watched_jit)
        with jitwatch.watching():
            found += short_program(jax.jit)

    assert found == expected
    places = told(caplog)
    assert bool(places) or not calls or name in TAKEN_FOR_AN_ANSWER
    assert len(places) == len(set(places))


def test_functions_are_found() -> None:
    assert len(FUNCTIONS) > 300
    assert {
        "_capture.hook.watch.Watch.end",
        "_judge.judge.judge",
        "_record.function_record.FunctionRecord.add",
    } <= FUNCTIONS.keys()


RUN = """
import sys, jax, numpy as np
from jitwatch import watched_jit
f = watched_jit(lambda x: x * 2)
for size in range(3, 13):
    print(f(np.ones(size, np.float32)).sum())
"""


def result_of(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])} | options.pop("env", {})
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False, **options)


@pytest.mark.parametrize("trouble", ["closed stderr", "full stderr", "full disk", "folder gone"])
def test_program_prints_what_it_prints_whatever_happens_to_the_outputs(trouble: str, tmp_path: Path) -> None:
    expected = result_of(sys.executable, "-W", "ignore", "-c", RUN, env={"JITWATCH_MODE": "off"})
    folder = tmp_path / "data"
    folder.mkdir()
    program = RUN
    redirect, data_file = "", str(folder / "data.jitwatch")
    if trouble == "closed stderr":
        redirect = "2>&-"
    elif trouble == "full stderr":
        redirect = "2>/dev/full"
    elif trouble == "full disk":
        data_file = "/dev/full"
    else:
        program = f"import shutil; shutil.rmtree({str(folder)!r})\n" + program
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    command = f"{sys.executable} -m jitwatch run -o {data_file} {script} {redirect}"

    done = result_of("/bin/sh", "-c", command, stderr=subprocess.DEVNULL)

    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout) != (0, "")
