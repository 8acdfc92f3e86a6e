"""`install()` watches every function that is jitted afterwards, and changes nothing else."""

from __future__ import annotations

import copy
import functools
import logging
import pickle
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import jitwatch
from jitwatch._model import FunctionStats
from jitwatch._report.recording.text import render

PACKAGE = Path(__file__).parents[2]
PLAIN = (jax.jit,)  # in a tuple, where `install` does not find it
jit_copy = jax.jit  # as `from jax import jit` makes one


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    yield
    jitwatch.uninstall()
    assert jax.jit is PLAIN[0]


@pytest.fixture
def installed() -> Iterator[Any]:
    """What was recorded since the test began, with hits counted."""
    jitwatch.install(count_hits=True)
    with jitwatch.recording() as recording:
        yield recording


def only(recording: Any, name: str) -> FunctionStats:
    (function,) = (each for each in recording.snapshot().functions if each.name == name and each.stages.traces)
    return function


def module_level(x: Any) -> Any:
    return x + 1


FORMS: dict[str, Callable[[Any], Any]] = {
    "call": lambda function: jax.jit(function),
    "with options": lambda function: jax.jit(function, static_argnames=()),
    "partial": lambda function: functools.partial(jax.jit, static_argnums=())(function),
    "copy": lambda function: jit_copy(function),
    "of a jitted function": lambda function: jax.jit(PLAIN[0](function)),
}
if jax.version.__version_info__ >= (0, 8, 1):
    FORMS["factory"] = lambda function: jax.jit(static_argnums=())(function)


@pytest.mark.parametrize("form", FORMS)
def test_jitted_function_keeps_its_type_and_is_counted(form: str, installed: Any) -> None:
    def function(x: Any) -> Any:
        return x + 1

    plain = PLAIN[0](function)

    jitted = FORMS[form](function)
    results = [jitted(jnp.ones(n)) for n in (2, 2, 3)]

    assert type(jitted) is type(plain)
    assert set(dir(jitted)) == set(dir(plain))
    assert [result.shape for result in results] == [(2,), (2,), (3,)]
    recorded = only(installed, "function")
    assert (recorded.hits, recorded.misses, recorded.stages.compiles) == (1, 2, 2)
    assert recorded.defined_at == f"{__file__}:{function.__code__.co_firstlineno}"


def test_jit_itself_looks_like_the_plain_one(installed: Any) -> None:
    assert (jax.jit.__name__, jax.jit.__module__, jax.jit.__doc__) == (
        PLAIN[0].__name__,
        PLAIN[0].__module__,
        PLAIN[0].__doc__,
    )
    with pytest.raises(TypeError) as error:
        jax.jit(module_level, nonsense=1)
    with pytest.raises(TypeError) as plain_error:
        PLAIN[0](module_level, nonsense=1)
    assert str(error.value) == str(plain_error.value)


def test_copies_in_modules_are_replaced_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("somebodys_module")
    module.jit = module.other_name = jax.jit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys_module", module)

    jitwatch.install()
    during = module.jit, module.other_name, jit_copy, jax.jit
    module.later = jax.jit  # type: ignore[attr-defined]
    jitwatch.uninstall()

    assert all(each is not PLAIN[0] for each in during)
    assert (module.jit, module.other_name, jit_copy, jax.jit) == PLAIN * 4


def test_what_a_program_put_in_place_of_jit_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("somebodys_module")
    module.jit = jax.jit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebodys_module", module)

    jitwatch.install()
    module.jit = None  # type: ignore[attr-defined]
    jitwatch.uninstall()

    assert module.jit is None


def test_copies_taken_while_installed_are_watching_only_while_installed() -> None:
    jitwatch.install()
    taken = jax.jit
    jitwatch.uninstall()
    with jitwatch.recording() as recording:
        taken(lambda x: x)(1.0)

    assert [each.misses for each in recording.snapshot().functions if each.misses] == []


def test_installing_twice_is_once_and_blocks_nest() -> None:
    jitwatch.install()
    first = jax.jit
    jitwatch.install(count_hits=True)
    with jitwatch.watching(count_hits=True):
        inside = jax.jit
    after = jax.jit
    jitwatch.uninstall()
    jitwatch.uninstall()

    assert first is inside is after is not PLAIN[0]


def test_blocks_on_several_threads_end_when_the_last_one_does() -> None:
    entered, leave = threading.Barrier(2), threading.Event()

    def block() -> None:
        with jitwatch.watching():
            entered.wait()
            leave.wait()

    thread = threading.Thread(target=block)
    thread.start()
    with jitwatch.watching():
        entered.wait()
    still = jax.jit
    leave.set()
    thread.join()

    assert still is not PLAIN[0]
    assert jax.jit is PLAIN[0]


