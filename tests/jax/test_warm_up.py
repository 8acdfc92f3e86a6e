"""After a warm-up real calls are hits, whatever their arguments; nothing of the caller's is used up."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

import jitwatch
from jitwatch import JitwatchError, spec, watched_jit
from jitwatch._api.declared_calls import declared_for
from jitwatch._capture.hook.registry import watch_of

S = jax.ShapeDtypeStruct


class State(NamedTuple):
    params: dict[str, Any]
    step: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Box:
    x: Any
    scale: int = dataclasses.field(metadata={"static": True}, default=2)


class Model:
    def __init__(self) -> None:
        self.calls = 0

    @watched_jit(static_argnums=0)
    def step(self, x: Any) -> Any:
        return x + 1


def sharding(*axes: Any) -> NamedSharding:
    return NamedSharding(jax.sharding.Mesh(np.array(jax.devices()), ("d",)), PartitionSpec(*axes))


def second_device() -> SingleDeviceSharding:
    return SingleDeviceSharding(jax.devices()[1])


def total(*args: Any, **kwargs: Any) -> Any:
    return jax.tree_util.tree_map(lambda leaf: leaf, (args, kwargs))


MODEL = Model()
CALLS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "array": (lambda: spec(S((8, 3), "float32")), lambda: spec(jnp.ones((8, 3)))),
    "scalar array": (lambda: spec(S((), "int32")), lambda: spec(jnp.int32(3))),
    "weak": (lambda: spec(S((2,), "float32", weak_type=True)), lambda: spec(jnp.full((2,), 1.0))),
    "weak int": (lambda: spec(S((), "int32", weak_type=True)), lambda: spec(jnp.asarray(1))),
    "bool": (lambda: spec(S((2,), "bool")), lambda: spec(jnp.ones(2, bool))),
    "bfloat16": (lambda: spec(S((8,), jnp.bfloat16)), lambda: spec(jnp.ones(8, jnp.bfloat16))),
    "int4": (lambda: spec(S((8,), jnp.int4)), lambda: spec(jnp.ones(8, jnp.int4))),
    "float8": (lambda: spec(S((8,), jnp.float8_e4m3fn)), lambda: spec(jnp.ones(8, jnp.float8_e4m3fn))),
    "64 bits": (lambda: spec(S((8,), "int64")), lambda: spec(jnp.arange(8))),
    "empty": (lambda: spec(S((0, 3), "float32")), lambda: spec(jnp.ones((0, 3)))),
    "numpy": (lambda: spec(np.zeros((8,), "int32")), lambda: spec(np.arange(8, dtype="int32"))),
    "numpy number": (lambda: spec(np.float32(0)), lambda: spec(np.float32(3))),
    "numbers": (lambda: spec(0, 0.0, False, 0j), lambda: spec(3, 2.5, True, 1j)),
    "dict": (lambda: spec({"x": S((3,), "float32"), "y": [0, None]}), lambda: spec({"y": [4, None], "x": jnp.ones(3)})),
    "dataclass": (lambda: spec(Box(S((3,), "float32"))), lambda: spec(Box(jnp.ones(3)))),
    "named tuple": (lambda: spec(State({"w": S((3,), "float32")}, 0)), lambda: spec(State({"w": jnp.ones(3)}, 7))),
    "keyword": (lambda: spec(x=S((3,), "float32")), lambda: spec(x=jnp.ones(3))),
    "key": (lambda: spec(S((), jax.random.key(0).dtype)), lambda: spec(jax.random.key(7))),
    "keys": (lambda: spec(S((3,), jax.random.key(0).dtype)), lambda: spec(jax.random.split(jax.random.key(7), 3))),
    "rbg key": (lambda: spec(S((), jax.random.key(0, impl="rbg").dtype)), lambda: spec(jax.random.key(7, impl="rbg"))),
    "given key": (lambda: spec(jax.random.key(0)), lambda: spec(jax.random.key(7))),
    "given array": (lambda: spec(jnp.zeros(3)), lambda: spec(jnp.ones(3))),
    "device": (
        lambda: spec(S((4,), "float32", sharding=second_device())),
        lambda: spec(jax.device_put(np.ones(4, "float32"), jax.devices()[1])),
    ),
    "sharded": (
        lambda: spec(S((4, 8), "float32", sharding=sharding("d"))),
        lambda: spec(jax.device_put(np.ones((4, 8), "float32"), sharding("d"))),
    ),
    "sharded keys": (
        lambda: spec(S((4,), jax.random.key(0).dtype, sharding=sharding("d"))),
        lambda: spec(jax.device_put(jax.random.split(jax.random.key(7), 4), sharding("d"))),
    ),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CALLS)
def test_real_call_is_a_hit(name: str, threads: int) -> None:
    declared, real = (make() for make in CALLS[name])
    f = watched_jit(lambda *args, **kwargs: total(*args, **kwargs))

    with jitwatch.recording() as block:
        compiled = f.warm_up(declared, threads=threads)
    f(*real.args, **real.kwargs)

    assert compiled == 1
    assert f.cache_info()[:6] == (1, 1, 1, 1, 1, 1)
    assert [other.name for other in block.snapshot().others if other.stages.compiles] == []
    assert declared_for(watch_of(f), declared).covers(f.cache_key(*real.args, **real.kwargs))


@pytest.mark.parametrize("threads", [1, 3])
def test_every_declared_call_is_warmed_up_once(threads: int) -> None:
    @watched_jit(static_argnames="n")
    def f(x, n=1):
        return x * n

    specs = [spec(S((size,), "float32"), n=n) for size in range(1, 5) for n in (1, 2)]

    first, again = (f.warm_up(specs, threads=threads) for _ in range(2))
    before = f.cache_info()
    for size in range(1, 5):
        f(jnp.ones(size), n=1), f(np.ones(size, np.float32), n=2)

    info = f.cache_info()
    assert (first, again) == (8, 0)
    assert (before.hits, before.misses, before.compiles, before.traces) == (8, 8, 8, 8)
    assert (info.hits - before.hits, info.dispatch_only - before.dispatch_only, info.compiles) == (4, 4, 8)


def test_warm_calls_are_counted_at_the_line_of_the_warm_up() -> None:
    f = watched_jit(lambda x: x + 1)

    for threads in (1, 2):
        f.warm_up(spec(S((threads,), "float32")), threads=threads)

    stats = f.cache_stats()
    assert (stats.misses, stats.stages.compiles, stats.aot.compiles) == (2, 2, 1)
    assert {site.place.rpartition(":")[0] for site in stats.call_sites} == {__file__}


@pytest.mark.parametrize("threads", [1, 2])
def test_without_a_run_the_function_is_not_executed(threads: int) -> None:
    ran = []

    @watched_jit
    def f(x):
        jax.debug.callback(lambda: ran.append(1))
        return x + 1

    compiled = f.warm_up([spec(S((3,), "float32")), spec(S((4,), "float32"))], run=False, threads=threads)
    jax.effects_barrier()
    assert (compiled, ran, f.cache_info().misses) == (2, [], 0)

    f(jnp.ones(3))
    jax.effects_barrier()
    assert ran == [1]
    assert (f.cache_info().compiles, f.cache_info().dispatch_only) == (2, 1)


def test_run_executes_the_function() -> None:
    ran = []
    f = watched_jit(lambda x: jax.debug.callback(lambda: ran.append(1)))

    f.warm_up(spec(S((3,), "float32")))
    jax.effects_barrier()

    assert ran == [1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", [{"donate_argnums": 0}, {"donate_argnames": "state"}])
@pytest.mark.parametrize("by_keyword", [False, True])
def test_donated_arrays_of_the_caller_stay_alive(options: dict[str, Any], by_keyword: bool, threads: int) -> None:
    f = watched_jit(lambda state, x: jax.tree_util.tree_map(lambda leaf: leaf + x.sum(), state), **options)
    placed = jax.device_put(jnp.arange(4.0), sharding("d"))
    state = {"w": jnp.arange(4.0), "weak": jnp.full((4,), 2.0)}
    make = (lambda **kwargs: spec(**kwargs)) if by_keyword else (lambda **kwargs: spec(*kwargs.values()))

    f.warm_up([make(state=state, x=S((n,), "float32")) for n in (2, 3)], threads=threads)
    f.warm_up(make(state=placed, x=S((4,), "float32", sharding=sharding("d"))), threads=threads)

    np.testing.assert_array_equal(state["w"], np.arange(4.0))
    np.testing.assert_array_equal(placed, np.arange(4.0))
    before = f.cache_info()
    call = make(state=state, x=jnp.ones(2))
    f(*call.args, **call.kwargs)
    assert (f.cache_info().hits, f.cache_info().misses) == (before.hits + 1, before.misses)
    assert state["w"].is_deleted()


def test_methods_take_self_first() -> None:
    compiled = Model.step.warm_up(spec(MODEL, S((3,), "float32")))
    before = Model.step.cache_info()

    MODEL.step(jnp.ones(3))

    assert compiled == 1
    assert Model.step.cache_info().hits == before.hits + 1


set_mesh = getattr(jax, "set_mesh", None) or jax.sharding.use_mesh
CONTEXTS = {
    "precision": lambda: jax.default_matmul_precision("highest"),
    "mesh": lambda: set_mesh(sharding().mesh),
    "explicit mesh": lambda: set_mesh(jax.make_mesh((4,), ("d",), axis_types=(jax.sharding.AxisType.Explicit,))),
    "device": lambda: jax.default_device(jax.devices()[1]),
    "x64": lambda: jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64(),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CONTEXTS)
def test_program_is_that_of_the_settings_here(name: str, threads: int) -> None:
    f = watched_jit(lambda x, key: x @ x)

    with CONTEXTS[name]():
        f.warm_up(spec(S((3, 3), "float64"), jax.random.key(0)), threads=threads)
        f(jnp.ones((3, 3), "float64" if name == "x64" else "float32"), jax.random.key(1))

    assert (f.cache_info().hits, f.cache_info().compiles) == (1, 1)


def test_compiles_in_other_threads_and_traces_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from jitwatch._capture.hook.watch import Watch

    traced, compiled = set(), set()
    original = Watch.compile_lowered
    monkeypatch.setattr(Watch, "compile_lowered", lambda *a: (compiled.add(threading.get_ident()), original(*a)))

    @watched_jit
    def f(x):
        traced.add(threading.get_ident())
        return x + 1

    f.warm_up([spec(S((n,), "float32")) for n in range(1, 5)], threads=2)

    assert traced == {threading.get_ident()}
    assert compiled and threading.get_ident() not in compiled


EXAMPLE_STATE = State({"w": jnp.ones(3), "b": jnp.full((), 1.0)}, np.int32(3))


def step(state, batch, n=2):
    return State({k: v + batch["x"].sum() * n for k, v in state.params.items()}, state.step + 1)


@pytest.mark.parametrize("like", [(EXAMPLE_STATE, {"x": np.ones((4, 2), np.float32), "y": 1}),
                                  spec(EXAMPLE_STATE, {"x": np.ones((4, 2), np.float32), "y": 1})],
                         ids=["tuple", "spec"])  # fmt: skip
@pytest.mark.parametrize("specs", [
    [{"batch['x']": (n, 2)} for n in (8, 9)],
    [spec(..., {"x": np.zeros((n, 2), np.float32), "y": 0}) for n in (8, 9)],
], ids=["dict", "open argument"])  # fmt: skip
def test_example_gives_what_is_not_declared(specs: list[Any], like: Any) -> None:
    f = watched_jit(lambda state, batch: step(state, batch), donate_argnums=0)

    compiled = f.warm_up(specs, like=like)
    for n in (8, 9):
        state = State({"w": jnp.ones(3), "b": jnp.full((), 2.0)}, np.int32(7))
        f(state, {"x": np.ones((n, 2), np.float32), "y": 5})

    assert compiled == 2
    assert f.cache_info()[:2] == (2, 2)
    assert not EXAMPLE_STATE.params["w"].is_deleted()


@pytest.mark.parametrize(("example", "real"), [
    (lambda: jnp.ones(4, "int32"), lambda: jnp.ones(8, "int32")),
    (lambda: jnp.full((4,), 1.0), lambda: jnp.full((8,), 1.0)),
    (lambda: np.ones(4, "float16"), lambda: np.ones(8, "float16")),
    (lambda: jax.device_put(jnp.ones(4), jax.devices()[2]), lambda: jax.device_put(jnp.ones(8), jax.devices()[2])),
    (lambda: jax.device_put(jnp.ones(4), sharding("d")), lambda: jax.device_put(jnp.ones(8), sharding("d"))),
    (lambda: jax.random.split(jax.random.key(0), 4), lambda: jax.random.split(jax.random.key(0), 8)),
    (lambda: S((4,), "float32", sharding=sharding("d")), lambda: jax.device_put(jnp.ones(8), sharding("d"))),
], ids=["dtype", "weak", "numpy", "device", "sharded", "keys", "abstract"])  # fmt: skip
def test_shape_alone_leaves_the_rest_to_the_example(example: Any, real: Any) -> None:
    f = watched_jit(lambda x: total(x))

    f.warm_up({"x": (8,)}, like=(example(),))
    f(real())

    assert f.cache_info()[:2] == (1, 1)


def test_dict_replaces_static_arguments_and_whole_leaves() -> None:
    f = watched_jit(lambda x, n: x * n, static_argnums=1)

    f.warm_up([{"n": 5}, {"n": 6, "x": np.zeros(2, np.int32)}, {}], like=(jnp.ones(3), 4))
    f.warm_up(spec(S((9,), "float32"), ...), like=(1.0, 4))
    f(jnp.ones(3), 5), f(np.ones(2, np.int32), 6), f(jnp.ones(3), 4), f(jnp.ones(9), 4)

    assert f.cache_info()[:2] == (4, 4)


@pytest.mark.parametrize(("specs", "like", "message"), [
    ("x", None, "specs is 'x'; valid are"), ([3], None, "specs, entry 1 is 3; valid are"),
    ([spec(1, 2, 3, 4)], None, "entry 1: step(state, batch, n=2) cannot be called like this: too many positional"),
    ([spec(1)], None, "missing a required argument: 'batch'"),
    ([{"batch": (3,)}], None, "give a whole example call by like="),
    ([spec(..., 1)], None, "argument 'state' is `...`; give an example call by like="),
    ([spec(1, 1, n=...)], (1, 1), "the call given by like= has no such one"),
    ([{"batch['z']": (3,)}], (1, {"x": 1}), "valid are: state, batch['x']"),
    ([{"batches": (3,)}], (1, {"x": 1}), "valid are: batch, n, state"),
    ([{"batch['x']": "abc"}], (1, {"x": 1}), "is declared as 'abc'; valid are"),
    ([{"batch['x']": (3,)}], (1, {"x": 1}), "the example has the number 1 there"),
    ([{"batch['x']": (None,)}], (1, {"x": np.ones(3)}), "valid in `expect` only"),
    ([spec({"x": ...}, 1)], None, "`...` stands for a whole argument"),
    ([spec(1, 1)], 3, "like is of type int; valid are"), ([spec(1, 1)], spec(..., 1), "like leaves an argument open"),
    ([spec(1, 1)], (1,), "missing a required argument"),
])  # fmt: skip
def test_nonsense_is_one_clear_error_and_nothing_is_compiled(specs: Any, like: Any, message: str) -> None:
    f = watched_jit(step)

    with pytest.raises(JitwatchError) as error:
        f.warm_up(specs, like=like)

    assert message in str(error.value)
    assert f.cache_info().traces == 0


@pytest.mark.parametrize("threads", [0, 1.5, None, True])
def test_wrong_number_of_threads_is_an_error(threads: Any) -> None:
    with pytest.raises(JitwatchError, match="threads is"):
        watched_jit(step).warm_up([], threads=threads)


@pytest.mark.parametrize("run", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_error_names_the_declared_call_and_what_is_done_stays(threads: int, run: bool) -> None:
    @watched_jit
    def f(x):
        if x.shape == (5,):
            raise ZeroDivisionError("five")
        return x + 1

    with pytest.raises(ZeroDivisionError, match="five") as error:
        f.warm_up([spec(S((n,), "float32")) for n in (1, 2, 3, 4, 5, 6)], threads=threads, run=run)

    assert "jitwatch: in the warm-up, spec 5 of 6: jitwatch.spec(float32[5])" in error.value.__notes__
    compiles = f.cache_info().compiles
    f(jnp.ones(1))
    assert compiles == 4
    assert f.cache_info().compiles == compiles


@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt_ends_the_warm_up(threads: int) -> None:
    @watched_jit
    def f(x):
        if x.shape == (3,):
            raise KeyboardInterrupt
        return x + 1

    with pytest.raises(KeyboardInterrupt):
        f.warm_up([spec(S((n,), "float32")) for n in range(1, 9)], threads=threads)

    assert f.cache_info().traces == 3
    for thread in threading.enumerate():  # XLA finishes what it is at
        if thread.name.startswith("jitwatch-warm-up"):
            thread.join()
    assert f.warm_up(spec(S((9,), "float32")), threads=threads) == 1


def test_progress_goes_to_standard_error_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    @watched_jit
    def mesh_step(x):
        return x

    mesh_step.warm_up([spec(1), spec(1.0)], progress=True)
    shown = capsys.readouterr()
    mesh_step.warm_up([spec(1), spec(1.0)])
    hidden = capsys.readouterr()

    assert shown.out == "" and "mesh_step" in shown.err and "2/2" in shown.err
    assert (hidden.out, hidden.err) == ("", "")


def test_a_run_says_which_warm_calls_it_made() -> None:
    @watched_jit
    def step(x):
        return x + 1

    step.warm_up([jitwatch.spec(np.zeros(3, np.float32)), jitwatch.spec(np.zeros(5, np.float32))])
    for size in (3, 3, 9):
        step(np.zeros(size, np.float32))
    keys = step.cache_stats().keys

    assert [(each.warmed, each.misses, each.hits) for each in keys] == [(1, 1, 2), (1, 1, 0), (0, 1, 0)]
