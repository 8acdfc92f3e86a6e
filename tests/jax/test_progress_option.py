"""When long compiles are announced: the option, and whole processes with it: at their end, and forked."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import jitwatch
from jitwatch import JitwatchError, _config
from jitwatch._policy import progress
from jitwatch._policy.progress import Announcer, decide
from jitwatch._state import State

TIMEOUT_S = 60.0
ROOT = Path(jitwatch.__file__).parents[1]


@pytest.fixture
def announcer(state: State) -> Announcer:
    return progress.announcer()


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=TIMEOUT_S,
        check=False, env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **environment},
    )  # fmt: skip


def test_environment_switches_it_on_and_the_interpreter_ends_in_the_middle_of_a_trace() -> None:
    done = run(
        """
        import threading, time, numpy as np, jitwatch
        from jitwatch._policy.progress import announcer

        @jitwatch.watched_jit
        def step(x):
            time.sleep(1000)

        threading.Thread(target=step, args=(np.ones(3),), daemon=True).start()
        while not any(call.written for call in list(announcer()._calls.values())):
            time.sleep(0.01)
        time.sleep(0.3)
        """,
        JITWATCH_PROGRESS_S="0.05",
    )

    assert done.returncode == 0
    assert re.match(r"jitwatch: tracing step \(x f32\[3\]\) at <string>:5, \d\.\d s so far …\n", done.stderr)


def test_it_is_off_where_standard_error_is_no_terminal() -> None:
    done = run(
        """
        import numpy as np, threading, jitwatch
        from jitwatch._policy.progress import announcer

        jitwatch.watched_jit(lambda x: x)(np.ones(3))
        print(announcer().after_s, [thread.name for thread in threading.enumerate()])
        """
    )

    assert (done.stdout, done.stderr) == ("0.0 ['MainThread']\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_process_announces_its_own_calls() -> None:
    # Nothing of JAX runs in the parent, whose threads would be missing in the child.
    done = run(
        """
        import os, sys, time, warnings, jitwatch
        from jitwatch._capture.events.frames import Frame
        from jitwatch._policy.progress import announcer
        warnings.simplefilter("ignore")

        def call(name):
            frame = Frame("call", jitwatch.watched_jit(eval("lambda x: x")).cache_info.__self__.watch.record)
            frame.function.name = name
            frame.own.lowerings = 1
            frame.stack.append(frame)
            announcer().began(frame)
            while not all(call.written for call in list(announcer()._calls.values())):
                time.sleep(0.01)
            time.sleep(0.3)
            return frame

        parents = call("parents")
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            announcer().ended(parents)
            childs = call("childs")
            announcer().ended(childs)
            os._exit(0)
        announcer().ended(parents)
        """,
        JITWATCH_PROGRESS_S="0.1",
    )

    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith("jitwatch: compiling parents at ")
    assert sum(line.startswith("jitwatch: compiling childs at ") for line in lines) >= 1
    assert sum(line.startswith("jitwatch: traced childs in ") for line in lines) == 1
    assert lines[-1].startswith("jitwatch: traced parents in ")
    assert sum(line.startswith("jitwatch: traced parents in ") for line in lines) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("value", "terminal", "expected"),
    [("", True, 10.0), ("", False, 0.0), ("0", True, 0.0), ("2.5", False, 2.5), ("3", True, 3.0)],
)
def test_option_decides(
    value: str, terminal: bool, expected: float, announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JITWATCH_PROGRESS_S", value)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())

    decide()

    assert announcer.after_s == expected


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "soon"])
def test_bad_option_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_PROGRESS_S", value)

    with pytest.raises(JitwatchError, match="'progress_s'; valid is seconds until a long compile"):
        decide()


@pytest.mark.parametrize("value", [True, [1], -0.5])
def test_bad_value_in_a_file_is_refused(value: Any) -> None:
    with pytest.raises(JitwatchError, match="progress_s"):
        _config.option("progress_s", value)


@pytest.mark.parametrize("stream", [None, object()])
def test_standard_error_that_is_none_or_odd_is_no_terminal(
    stream: Any, announcer: Announcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JITWATCH_PROGRESS_S", raising=False)
    monkeypatch.setattr(sys, "stderr", stream)

    decide()

    assert announcer.after_s == 0.0
