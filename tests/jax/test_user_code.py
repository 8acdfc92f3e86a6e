"""The user's own code inside jitwatch ends nothing, is run under no lock, and never in a callback of a weak reference."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import _state, watched_jit
from jitwatch._capture.keys.static_table import StaticTable
from jitwatch._capture.keys.values import describe
from jitwatch._errors import JitwatchError, repr_of
from jitwatch._state import State

ENDS = (SystemExit(7), KeyboardInterrupt(), GeneratorExit(), MemoryError())


class Ends:
    """Whatever is asked of it would end the program, but for what JAX itself asks."""

    def __init__(self, error: BaseException) -> None:
        object.__setattr__(self, "error", error)

    def __repr__(self) -> str:
        raise self.error

    __str__ = __repr__
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class EndsInside(Ends):
    """Also its attributes end the program."""

    def __getattr__(self, name: str) -> Any:
        raise self.error


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", [Ends, EndsInside])
def test_text_of_a_value_whose_code_raises(kind: type, error: BaseException) -> None:
    value = kind(error)

    assert kind.__name__ in describe(value)
    assert describe([1, value]).startswith("[1, ")
    assert repr_of(value) == f"<{kind.__name__} object>"


@pytest.mark.faults
@pytest.mark.parametrize("error", ENDS[:2], ids=lambda error: type(error).__name__)
def test_no_code_of_the_users_ends_the_program(error: BaseException, state: State) -> None:
    def raises(*_: Any) -> Any:
        raise error

    value, told = Ends(error), []
    stop = jitwatch.subscribe(raises)
    also = jitwatch.subscribe(told.append)
    f = watched_jit(lambda x, o: x, static_argnames="o", warn_compiles=1)
    with jitwatch.context(raises, value=value):
        f(1.0, o=value)
        jax.jit(lambda x, o=value: x)(1.0)
        jnp.ones(3) + 1
    stop()
    also()
    texts = [jitwatch.report(), f.cache_report(), repr(f.cache_keys()), str(f.check())]

    assert told
    assert f.cache_info().misses == 1
    assert all(texts)
    for refused in (
        lambda: jitwatch.freeze(value),
        lambda: jitwatch.freeze("f", on_excess=value),
        lambda: f.warm_up([], threads=value),
        lambda: watched_jit(lambda x: x, max_compiles=value),
        lambda: jitwatch.testing.assert_compiles(exactly=value),
    ):
        with pytest.raises(JitwatchError, match="Ends object"):
            refused()


@contextmanager
def asked_while_locked(asked: list[str]) -> Iterator[type]:
    """A class whose comparisons say if this thread holds a lock of jitwatch's."""

    class Watchful:
        def __init__(self, value: int) -> None:
            self.value = value

        def __hash__(self) -> int:
            note("hash")
            return 7

        def __eq__(self, other: object) -> bool:
            note("eq")
            return isinstance(other, Watchful) and self.value == other.value

        def __repr__(self) -> str:
            note("repr")
            return f"Watchful({self.value})"

    def note(what: str) -> None:
        if any(lock._is_owned() for lock in _state._all_locks()):
            asked.append(what)

    yield Watchful


def test_user_code_runs_under_no_lock(state: State) -> None:
    asked: list[str] = []
    with asked_while_locked(asked) as kind:
        jax.tree_util.register_pytree_node(kind, lambda one: ((), one.value), lambda aux, _: kind(aux))
        f = watched_jit(lambda x, o: x, static_argnames="o", warn_compiles=1)
        outside = kind(0)
        g = watched_jit(lambda x: x + outside.value)
        with jitwatch.context(step=kind(3)), jitwatch.recording() as r, jitwatch.testing.assert_compiles(at_least=1):
            for number in range(6):
                f(np.ones(number + 1), o=kind(number % 3))
            g(1.0)
            jax.jit(lambda x, o: x, static_argnames="o")(1.0, o=kind(9))
        jitwatch.report()
        f.check()
        r.report()
        f.cache_key(1.0, o=kind(1))
        jitwatch.reset()
        jitwatch.snapshot()

    assert asked == []


def test_a_meta_test_sees_what_runs_under_a_lock() -> None:
    asked: list[str] = []
    lock = _state.Lock()
    with asked_while_locked(asked) as kind, lock:
        hash(kind(1))

    assert asked == ["hash"]


def test_a_value_that_goes_asks_nothing_of_those_that_stay() -> None:
    """All have one hash, so that a table that looks for one of them would have to compare it with the others."""
    asked: list[bool] = []
    going = False

    class Value:
        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            asked.append(going)
            return self is other

    class Slotted(Value):
        __slots__ = ("inner",)

    table = StaticTable()
    staying = [Value() for _ in range(5)]
    gone = [Value() for _ in range(5)]
    for value in [*staying, *gone]:
        table.static(value)
        table.static((value, 1))
        table.part([value], "list")
    asked.clear()

    going = True
    del value, gone
    gc.collect()
    going = False

    assert asked == []
    table.static(staying[0])


def test_collection_at_any_moment_waits_for_no_lock(state: State) -> None:
    """Objects that are told by weak references die on one thread while another holds every lock."""
    f = watched_jit(lambda x, o: x, static_argnames="o")

    class Value:
        pass

    objects = [Value() for _ in range(20)]
    for value in objects:
        f(1.0, o=value)
    functions = [watched_jit(lambda x: x) for _ in range(20)]
    done = threading.Event()

    def collect() -> None:
        objects.clear()
        functions.clear()
        jax.clear_caches()
        gc.collect()
        done.set()

    del value
    locks = _state._all_locks()
    for lock in locks:
        lock.acquire()
    try:
        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        assert done.wait(60)
    finally:
        for lock in locks:
            lock.release()
    thread.join()


def test_clocks_that_the_program_puts_in_place_of_its_own_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def replaced(clock: Any) -> Any:
        def tell() -> Any:
            caller = sys._getframe(1).f_globals["__name__"]
            asked.extend([caller] if caller.startswith("jitwatch") else [])
            return clock()

        return tell

    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, replaced(getattr(time, name)))
    with jitwatch.recording(), jitwatch.reusing():
        for _ in range(2):
            f = watched_jit(lambda x: x - 5)
            f(1.0), f(1)
    jitwatch.report()

    assert not asked
