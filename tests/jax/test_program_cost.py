"""What the fingerprint of a program costs beside its compilation, and what comparing costs.

Not part of the test suite, since machines are noisy: `pytest -m benchmark -s tests/jax/test_program_cost.py`.
docs/programs.md has the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jitwatch import watched_jit
from jitwatch._capture import jax_internals
from jitwatch._capture.events import fingerprints
from jitwatch._explain.program_pieces import _known
from jitwatch._explain.programs import steps_of
from jitwatch._record.recorder import recorder

pytestmark = pytest.mark.benchmark
X = np.ones((8, 64), np.float32)


def layers(count: int) -> Callable[[Any], Any]:
    def network(x: Any) -> Any:
        for number in range(count):
            x = jnp.tanh(x @ jnp.full((64, 64), 0.1 * number) + jnp.sin(x)[:, ::-1]).at[0].set(1.0)
            x = jax.nn.softmax(x) + jnp.where(x > 0, x, -x)
        return x

    return network


def with_constant(megabytes: int) -> Callable[[Any], Any]:
    constant = np.random.default_rng(megabytes).random(megabytes * 250_000, np.float32)
    return lambda x: x.sum() + constant


def best_ms(call: Callable[[], Any], rounds: int) -> float:
    """Of the processor, so that a busy machine does not count."""
    times = []
    for _ in range(rounds):
        begun_s = time.thread_time()
        call()
        times.append(time.thread_time() - begun_s)
    return min(times) * 1e3


@pytest.mark.parametrize(
    ("name", "function", "rounds"),
    [
        ("10 kB", layers(3), 9),
        ("100 kB", layers(33), 5),
        ("1 MB", layers(300), 3),
        ("1 MB of constants", with_constant(1), 5),
        ("100 MB of constants", with_constant(100), 2),
    ],
)
def test_cost_of_a_fingerprint(name: str, function: Any, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}
    original = fingerprints._add

    def measured(compilation: Any) -> str:
        def again() -> None:
            recorder().programs._programs.pop(found.get("id", ""), None)
            found["id"] = original(compilation)

        found["first"] = best_ms(again, 1)
        found["best"] = best_ms(again, rounds)
        asm = compilation.computation.operation.get_asm
        found["text"] = asm(enable_debug_info=False, large_elements_limit=64)
        found["generic"] = jax_internals.text_of(compilation.computation)
        found["until"] = time.process_time()
        return str(found["id"])

    monkeypatch.setattr(fingerprints, "_add", measured)
    watched = watched_jit(function)
    watched(X)
    compile_ms = (time.process_time() - found["until"]) * 1e3
    cold = best_ms(lambda: (_known.clear(), steps_of(found["generic"])), rounds)
    read = best_ms(
        lambda: recorder().programs._texts[found["id"]][1](recorder().programs._texts[found["id"]][0]), rounds
    )

    print(
        f"\n| {name} | {len(found['text']) / 1e3:.0f} | {compile_ms:.0f} | {found['best']:.2f} | "
        f"{100 * found['best'] / compile_ms:.2f} % | {read:.1f} | {cold:.1f} | first {found['first']:.2f}"
    )
    if name == "100 MB of constants":
        assert found["best"] < 1000
    else:
        assert found["best"] < max(1.0, 0.02 * compile_ms)
