"""Fingerprints of real programs: what is the same program to JAX, and how far others are the same."""

from __future__ import annotations

import gc
import logging
import time
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jitwatch
from jitwatch import _state, watched_jit
from jitwatch._capture.events import fingerprints
from jitwatch._explain.programs import equal_up_to
from jitwatch._model import Program
from jitwatch._record.recorder import recorder

X = np.ones((8, 64), np.float32)


def programs_of(*runs: Callable[[], Any]) -> list[Program]:
    """The last program that each of these calls of watched functions was given, with its steps."""
    found = []
    for run in runs:
        with jitwatch.recording() as scope:
            run()
        builds = [build for function in scope.snapshot().functions for build in function.builds]
        assert builds
        found.append(max(builds, key=lambda build: build.first).program)
    return list(recorder().programs.with_steps(found))


def compared(*runs: Callable[[], Any]) -> str:
    """How far the programs of two calls are the same."""
    one, other = programs_of(*runs)
    return equal_up_to(one, other)


def model(
    factor: float = 2.0, offset: Any = None, *, precision: Any = None, name: str = "loss", activation: Any = jnp.tanh,
    constraint: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """A small network, jitted anew, with a constant in it, a private function, and an output of a name."""

    def step(x: Any) -> Any:
        y = jnp.dot(x * factor, jnp.ones((x.shape[-1], 16), x.dtype), precision=precision)
        if constraint is not None:
            y = jax.lax.with_sharding_constraint(y, constraint)
        y = activation(y + jnp.where(x[:, :16] > 0, 1, 0)) + (0 if offset is None else offset)
        return {name: jax.nn.softmax(y)}

    return watched_jit(step, **options)


def mesh_of(*names: str) -> Mesh:
    return Mesh(np.array(jax.devices()[:4]).reshape(2, 2), names)


def placed(*spec: Any, names: tuple[str, ...] = ("x", "y")) -> Any:
    return jax.device_put(X, NamedSharding(mesh_of(*names), PartitionSpec(*spec)))


def on(number: int) -> Any:
    return jax.device_put(X, jax.devices()[number])


def rows(number: int, dtype: Any = np.float32) -> Any:
    return np.ones((number, 64), dtype)


def loop(x: Any) -> Any:
    noise = jnp.cumsum(jax.random.normal(jax.random.PRNGKey(0), x.shape), 0)
    return jax.lax.scan(lambda carry, row: (carry + row, jnp.sort(carry)), x[0], noise)


BASE = lambda: model()(X)
ROW = np.arange(16, dtype=np.float32)
BIG = [np.random.default_rng(seed).random(16 * 64, np.float32) for seed in (1, 2)]
PAIRS: dict[str, tuple[Callable[[], Any], Callable[[], Any], str]] = {
    "a function made anew": (BASE, BASE, "identical"),
    "another output name": (BASE, lambda: model(name="error")(X), "identical"),
    "weak type": (
        lambda: model(activation=lambda y: y)(jnp.full((8, 64), 1.0)),
        lambda: watched_jit(lambda x, y: x.astype(jnp.float32) + y)(1.0, X),
        "different",
    ),
    "scalar constant": (BASE, lambda: model(-3.5)(X), "constants"),
    "infinite constant": (BASE, lambda: model(float("inf"))(X), "constants"),
    "array constant": (lambda: model(offset=ROW)(X), lambda: model(offset=ROW + 1)(X), "constants"),
    "splat and array constant": (lambda: model(offset=ROW)(X), lambda: model(offset=ROW * 0)(X), "constants"),
    "long array constant": (*(lambda b=b: watched_jit(lambda x: x + b)(1.0) for b in BIG), "constants"),  # type: ignore[dict-item]
    "shape": (BASE, lambda: model()(rows(16)), "sizes"),
    "dtype": (BASE, lambda: model()(rows(8, jnp.bfloat16)), "dtype"),
    "precision": (BASE, lambda: model(precision="highest")(X), "precision"),
    "committed late": (BASE, lambda: model()(on(0)), "placement"),
    "another device": (lambda: model()(on(0)), lambda: model()(on(1)), "target"),
    "compiler options": (
        BASE, lambda: model(compiler_options={"xla_cpu_enable_fast_math": True})(X), "target",
    ),
    "another sharding": (lambda: model()(placed("x", "y")), lambda: model()(placed("y")), "placement"),
    "sharded at all": (lambda: model()(on(0)), lambda: model()(placed("x")), "placement"),
    "other mesh names": (
        lambda: model()(placed("x")), lambda: model()(placed("data", names=("data", "model"))), "placement" if jax.config.jax_use_shardy_partitioner else "identical",
    ),
    "a constraint": (
        lambda: model()(placed("x")),
        lambda: model(constraint=NamedSharding(mesh_of("x", "y"), PartitionSpec("y")))(placed("x")),
        "placement",
    ),
    "another activation": (BASE, lambda: model(activation=jnp.sin)(X), "different"),
    "donated": (
        lambda: watched_jit(lambda x: x + 1)(rows(8)),
        lambda: watched_jit(lambda x: x + 1, donate_argnums=0)(rows(8)),
        "different",
    ),
    "where a slice begins": (
        lambda: watched_jit(lambda x: x[2:5])(X), lambda: watched_jit(lambda x: x[3:6])(X), "constants",
    ),
    "how long a slice is": (
        lambda: watched_jit(lambda x: x[2:5])(X), lambda: watched_jit(lambda x: x[2:6])(X), "sizes",
    ),
    "contracted dimension": (
        lambda: watched_jit(lambda x: jax.lax.dot(x, x))(np.ones((8, 8), np.float32)),
        lambda: watched_jit(lambda x: jax.lax.dot(x.T, x))(np.ones((8, 8), np.float32)),
        "different",
    ),
    "iota dimension": (
        *(lambda d=d: watched_jit(lambda: jax.lax.broadcasted_iota("int32", (8, 8), d))() for d in (0, 1)),
        "different",
    ),
    "loops, sums and random numbers": (*(lambda n=n: watched_jit(loop)(rows(n).T) for n in (3, 7)), "sizes"),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pair_is_equal_up_to(name: str) -> None:
    one, other, expected = PAIRS[name]

    assert compared(one, other) == expected


def test_weak_type_leaves_a_convert_to_the_same_type() -> None:
    double = lambda: watched_jit(lambda x, y: (x + y) * 2)

    strong = lambda: double()(jnp.float32(1), X)
    weak = lambda: double()(1.0, X)

    assert compared(strong, weak) in ("identical", "no_op", "placement")


def with_callback(fun: Any) -> Any:
    def step(x: Any) -> Any:
        return jax.pure_callback(fun, jax.ShapeDtypeStruct(X.shape, X.dtype), x)

    return watched_jit(step)


def test_programs_with_callbacks_are_not_taken_for_each_other() -> None:
    one, other, third = programs_of(*(lambda f=f: with_callback(f)(X) for f in (np.sin, np.cos, np.sin)))

    assert len({one.id, other.id, third.id}) == 3
    assert not one.comparable
    assert equal_up_to(one, other) == ""


def test_callback_of_one_lowering_is_the_same() -> None:
    lowered = with_callback(np.sin).lower(X)
    before = set(recorder().programs._programs)

    lowered.compile(), lowered.compile()

    assert len(set(recorder().programs._programs) - before) <= 1


def test_kernel_with_a_payload_is_known_by_its_name() -> None:
    pallas = pytest.importorskip("jax.experimental.pallas")

    def kernel(x_ref: Any, out_ref: Any) -> None:
        out_ref[...] = x_ref[...] + 1

    def add(x: Any) -> Any:
        return pallas.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype))(x)

    text = jax.jit(add).trace(np.ones((8, 128), np.float32)).lower(lowering_platforms=("tpu",)).as_text()

    assert any(name.decode() in text for name in fingerprints._PAYLOADS)