def test_install_on_many_threads_patches_once() -> None:
    threads = [threading.Thread(target=jitwatch.install) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert jax.jit.__wrapped__ is PLAIN[0]


def test_functions_of_one_name_are_kept_apart_and_remade_ones_grouped(installed: Any) -> None:
    def make(k: int) -> Any:
        return jax.jit(lambda x: x * k)

    first = jax.jit(lambda x: x + 1)
    second = jax.jit(lambda x: x + 2)
    for function in (first, second, *(make(k) for k in range(3))):
        function(1.0)

    text = render(installed.snapshot(), width=200)
    assert [each.misses for each in installed.snapshot().functions if each.misses] == [1] * 5
    headings = [line for line in text.splitlines()[1:] if line.startswith("lambda at ")]
    assert len(headings) == 3
    assert [line.endswith(" \u00d73 objects") for line in headings].count(True) == 1


def test_eager_operations_have_line_avals_counts_and_seconds(installed: Any) -> None:
    for n in (17, 17, 19):
        jnp.arange(n)
    line = test_eager_operations_have_line_avals_counts_and_seconds.__code__.co_firstlineno + 2

    (iota,) = (each for each in installed.snapshot().others if each.name == "iota")
    assert iota.stages.compiles == 2
    assert iota.stages.compile_s > 0
    assert [site.place for site in iota.call_sites] == [f"{__file__}:{line}"]
    assert len(iota.keys) == 2


def test_functions_jitted_before_are_told_by_their_definition(installed: Any) -> None:
    def made(factor: int) -> Any:
        def before(x: Any) -> Any:
            return x * factor

        return PLAIN[0](before), before.__code__.co_firstlineno

    def before(x: Any) -> Any:
        return x + 1

    one, line = made(2)
    for size in (41, 42):
        one(np.ones(size)), PLAIN[0](before)(np.ones(size))

    found = {each.defined_at: each for each in installed.snapshot().others if each.name == "before"}
    assert found.keys() == {f"{__file__}:{line}", f"{__file__}:{before.__code__.co_firstlineno}"}
    assert [each.stages.compiles for each in found.values()] == [2, 2]
    assert [len(each.keys) for each in found.values()] == [2, 2]


def test_functions_of_jax_have_no_definition_of_the_program(installed: Any) -> None:
    jnp.linalg.norm(jnp.arange(43.0))

    others = installed.snapshot().others
    assert others
    assert {each.defined_at for each in others} == {""}


def test_eager_backward_pass_is_linked_to_the_function(installed: Any) -> None:
    @jax.jit
    def loss(w: Any) -> Any:
        return (w * w).sum()

    jax.grad(loss)(jnp.arange(13.0))
    jax.vjp(loss, jnp.arange(14.0))[1](1.0)

    function = only(installed, "loss")
    assert function.nested == 2
    assert function.backward.compiles == 2
    assert not any(other.name == "loss" for other in installed.snapshot().others)
    assert {miss.kind for miss in installed.snapshot().misses if miss.function == function.id} == {"nested", "backward"}


def test_work_ahead_of_time_is_counted_as_such(installed: Any) -> None:
    @jax.jit
    def ahead(x: Any) -> Any:
        return x + 1

    compiled = ahead.lower(jnp.ones(31)).compile()
    compiled(jnp.ones(31)), compiled(jnp.ones(31))
    shape = ahead.eval_shape(jnp.ones(32)).shape

    function = only(installed, "ahead")
    assert shape == (32,)
    assert (function.misses, function.aot.traces, function.aot.compiles) == (0, 2, 1)
    assert not any(other.name == "ahead" for other in installed.snapshot().others)


def test_ahead_of_time_of_functions_that_are_not_watched_works_as_before(installed: Any) -> None:
    jitted = PLAIN[0](lambda x: x + 1)

    text = jitted.lower(jnp.ones(5)).as_text()

    assert "stablehlo.add" in text
    with pytest.raises(TypeError, match="missing"):
        jitted.lower()


def test_pmap_and_shard_map_compiles_are_in_the_report(installed: Any) -> None:
    mesh = Mesh(np.array(jax.devices()[:2]), ("a",))
    shard_map = getattr(jax, "shard_map", None)
    if shard_map is None:
        from jax.experimental.shard_map import shard_map
    sharded = jax.jit(shard_map(lambda x: x * 3, mesh=mesh, in_specs=PartitionSpec("a"), out_specs=PartitionSpec("a")))

    sharded(jnp.ones(4)), sharded(jnp.ones(4))
    before = installed.snapshot()
    jax.pmap(lambda x: x * 5)(jnp.ones((2, 3)))

    counts = [(each.hits, each.misses) for each in before.functions if each.misses]
    assert counts == [(1, 1)]
    compiles = [sum(each.stages.compiles for each in data.others) for data in (before, installed.snapshot())]
    assert compiles[1] > compiles[0]


def test_functions_of_jax_itself_stay_as_they_are(installed: Any) -> None:
    jnp.linalg.norm(jnp.ones(37)), jax.random.normal(jax.random.key(0), (37,))

    assert not [each for each in installed.snapshot().functions if each.misses or each.nested]


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps], ids=["pickle", "cloudpickle"])
def test_hooked_function_pickles_and_copies_as_a_plain_one(dumps: Any, installed: Any) -> None:
    def attempt(make: Any, function: Any) -> Any:
        try:
            return type(make(function))
        except Exception as error:
            return type(error), str(error).split(" at 0x")[0]

    plain, hooked = PLAIN[0](module_level), jax.jit(module_level)
    for way in (lambda f: pickle.loads(dumps(f)), copy.copy, copy.deepcopy):
        assert attempt(way, hooked) == attempt(way, plain)


def test_errors_of_the_program_pass_unchanged(installed: Any) -> None:
    @jax.jit
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as error:
        fails(1.0)

    files = {frame.path for frame in error.traceback}
    assert not any("jitwatch/_capture" in str(path) for path in files)
    assert only(installed, "fails").failures == 1


@pytest.mark.parametrize(
    "begin", [jitwatch.install, lambda: jitwatch.watching().__enter__()], ids=["install", "watching"]
)
def test_bad_setting_leaves_nothing_installed(begin: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MAX_KEYS", "many")

    with pytest.raises(jitwatch.JitwatchError, match="JITWATCH_MAX_KEYS"):
        begin()

    monkeypatch.delenv("JITWATCH_MAX_KEYS")
    with jitwatch.watching():
        assert jax.jit is not PLAIN[0]
    assert jax.jit is PLAIN[0]


def test_logger_of_jitwatch_stays_silent(installed: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "jitwatch"):
        jax.jit(module_level)(jnp.ones(41))

    assert not [record for record in caplog.records if record.name == "jitwatch"]
