"""What is kept for reuse: who waits for whom, what makes room, and when all of it is let go."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from xla_runs import Run, X, made_anew, named

import jitwatch
from jitwatch import watched_jit
from jitwatch._capture import jax_internals
from jitwatch._capture.events import reuse as kept

LIMITS = kept.Limits(10, 1000)


def ask_for(program: Any, store: kept.Reuse, limits: kept.Limits = LIMITS) -> kept.Asked:
    store.wanted[""] = limits
    return kept.Asked(program, "cpu", 1, 10, limits)


def test_threads_that_compile_the_same_at_once_compile_once(runs: list[Run]) -> None:
    threads, results = 6, list[Any]()
    together = threading.Barrier(threads)

    def work() -> None:
        f = made_anew()
        f.lower(X)
        together.wait()
        results.append(np.asarray(f(X)))

    with jitwatch.reusing():
        started = [threading.Thread(target=work) for _ in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()

    assert named(runs, "step") == 1
    assert len(results) == threads and all(np.array_equal(results[0], result) for result in results)


def test_a_thread_whose_compilation_fails_leaves_it_to_the_others() -> None:
    store, failing = kept.Reuse(), threading.Event()
    asked = ask_for("program", store)
    first_is_in, results = threading.Event(), list[Any]()

    def fail() -> Any:
        first_is_in.set()
        failing.wait(10)
        raise KeyboardInterrupt

    def first() -> None:
        with pytest.raises(KeyboardInterrupt):
            store.executable(asked, fail)

    def second() -> None:
        results.append(store.executable(asked, lambda: "made"))

    threads = [threading.Thread(target=work) for work in (first, second)]
    threads[0].start()
    first_is_in.wait(10)
    threads[1].start()
    failing.set()
    for thread in threads:
        thread.join(10)

    assert results == [("made", None)]
    assert store.executable(asked, lambda: "again")[0] == "made"


def test_a_compilation_within_another_waits_for_nobody() -> None:
    store = kept.Reuse()
    asked = ask_for("program", store)

    def outer() -> Any:
        return store.executable(asked, lambda: "inner")[0] + " and outer"

    assert store.executable(asked, outer) == ("inner and outer", None)


@pytest.mark.parametrize("limits", [kept.Limits(3, 10_000), kept.Limits(100, 35)])
def test_the_least_recently_used_make_room(limits: kept.Limits) -> None:
    store = kept.Reuse()

    def ask(number: int) -> float | None:
        return store.executable(ask_for(number, store, limits), lambda: number)[1]

    for number in (1, 2, 3, 1, 4):
        ask(number)

    assert len(store) == 3 and store.size_bytes == 30
    assert ask(1) is not None and ask(4) is not None and ask(3) is not None
    assert ask(2) is None


def test_what_is_larger_than_the_bound_is_handed_to_those_who_wait_and_not_kept() -> None:
    store = kept.Reuse()

    assert store.executable(ask_for(1, store, kept.Limits(3, 5)), lambda: "one") == ("one", None)
    assert len(store) == 0


def test_code_of_unknown_size_counts_with_what_is_supposed_of_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_internals, "generated_code_bytes", lambda _: 0)
    constant = np.linspace(0.0, 1.0, 2_000_000, dtype=np.float32)
    with jitwatch.reusing():
        made_anew()(X)
        small = kept.reuse().size_bytes
        watched_jit(lambda x: x + constant)(np.float32(1))
        large = kept.reuse().size_bytes - small

    assert 30_000 < small < 1_000_000
    assert 8_000_000 < large < 9_000_000


def test_executables_of_a_backend_that_was_made_anew_are_let_go() -> None:
    store = kept.Reuse()
    for number, (platform, backend) in enumerate([("cpu", 1), ("gpu", 2), ("cpu", 3)]):
        store.executable(ask_for(number, store)._replace(platform=platform, backend=backend), lambda: "made")

    assert len(store) == 2 and store.size_bytes == 20
