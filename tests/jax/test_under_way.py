"""Long compiles are announced while they run, and nothing else is; no test depends on how long anything takes."""

from __future__ import annotations

import gc
import io
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._api.start import begin
from jitwatch._capture.events.frames import Frame
from jitwatch._model import Stages
from jitwatch._policy import progress
from jitwatch._policy.progress import Announcer
from jitwatch._state import State

SOON_S = 0.02
TIMEOUT_S = 30.0
EVENTS = {
    "trace": "/jax/core/compile/jaxpr_trace_duration",
    "lower": "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "compile": "/jax/core/compile/backend_compile_duration",
}


class Stream(io.StringIO):
    """Standard error of a test."""

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    def wait_for(self, pattern: str, count: int = 1) -> None:
        """Until so many lines match; an error where they do not come."""
        end_s = time.monotonic() + TIMEOUT_S
        while sum(bool(re.search(pattern, line)) for line in self.lines()) < count:
            assert time.monotonic() < end_s, self.lines()
            time.sleep(0.005)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    made = Stream()
    # Not in `sys` itself, where pytest puts its own again once the fixtures are made.
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=made, __stderr__=sys.__stderr__))
    return made


@pytest.fixture
def announcer(state: State) -> Announcer:
    begin()  # which asks for the option
    made = progress.announcer()
    made.after_s = SOON_S
    return made


class _Pause:
    """What this file does at the end of one of JAX's stages."""

    at = ""
    work: Callable[[], Any] = staticmethod(lambda: None)
    registered = False

    def listen(self, event: str, _: float, **details: Any) -> None:
        if self.at == event:
            self.at = ""
            self.work()


PAUSE = _Pause()


@pytest.fixture
def pause() -> Iterator[_Pause]:
    if not PAUSE.registered:
        begin()  # so that jitwatch's listener hears of each event before this one
        jax.monitoring.register_event_duration_secs_listener(PAUSE.listen)
        PAUSE.registered = True
    yield PAUSE
    PAUSE.at = ""


def test_long_trace_is_announced_again_and_again_and_at_its_end(announcer: Announcer, stream: Stream) -> None:
    @watched_jit
    def step(x):
        stream.wait_for("so far", count=3)
        return x + 1

    step(np.ones((8, 128), np.float32))

    *first, last = stream.lines()
    place = f"test_under_way.py:{step.__wrapped__.__code__.co_firstlineno}"
    assert len(first) >= 3
    for line in first[:3]:
        assert re.fullmatch(rf"jitwatch: tracing step \(x f32\[8,128\]\) at \S*{place}, \d+\.\d s so far …", line), line
    assert re.fullmatch(r"jitwatch: compiled step in \d+\.\d s", last)
    assert announcer._calls == {}


@pytest.mark.parametrize(("after", "word"), [("trace", "lowering"), ("lower", "compiling")])
def test_word_is_that_of_the_stage(after: str, word: str, announcer: Announcer, stream: Stream, pause: _Pause) -> None:
    step = watched_jit(lambda x: x)  # with nothing inside that JAX traces on its own
    pause.at, pause.work = EVENTS[after], lambda: stream.wait_for(f"jitwatch: {word} <lambda>")

    step(np.ones(3))

    assert pause.at == ""
    assert stream.lines()[-1].startswith("jitwatch: compiled <lambda> in ")


def test_after_the_compile_nothing_is_under_way(announcer: Announcer, stream: Stream, pause: _Pause) -> None:
    ends = []

    @watched_jit
    def step(x):
        stream.wait_for("tracing step")
        return x + 1

    def executing() -> None:
        ends.append(list(stream.lines()))
        time.sleep(10 * SOON_S)

    pause.at, pause.work = EVENTS["compile"], executing

    step(np.ones(3))

    assert ends == [stream.lines()]
    assert ends[0][-1].startswith("jitwatch: compiled step in ")


def test_long_execution_of_a_compiled_program_is_not_announced(announcer: Announcer, stream: Stream) -> None:
    waiting = threading.Event()

    def wait(x: Any) -> Any:
        if waiting.is_set():
            time.sleep(20 * SOON_S)
        return x

    step = watched_jit(lambda x: jax.pure_callback(wait, jax.ShapeDtypeStruct((3,), np.float32), x))
    jax.block_until_ready(step(jnp.ones(3)))
    before = stream.lines()
    waiting.set()

    jax.block_until_ready(step(np.ones(3, np.float32)))

    assert step.cache_info().dispatch_only == 1
    assert stream.lines() == before


@pytest.mark.parametrize(
    ("own", "kind", "expected"),
    [
        (Stages(), "call", None),
        (Stages(trace_s=0.1), "call", None),
        (Stages(traces=1), "call", "lowering"),
        (Stages(traces=1), "nested", None),
        (Stages(traces=1, lowerings=1), "call", "compiling"),
        (Stages(traces=1, lowerings=1), "nested", "compiling"),
        (Stages(lowerings=1), "call", "compiling"),
        (Stages(traces=1, lowerings=1, compiles=1), "call", None),
        (Stages(lowerings=1, loads=1), "call", None),
    ],
)
def test_stage_is_told_only_where_it_is_known(own: Stages, kind: str, expected: str | None) -> None:
    frame = Frame(kind, None)
    frame.own.add(own)

    assert frame.running_stage() == expected


