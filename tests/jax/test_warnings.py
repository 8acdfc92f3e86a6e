"""Churn is said once for each function and cause, at the user's line; what is as it should be is never said."""

from __future__ import annotations

import functools
import logging
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jitwatch
from jitwatch import watched_jit
from jitwatch._model import Alert

PACKAGE = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    jitwatch.reset()


def said(program: Callable[[], Any]) -> list[warnings.WarningMessage]:
    """The warnings of jitwatch that a program gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program()
    return [each for each in caught if issubclass(each.category, jitwatch.RecompilationWarning)]


def sizes(jit: Any, count: int, first: int = 3, step: int = 2) -> None:
    f = jit(lambda x: x * 2)
    for size in range(first, first + step * count, step):
        f(np.ones(size, np.float32))


class Opaque:
    def __init__(self, value: float = 2.0) -> None:
        self.value = value


def dtypes(jit: Any) -> None:
    f = jit(lambda x: x + x)
    for dtype in ("int8", "int16", "int32", "uint8", "float16"):
        f(np.ones(3, dtype))


def weak_types(jit: Any, sizes: tuple[int, ...] = (8, 16)) -> None:
    f = jit(lambda x, y: x + y)
    for size in sizes:
        for value in (jnp.float32(1), 1.0):
            f(jnp.ones(size), value)


def statics(jit: Any) -> None:
    f = jit(lambda x, n: x * n, static_argnames="n")
    for step in range(5):
        f(jnp.ones(3), n=step)


def objects(jit: Any) -> None:
    f = jit(lambda x, config: x * config.value, static_argnames="config")
    for _ in range(5):
        f(jnp.ones(3), config=Opaque())


def functions(jit: Any) -> None:
    for _ in range(5):
        jit(lambda x: x * 2)(jnp.ones(3))


def closures(jit: Any) -> None:
    for rate in range(5):
        jit(lambda x: x * rate)(jnp.ones(3))  # noqa: B023


def structures(jit: Any) -> None:
    f = jit(lambda batch: sum(batch.values()))
    for count in range(1, 6):
        f({f"x{i}": jnp.ones(3) for i in range(count)})


def contexts(jit: Any) -> None:
    f = jit(lambda x: x @ x)
    for rank in ("allow", "warn", "raise"):
        for dtype in ("standard", "strict"):
            with jax.numpy_rank_promotion(rank), jax.numpy_dtype_promotion(dtype):
                f(np.ones((3, 3), np.float32))


def precisions(jit: Any) -> None:
    f = jit(lambda x: x @ x)
    for precision in ("default", "high", "highest"):
        with jax.default_matmul_precision(precision):
            f(np.ones((3, 3), np.float32))


def shardings(jit: Any) -> None:
    f = jit(lambda x: x * 2)
    for devices in (1, 2, 4):
        mesh = Mesh(np.array(jax.devices()[:devices]), "a")
        for spec in (PartitionSpec(), PartitionSpec("a")):
            f(jax.device_put(jnp.ones(8), NamedSharding(mesh, spec)))


def cleared(jit: Any) -> None:
    f = jit(lambda x: x * 2)
    for _ in range(5):
        f(jnp.ones(3))
        f.clear_cache()


CHURN: dict[str, tuple[Callable[[Any], None], type[Warning], str]] = {
    "shape": (lambda jit: sizes(jit, 5), jitwatch.ShapeChurnWarning, "JW101"),
    "weak_type": (lambda jit: weak_types(jit, (8, 16, 32, 64)), jitwatch.DtypeChurnWarning, "JW103"),
    "static_value": (statics, jitwatch.StaticArgChurnWarning, "JW201"),
    "static_identity": (objects, jitwatch.IdentityChurnWarning, "JW202"),
    "function_identity": (functions, jitwatch.IdentityChurnWarning, "JW301"),
    "function_identity, a value": (closures, jitwatch.IdentityChurnWarning, "JW301"),
    "tree_structure": (structures, jitwatch.StructureChurnWarning, "JW107"),
    "config_context": (contexts, jitwatch.ContextChurnWarning, "JW401"),
    "cache_cleared": (cleared, jitwatch.CacheChurnWarning, "JW502"),
    "sharding": (shardings, jitwatch.ShardingChurnWarning, "JW104"),
}


@pytest.mark.parametrize("cause", CHURN)
def test_churn_is_said_once_with_cause_place_and_fix(cause: str) -> None:
    program, category, code = CHURN[cause]
    cause = cause.partition(",")[0]

    (warning,) = said(lambda: program(watched_jit))

    first, differences, fix = str(warning.message).split("\n")
    alert = warning.message.alert
    assert (alert.kind, alert.cause, alert.code, alert.compiles) == ("churn", cause, code, 4)
    assert category is warning.category
    assert warning.filename == __file__
    assert f"{__file__}:{warning.lineno}" == alert.call_site
    assert "compiled 4 times more than needed" in first and f"({cause})" in first
    assert differences.startswith("  ") and fix.startswith("  fix: ") and code in fix


@pytest.mark.parametrize("program", [
    lambda jit: sizes(jit, 4),
    lambda jit: sizes(jit, 20, first=8, step=8),  # buckets that are warmed up
    lambda jit: list(map(jit(lambda n: jnp.zeros(n), static_argnums=0), (2**n for n in range(8)))),
    weak_types,
    lambda jit: [sizes(jit, 1, first=size) for size in range(3)],
    lambda jit: [jit(lambda x, k=k: x * k)(1.0) for k in (2, 3)],
    lambda jit: [jax.vmap(jax.grad(jit(lambda x: x**2)))(jnp.ones(4)) for _ in range(3)],
    dtypes,  # may be a policy, so it waits for the report
    precisions,
], ids=["few", "buckets", "static buckets", "weak types, few", "one each", "two rates", "transforms", "dtypes", "precisions"])  # fmt: skip
def test_what_is_as_it_should_be_is_not_said(program: Callable[[Any], Any]) -> None:
    assert said(lambda: program(watched_jit)) == []


def test_buckets_that_go_on_for_ever_are_said_in_the_end() -> None:
    assert len(said(lambda: sizes(watched_jit, 40, first=8, step=8))) == 1


@pytest.mark.parametrize(("step", "warnings"), [(8, 0), (7, 1)], ids=["chosen", "from data"])
def test_sizes_that_come_back_are_said_unless_somebody_chose_them(step: int, warnings: int) -> None:
    def program() -> None:
        f = watched_jit(lambda x: x * 2)
        for _ in range(5):
            for size in range(step, 10 * step, step):
                f(np.ones(size + (step == 7), np.float32))

    assert len(said(program)) == warnings


def test_different_lines_are_different_uses() -> None:
    def program() -> None:
        f = watched_jit(lambda x: x * 2)
        f(np.ones(3))
        f(np.ones(5))
        f(np.ones(7))
        f(np.ones(9))
        f(np.ones(11))
        f(np.ones(13))

    assert said(program) == []


def test_it_is_said_again_at_ten_times_as_much() -> None:
    found = said(lambda: sizes(watched_jit, 60))

    assert [each.message.alert.compiles for each in found[:1]] == [4]
    assert len(found) == 2 and 40 <= found[1].message.alert.compiles <= 50


def test_threshold_is_an_argument_and_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(lambda: sizes(functools.partial(watched_jit, warn_compiles=7), 7)) == []
    jitwatch.reset()
    assert len(said(lambda: sizes(functools.partial(watched_jit, warn_compiles=2), 3))) == 1
    jitwatch.reset()
    monkeypatch.setenv("JITWATCH_WARN_COMPILES", "2")
    assert len(said(lambda: sizes(watched_jit, 3, first=5))) == 1


def test_long_compilations_are_said_before_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_WARN_S", "0.000001")

    (warning,) = said(lambda: [weak_types(watched_jit)])

    assert warning.message.alert.cause == "weak_type" and warning.message.alert.compiles == 1


def test_long_compilations_that_may_be_a_warm_up_are_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_WARN_S", "0.000001")

    assert said(lambda: sizes(watched_jit, 4)) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_warm_up_is_no_churn_whatever_the_sizes(threads: int) -> None:
    f = watched_jit(lambda x: x * 2)

    assert said(lambda: f.warm_up([jitwatch.spec(np.zeros(size)) for size in range(3, 23, 2)], threads=threads)) == []
    assert f.check() == []


def test_churn_after_a_warm_up_is_said() -> None:
    f = watched_jit(lambda x: x * 2)
    f.warm_up([jitwatch.spec(np.zeros(size)) for size in (8, 16)])

    (warning,) = said(lambda: [f(np.zeros(size)) for size in range(3, 23, 2)])

    assert warning.message.alert.cause == "shape"


def test_function_watched_with_all_others_does_not_warn() -> None:
    with jitwatch.watching(count_hits=True):
        assert said(lambda: sizes(jax.jit, 8)) == []


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def test_place_is_the_callers_line_through_decorators_and_libraries() -> None:
    f = decorated(decorated(watched_jit(lambda x: x * 2)))

    def program() -> None:
        for size in range(3, 13, 2):
            jax.tree_util.tree_map(f, np.ones(size, np.float32))  # this line

    (warning,) = said(program)

    assert "this line" in Path(__file__).read_text(encoding="utf-8").splitlines()[warning.lineno - 1]


def test_a_factorys_line_is_the_users_if_it_is_no_wrapper() -> None:
    f = watched_jit(lambda x: x * 2)

    def evaluate(*sizes: int) -> None:
        for size in sizes:
            f(np.ones(size, np.float32))  # that line

    (warning,) = said(lambda: evaluate(3, 5, 7, 9, 11))

    assert "that line" in Path(__file__).read_text(encoding="utf-8").splitlines()[warning.lineno - 1]


def test_warning_as_error_reaches_the_call_and_leaves_no_key_slow() -> None:
    f = watched_jit(lambda x: x * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", jitwatch.RecompilationWarning)
        with pytest.raises(jitwatch.ShapeChurnWarning, match="more than needed"):
            for size in range(3, 23, 2):
                f(np.ones(size, np.float32))
    x = np.ones(size, np.float32)
    f(x), f(x)  # heals
    before = f.cache_info()

    for _ in range(5):
        assert f(x).shape == (size,)

    assert f.cache_info().hits == before.hits + 5 and f.cache_info().misses == before.misses


def test_mode_error_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MODE", "error")

    with pytest.raises(jitwatch.RecompilationError, match="more than needed") as caught:
        sizes(watched_jit, 8)

    assert caught.value.alert.cause == "shape"


def test_alert_is_logged_where_there_is_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="jitwatch"):
        said(lambda: sizes(watched_jit, 5))

    (record,) = caplog.records
    assert record.levelname == "WARNING" and "more than needed" in record.getMessage()
    assert record.jitwatch["cause"] == "shape"


def test_alert_is_an_event() -> None:
    events: list[Alert] = []
    end = jitwatch.subscribe(lambda event: events.append(event) if isinstance(event, Alert) else None)
    try:
        said(lambda: sizes(watched_jit, 5))
    finally:
        end()

    assert [event.cause for event in events] == ["shape"]


def test_a_flood_is_held_back_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitwatch._policy.say.WINDOW_S", 1e9)
    source = "\n".join(f"def f{i}(x): return x * {i}\n" for i in range(25))
    made: dict[str, Any] = {}
    exec(compile(source, __file__, "exec"), made)

    def program() -> None:
        for i in range(25):
            f = watched_jit(made[f"f{i}"], warn_compiles=1)
            for size in (3, 5, 7):
                f(np.ones(size, np.float32))

    found = said(program)
    monkeypatch.setattr("jitwatch._policy.say.WINDOW_S", 0.0)
    (last,) = said(lambda: sizes(watched_jit, 5, first=4))

    assert len(found) == 20
    assert "5 more such warnings were held back" in str(last.message)


def test_threads_do_not_say_it_twice() -> None:
    f = watched_jit(lambda x: x * 2)

    def work(first: int) -> None:
        for size in range(first, first + 60, 6):
            f(np.ones(size, np.float32))

    def program() -> None:
        threads = [threading.Thread(target=work, args=(first,)) for first in (3, 5, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(said(program)) == 1