def test_every_kind_of_work_has_its_program() -> None:
    @watched_jit
    def loss(x: Any) -> Any:
        return (x * 3).sum()

    @jax.jit
    def unwatched(x: Any) -> Any:
        return x * 5

    data = np.ones((3, 17), np.float32)
    with jitwatch.recording() as scope:
        loss(data)
        jax.grad(loss)(data)
        loss.lower(np.ones((4, 17), np.float32)).compile()
        unwatched(data)
        jnp.zeros((3, 17)) + 2

    snapshot = scope.snapshot()
    kinds = {build.kind for function in snapshot.functions for build in function.builds}
    assert kinds >= {"call", "backward", "aot"}
    made = [miss for miss in snapshot.misses if miss.stages.compiles or miss.stages.loads]
    assert made and all(miss.program for miss in made)
    assert {build.program for one in (*snapshot.functions, *snapshot.others) for build in one.builds} == {
        program.id for program in snapshot.programs
    }
    assert all(build.program for other in snapshot.others for build in other.builds)


def test_program_of_a_helper_is_not_the_functions_own() -> None:
    @watched_jit
    def outer(x: Any) -> Any:
        jnp.ones((9, 13)) + 1.5  # an eager operation inside the trace
        return x + 1

    with jitwatch.recording() as scope:
        outer(np.ones(11, np.float32))

    (build,) = (build for function in scope.snapshot().functions for build in function.builds)
    assert build.count == 1 and build.program


