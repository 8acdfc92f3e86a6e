"""Contract: what jitwatch relies on where it listens to JAX, one test for each function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._capture import jax_internals
from jitwatch._capture.events import stages
from jitwatch._capture.jax_internals import listening
from jitwatch._state import State


@pytest.fixture
def cleared_afterwards(state: State) -> Iterator[None]:
    """Listeners that a test clears are there again for the tests after it."""
    watched_jit(lambda x: x)
    yield
    stages.listen()


def test_has_listener_tells_what_was_registered_and_cleared(cleared_afterwards: None) -> None:
    def listener(event: str, *_: Any, **__: Any) -> None:
        pass

    for kind, register in (
        ("event", jax.monitoring.register_event_listener),
        ("duration", jax.monitoring.register_event_duration_secs_listener),
        ("scalar", jax.monitoring.register_scalar_listener),
    ):
        assert not jax_internals.has_listener(kind, listener)
        register(listener)
        assert jax_internals.has_listener(kind, listener)

    jax.monitoring.clear_event_listeners()
    # Those of scalars it leaves, by a mistake of its own (JAX 0.6.1 to 0.12).
    assert not any(jax_internals.has_listener(kind, listener) for kind in ("event", "duration"))


def test_has_listener_asks_no_listener_what_it_equals(cleared_afterwards: None) -> None:
    class Odd:
        def __call__(self, event: str, **_: Any) -> None:
            pass

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

    jax.monitoring.register_event_listener(Odd())

    assert not jax_internals.has_listener("event", lambda event, **_: None)


def test_has_listener_where_jax_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_LISTENERS", {"event": "not there"})
    monkeypatch.setattr(listening, "_given", {"event": []})

    assert [jax_internals.has_listener("event", print) for _ in range(3)] == [False, True, True]


def test_call_around_xla_is_done_once_for_a_function_that_sees_the_call() -> None:
    calls: list[Any] = []
    active = [True]

    def around(call: Any, compile: Any) -> Any:
        if active:
            devices = [device.id for device in call.executable_devices]
            named = str(call.module.operation.attributes["sym_name"])
            calls.append((call.backend.platform, named, devices, list(call.host_callbacks)))
            assert isinstance(call.options.SerializeAsString(), bytes)
        return compile()

    assert not jax_internals.is_called_around_xla(around)
    jax_internals.call_around_xla(around)
    assert jax_internals.is_called_around_xla(around)
    jax_internals.call_around_xla(around)
    jax.jit(lambda x: x * 5)(np.ones(11))
    active.clear()
    stages.listen()  # jitwatch's own comes first again

    assert calls == [(jax.devices()[0].platform, '"jit__lambda"', [0], [])] or calls[0][1] == '"jit__lambda_"'
    assert len(calls) == 1


def test_what_is_given_around_xla_is_what_jax_runs() -> None:
    kept: list[Any] = []
    active = [True]

    def around(call: Any, compile: Any) -> Any:
        if not active:
            return compile()
        kept.append(compile() if not kept else kept[0])
        return kept[0]

    jax_internals.call_around_xla(around)
    results = [jax.jit(lambda x: x * 6)(np.ones(12)) for _ in range(2)]
    active.clear()
    stages.listen()

    assert len(kept) == 2 and np.array_equal(*results)


def test_generated_code_bytes_are_a_number_for_any_executable() -> None:
    compiled = jax.jit(lambda x: x * 7).lower(1.0).compile()

    assert jax_internals.generated_code_bytes(compiled.runtime_executable()) >= 0
    assert jax_internals.generated_code_bytes(None) == 0


def test_one_process_alone_is_none_of_several() -> None:
    backend = jax.devices()[0].client
    assert not jax_internals.is_one_of_several_processes(backend)

    class Other:
        process_index = 1

    class Backend:
        def process_index(self) -> int:
            return 0

        def devices(self) -> list[Any]:
            return [Other()]

    assert jax_internals.is_one_of_several_processes(Backend())


def test_hook_of_is_what_c_calls_on_a_miss_and_nothing_for_others() -> None:
    f = watched_jit(lambda x: x)

    assert jax_internals.hook_of(f).__wrapped__.jitwatch_watch.function() is f
    assert callable(jax_internals.hook_of(jax.jit(lambda x: x)))
    assert jax_internals.hook_of(print) is None


@pytest.mark.parametrize("kinds", ["all", "_event_duration_secs_listeners", "_event_listeners", "_scalar_listeners"])
def test_counting_goes_on_after_listeners_were_cleared(kinds: str, cleared_afterwards: None) -> None:
    f = watched_jit(lambda x: x + 1)
    f(np.ones(1))
    if kinds == "all":
        jax.monitoring.clear_event_listeners()
    else:
        getattr(listening.monitoring, kinds).clear()
    f(np.ones(2))
    f.lower(np.ones(3)).compile()

    info = f.cache_info()
    assert (info.misses, info.compiles, info.traces) == (2, 3, 3)


def test_what_watched_calls_do_not_see_is_counted_from_the_next_one_on(cleared_afterwards: None) -> None:
    f = watched_jit(lambda x: x + 1)
    jax.monitoring.clear_event_listeners()
    f(np.ones(1))
    jax.jit(lambda x: x * 3.5)(np.ones(17))

    others = [other for other in jitwatch.snapshot().others if other.defined_at]
    assert sum(other.stages.compiles for other in others) == 1


def test_memory_of_is_jax_s_own_account() -> None:
    compiled = jax.jit(lambda x: jax.numpy.sin(x @ x) @ x).lower(np.ones((64, 64), np.float32)).compile()
    code, temporaries = jax_internals.memory_of(compiled.runtime_executable())

    assert temporaries == compiled.memory_analysis().temp_size_in_bytes and code >= 0
    assert jax_internals.memory_of(None) == (0, 0)


def test_held_executables_are_those_that_are_alive() -> None:
    before, _ = jax_internals.held_executables()
    kept = [jax.jit(lambda x, n=n: x * n).lower(1.0).compile() for n in range(3)]
    after, code = jax_internals.held_executables()

    assert after == before + len(kept) and code >= 0