def test_only_the_outermost_call_of_a_thread_is_announced(announcer: Announcer, stream: Stream) -> None:
    @watched_jit
    def inner(x):
        stream.wait_for("so far", count=2)
        return x * 2

    @watched_jit
    def outer(x):
        return inner(x) + inner(jnp.ones(5)).sum()

    outer(np.ones(3))

    assert {line.split()[2] for line in stream.lines()} == {"outer"}


def test_each_thread_is_announced(announcer: Announcer, stream: Stream) -> None:
    def work(name: str) -> None:
        def step(x):
            stream.wait_for(f"tracing {name}")
            return x + 1

        step.__name__ = name
        watched_jit(step)(np.ones(3))

    threads = [threading.Thread(target=work, args=(f"step{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)

    assert all(any(f"compiled step{number} in" in line for line in stream.lines()) for number in range(3))


def test_later_calls_are_announced_in_time_though_an_earlier_one_took_long(
    announcer: Announcer, stream: Stream
) -> None:
    @watched_jit
    def step(x):
        stream.wait_for(rf"tracing step \(x f32\[{x.shape[0]}\]", count=2 if x.shape[0] > 3 else 5)
        return x + 1

    for size in (3, 4, 5):
        step(jnp.ones(size))

    assert sum("compiled step" in line for line in stream.lines()) == 3


def test_call_that_raises_gets_its_end(announcer: Announcer, stream: Stream) -> None:
    @watched_jit
    def step(x):
        stream.wait_for("so far")
        raise KeyError

    with pytest.raises(KeyError):
        step(np.ones(3))

    assert re.fullmatch(r"jitwatch: step raised KeyError after \d+\.\d s", stream.lines()[-1])
    assert announcer._calls == {}


def test_functions_under_install_are_announced(announcer: Announcer, stream: Stream) -> None:
    with jitwatch.watching():

        @jax.jit
        def step(x):
            stream.wait_for("tracing step")
            return x + 1

    step(np.ones(3))

    assert stream.lines()[-1].startswith("jitwatch: compiled step in ")


def test_quick_compile_and_hits_say_nothing(announcer: Announcer, stream: Stream) -> None:
    announcer.after_s = TIMEOUT_S
    step = watched_jit(lambda x: x + 1)

    for _ in range(3):
        step(np.ones(3))

    assert stream.lines() == []
    assert announcer._thread is not None and announcer._calls == {}


def test_no_thread_is_started_where_it_is_off(announcer: Announcer, stream: Stream) -> None:
    off = announcer
    off.after_s = 0.0

    @watched_jit
    def step(x):
        time.sleep(5 * SOON_S)
        return x + 1

    step(np.ones(3))

    assert (off._thread, off._calls, stream.lines()) == (None, {}, [])


def test_call_that_ended_is_not_kept(announcer: Announcer, stream: Stream) -> None:
    def announced() -> weakref.ref[Frame]:
        frame = Frame("call", watched_jit(lambda x: x).cache_info.__self__.watch.record)
        frame.own.lowerings = 1
        frame.stack.append(frame)
        announcer.began(frame)
        stream.wait_for("compiling <lambda> at ")
        frame.stack.clear()
        announcer.ended(frame)
        return weakref.ref(frame)

    gone = announced()

    end_s = time.monotonic() + TIMEOUT_S
    while gone() is not None and time.monotonic() < end_s:
        gc.collect()
        time.sleep(SOON_S)
    assert gone() is None


def test_call_that_an_exception_left_behind_gives_way(announcer: Announcer) -> None:
    left, next_one = Frame("call", None), Frame("call", None)
    announcer.after_s = TIMEOUT_S
    left.stack.append(left)
    announcer.began(left)
    left.stack.clear()

    announcer.began(next_one)

    assert [call.frame for call in announcer._calls.values()] == [next_one]


class Broken(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.tried = threading.Event()

    def write(self, _: str) -> int:
        self.tried.set()
        raise RuntimeError("broken")


def test_stream_that_cannot_be_written_changes_nothing(announcer: Announcer, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken()
    monkeypatch.setattr(sys, "stderr", broken)

    @watched_jit
    def step(x):
        assert broken.tried.wait(TIMEOUT_S)
        return x + 1

    assert step(np.ones(3)).tolist() == [2, 2, 2]
    assert step(np.ones(3)).tolist() == [2, 2, 2]


@pytest.mark.parametrize("kind", ["none", "closed"])
def test_no_standard_error_changes_nothing(kind: str, announcer: Announcer, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", None if kind == "none" else closed)

    @watched_jit
    def step(x):
        end_s = time.monotonic() + TIMEOUT_S
        while not all(call.written for call in announcer._calls.values()):
            assert time.monotonic() < end_s
            time.sleep(SOON_S)
        return x + 1

    assert step(np.ones(3)).tolist() == [2, 2, 2]
