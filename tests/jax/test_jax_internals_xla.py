"""What jitwatch assumes of the way from JAX to XLA, one test for each function of `jax_internals.xla`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src import cache_key, compilation_cache, compiler

from jitwatch._capture.jax_internals import xla
from jitwatch._explain.located_text import without_locations

BIG = np.random.default_rng(0).random(1000)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What `look` finds in each compilation while the test runs."""
    monkeypatch.setattr(compiler, "compile_or_get_cached", compiler.compile_or_get_cached)
    found: list[Any] = []
    assert xla.call_before_compile_or_load(lambda compilation: found.append(looked_at(compilation)))
    yield found


def looked_at(compilation: xla.Compilation) -> dict[str, Any]:
    before = compilation.computation.operation.get_asm()
    module = xla.canonical_module(compilation.computation)
    key, free = xla.target_key(compilation)
    result = {
        "module": module, "text": xla.text_of(compilation.computation), "read": xla.read_module(module),
        "target": key, "free": free, "options": xla.options_bytes(compilation.compile_options),
        "callbacks": len(compilation.host_callbacks), "devices": [device.id for device in compilation.devices.flat],
        "jax": cache_key.get(*compilation[1:4], compilation.backend),
    }  # fmt: skip
    assert compilation.computation.operation.get_asm() == before
    return result


def test_fingerprints_available_here() -> None:
    assert xla.fingerprints_available()


def test_call_before_compile_or_load_sees_loads_too(seen: list[Any], tmp_path: Any) -> None:
    options = {
        "jax_compilation_cache_dir": str(tmp_path), "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }  # fmt: skip
    before = {name: getattr(jax.config, name) for name in options}
    try:
        for name, value in options.items():
            jax.config.update(name, value)
        jax.jit(lambda x: x * 21)(np.ones(3))
        jax.clear_caches()
        jax.jit(lambda x: x * 21)(np.ones(3))
    finally:
        for name, value in before.items():
            jax.config.update(name, value)

    assert len(seen) == 2 and seen[0]["module"] == seen[1]["module"]


def same(seen: list[Any], *runs: Callable[[], Any]) -> tuple[bool, bool]:
    """Whether two programs are the same by our module and target, and whether by JAX's own key."""
    for run in runs:
        run()
    one, other = seen[-2:]
    ours = [(each["module"], each["target"], each["free"]) for each in (one, other)]
    return ours[0] == ours[1], one["jax"] == other["jax"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: jax.jit(lambda x: x * 22)(np.ones(3)), lambda: jax.jit(lambda x: x * 22)(np.ones(3))),
        (lambda: jax.jit(lambda x: x * 22)(np.ones(3)), lambda: jax.jit(lambda x: x * 23)(np.ones(3))),
        (lambda: jax.jit(lambda x: x + BIG)(2.0), lambda: jax.jit(lambda x: x + (BIG + 1))(2.0)),
        (
            lambda: jax.jit(lambda x: x * 24)(np.ones(3)),
            lambda: jax.jit(lambda x: x * 24)(jax.device_put(np.ones(3), jax.devices()[0])),
        ),
        (
            lambda: jax.jit(lambda x: x * 25)(np.ones(3)),
            lambda: jax.jit(lambda x: x * 25, compiler_options={"xla_cpu_enable_fast_math": True})(np.ones(3)),
        ),
        (
            lambda: jax.jit(lambda x: x * 26)(jax.device_put(np.ones(3), jax.devices()[0])),
            lambda: jax.jit(lambda x: x * 26)(jax.device_put(np.ones(3), jax.devices()[1])),
        ),
    ],
)
def test_canonical_module_and_target_key_agree_with_jaxs_own_key(seen: list[Any], one: Any, other: Any) -> None:
    ours, jaxs = same(seen, one, other)

    assert ours == jaxs