def test_keys_that_are_used_again_outlive_later_programs() -> None:
    @watched_jit
    def f(x: Any) -> Any:
        return x * 7

    for size in (2, 3, 4, 5):
        f(np.ones(size))
    f(np.ones(2)), f(np.ones(5)), f(np.ones(6))

    assert [key.outlived for key in f.cache_stats().keys] == [3, 0, 0, 0, 0]


def test_large_constants_cost_little_and_are_not_kept() -> None:
    big = np.random.default_rng(0).random(25_000_000, np.float32)
    started = time.perf_counter()
    before = recorder().programs._text_bytes

    (program,) = programs_of(lambda: watched_jit(lambda x: x + big)(1.0))

    assert program.size_bytes > 100e6 and len(program.steps) == 7
    assert recorder().programs._text_bytes - before < 10_000
    assert time.perf_counter() - started < 60


def test_nothing_is_kept_alive() -> None:
    class Seen:
        pass

    seen: list[Any] = []
    original = fingerprints._add

    def remember(compilation: Any) -> str:
        seen.append(weakref.ref(compilation.computation))
        return original(compilation)

    patch = pytest.MonkeyPatch()
    patch.setattr(fingerprints, "_add", remember)
    with_callback(np.tan)(X)
    patch.undo()
    jax.clear_caches()
    gc.collect()

    assert seen and all(reference() is None for reference in seen)


def test_jax_logs_nothing_for_it(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    original, logged = fingerprints._add, []

    def counted(compilation: Any) -> str:
        before = len(caplog.records)
        result = original(compilation)
        logged.append(len(caplog.records) - before)
        return result

    monkeypatch.setattr(fingerprints, "_add", counted)
    with caplog.at_level(logging.DEBUG, logger="jax"):
        _state.part(fingerprints._Seen).targets.clear()
        watched_jit(lambda x: x * 11)(np.ones(19))

    assert logged == [0]
    assert not logging.getLogger("jax._src.cache_key").filters


@pytest.mark.faults
def test_program_without_a_fingerprint_compiles_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> str:
        raise ValueError("broken")

    monkeypatch.setattr(fingerprints, "_add", broken)
    f = watched_jit(lambda x: x * 13)
    f(np.ones(3))

    (build,) = f.cache_stats().builds
    assert (build.program, build.count) == ("", 1)


def test_seconds_of_the_fingerprint_are_not_compile_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    original = fingerprints._add

    def slow(compilation: Any) -> str:
        time.sleep(2)
        return original(compilation)

    monkeypatch.setattr(fingerprints, "_add", slow)
    f = watched_jit(lambda x: x * 17)
    f(np.ones(3))

    assert 0 < f.cache_stats().stages.compile_s < 2
