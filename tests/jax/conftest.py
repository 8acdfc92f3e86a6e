"""Tests with real JAX: four CPU devices, and no fault of jitwatch's own goes unnoticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

# Before jax starts its CPU backend; the flag is older than `jax_num_cpu_devices` and works on every supported JAX.
if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4".strip()


@pytest.fixture
def backend_compiles() -> Iterator[list[str]]:
    """The names of the programs that JAX had XLA compile, or loaded, while the test runs."""
    import jax

    done: list[str] = []
    active = [True]

    def listener(event: str, _: float, **details: Any) -> None:
        if active and event.endswith("backend_compile_duration"):
            done.append(str(details.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listener)
    yield done
    active.clear()


@pytest.fixture
def watching() -> Any:
    """Watch every jitted function; gives the newest record of a name."""
    from jitwatch._capture.hook.patching import Patch
    from jitwatch._policy.policy import policy_of_all
    from jitwatch._record.recorder import recorder

    patch = Patch(policy_of_all(), count_hits=True)
    yield lambda name: [each for each in recorder().snapshot().functions if each.name == name][-1]
    patch.remove()


@pytest.fixture
def runs() -> Iterator[list[Any]]:
    """What XLA compiles while the test runs, by an oracle outside jitwatch."""
    from xla_runs import xla_runs

    with xla_runs() as found:
        yield found


@pytest.fixture(autouse=True)
def no_fault(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which jitwatch caught an error of its own, unless it is marked `faults`."""
    from jitwatch import _faults

    before = _faults.count()
    yield
    assert _faults.count() == before or request.node.get_closest_marker("faults")