def test_read_module_gives_the_text_of_the_module(seen: list[Any]) -> None:
    jax.jit(lambda x: jnp.linalg.cholesky(x @ x.T) + jnp.where(x > 0, 1, x))(np.ones((3, 3)))

    assert seen[-1]["read"] == seen[-1]["text"] and '"stablehlo.dot_general"' in seen[-1]["text"]
    assert "loc(" not in seen[-1]["text"]


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16, np.bool_, np.int8, np.complex64, jnp.float8_e4m3fn])
def test_text_of_has_a_digest_of_each_large_constant(seen: list[Any], dtype: Any) -> None:
    value = (np.arange(1000) % 7 % 2).astype(dtype)
    for constant in (value, value, value[::-1]):
        jax.jit(lambda x, c=constant: (x + c, jnp.ones((500,)) * x))(2.0)

    one, same, other = (each["text"] for each in seen[-3:])
    assert "__elided__" not in one and len(one) < 5_000
    assert one == same != other


def test_target_key_and_options_bytes_tell_options_apart(seen: list[Any]) -> None:
    jax.jit(lambda x: x * 27)(np.ones(3))
    jax.jit(lambda x: x * 28)(np.ones(3))
    jax.jit(lambda x: x * 29, compiler_options={"xla_cpu_enable_fast_math": True})(np.ones(3))

    assert seen[0]["target"] == seen[1]["target"] != seen[2]["target"]
    assert seen[0]["options"] == seen[1]["options"] != seen[2]["options"]


def test_compilation_has_the_callbacks_and_the_devices(seen: list[Any]) -> None:
    jax.jit(lambda x: jax.pure_callback(np.sin, x, x))(np.ones(3, np.float32))
    jax.jit(lambda x: x * 30)(jax.device_put(np.ones(3), jax.devices()[1]))

    assert (seen[0]["callbacks"], seen[-1]["devices"]) == (1, [1])


def test_without_such_a_place_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "compile_or_get_cached", lambda module: module)

    assert not xla.call_before_compile_or_load(lambda _: None)


def test_is_in_persistent_cache_tells_what_jax_would_load(seen: list[Any], tmp_path: Any) -> None:
    settings = {
        "jax_compilation_cache_dir": str(tmp_path), "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }  # fmt: skip
    found: list[bool] = []
    xla.call_before_compile_or_load(lambda compilation: found.append(xla.is_in_persistent_cache(compilation)))
    before = {name: getattr(jax.config, name) for name in settings}
    jax.jit(lambda x: x * 41)(np.ones(3))
    compilation_cache.reset_cache()
    try:
        for name, value in settings.items():
            jax.config.update(name, value)
        for _ in range(2):
            jax.jit(lambda x: x * 43)(np.ones(3))
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()

    assert found == [False, False, True]


def test_persistent_cache_keeps_callbacks_is_told_by_what_jax_writes() -> None:
    xla.persistent_cache_keeps_callbacks.cache_clear()
    takes = "host_callbacks" in inspect.signature(compiler._cache_write).parameters

    assert xla.persistent_cache_keeps_callbacks() is not takes


def test_located_text_of_says_the_line_of_each_operation_and_else_what_text_of_says() -> None:
    def line(x):
        return jnp.tanh(x) + BIG.sum()

    module = jax.jit(line).lower(np.ones(3)).compiler_ir()
    located = xla.located_text_of(module)

    assert f'"{__file__}":{line.__code__.co_firstlineno + 1}:' in located
    assert without_locations(located).split() == xla.text_of(module).split()


def test_text_suffix_is_what_text_of_adds() -> None:
    module = jax.jit(lambda x: x).lower(1.0).compiler_ir()

    assert xla.text_of(module, "11/1") == xla.text_of(module) + xla.text_suffix("11/1")
    assert xla.text_suffix("") == ""


def test_calls_what_text_does_not_tell_knows_callbacks() -> None:
    with_callback = jax.jit(lambda x: jax.pure_callback(lambda y: y, x, x)).lower(np.float32(1))
    without = jax.jit(lambda x: x + 1).lower(np.float32(1))
    told = [xla.calls_what_text_does_not_tell(xla.text_of(each.compiler_ir())) for each in (with_callback, without)]

    assert told == [True, False]
