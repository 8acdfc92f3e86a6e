"""What `jax_internals` tells of the calls that are running, one test for each of its functions."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
import pytest

from jitwatch._capture import jax_internals


def test_running_dispatch_caches_are_emptied_for_every_function_on_the_way() -> None:
    def callback_of_inner(x: Any) -> Any:
        jax_internals.clear_running_dispatch_caches()
        return x

    f = jax.jit(lambda x: callback_of_inner(x) * 2)
    other = jax.jit(lambda x: x * 2)
    other(np.ones(3))
    f(np.ones(3))

    assert (f._cache_size(), other._cache_size()) == (0, 1)


def test_event_tells_that_a_stage_begins_and_an_error_there_stops_it() -> None:
    begun: list[tuple[str, str]] = []
    armed = [True]

    def listener(event: str, _: float, **details: Any) -> None:
        if armed:
            begun.append((event.rpartition("/")[2], str(details.get("fun_name"))))
            if event.endswith("backend_compile_duration"):
                raise ValueError("stopped")

    jax.monitoring.register_scalar_listener(listener)
    with pytest.raises(ValueError, match="stopped"):
        jax.jit(lambda x: x * 4)(np.ones(7))
    armed.clear()

    assert [name for name, _ in begun][-2:] == ["jaxpr_to_mlir_module_duration", "backend_compile_duration"]
    assert begun[-1][1] == "jit(<lambda>)"


def test_running_definition_is_known_in_a_call_in_a_backward_pass_and_in_lower() -> None:
    def f(x):
        return x * 3

    found: list[tuple[str, str]] = []
    armed = [True]

    def listener(event: str, _: float, **details: Any) -> None:
        if armed and details.get("fun_name") in ("f", "jit(f)") and "trace" not in event:
            kind = event.rpartition("/")[2].partition("_duration")[0]
            found.append((kind, jax_internals.running_definition("f")))

    jax.monitoring.register_event_duration_secs_listener(listener)
    line = jax_internals.source_of(f)
    jitted = jax.jit(f)
    jitted(np.ones(3, np.float32))
    in_call, found[:] = list(found), []
    jax.grad(lambda x: jitted(x).sum())(np.ones(4, np.float32))
    in_grad, found[:] = list(found), []
    lowered = jitted.lower(np.ones(5, np.float32))
    in_lower, found[:] = list(found), []
    lowered.compile()
    armed.clear()

    assert in_call == [("jaxpr_to_mlir_module", line), ("backend_compile", line)]
    assert len(in_grad) == 4 and {place for _, place in in_grad} == {line}
    assert in_lower == [("jaxpr_to_mlir_module", line)]
    assert found == [("backend_compile", "")]
    assert jax_internals.running_definition("f") == ""


def test_running_dispatch_knows_a_partial_by_the_name_of_its_events() -> None:
    seen: list[Any] = []
    armed = [True]

    def listener(event: str, _: float, **details: Any) -> None:
        if armed and event.endswith("backend_compile_duration"):
            seen.append(jax_internals.running_dispatch(str(details.get("fun_name")).removeprefix("jit(").rstrip(")")))

    partial = functools.partial(lambda scale, x: x * scale, 4)
    jax.monitoring.register_event_duration_secs_listener(listener)
    jax.jit(partial)(np.ones(6, np.float32))
    armed.clear()

    assert any(dispatch is not None and dispatch.fun is partial for dispatch in seen)
