"""`freeze` and `no_compiles`: whatever would compile is stopped before XLA, and nothing else is."""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import freeze_cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from freeze_cases import CASES, Case

import jitwatch
from jitwatch import RecompilationError, watched_jit


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    jitwatch.reset()
    yield
    jitwatch.unfreeze()


@pytest.mark.parametrize("cause", CASES)
def test_what_would_compile_is_stopped_before_xla(cause: str, backend_compiles: list[str]) -> None:
    case = CASES[cause]()
    case.warm(), case.warm()
    backend_compiles.clear()

    with jitwatch.no_compiles():
        case.warm()
        for _ in range(2):
            with pytest.raises(RecompilationError) as caught:
                case.cold()
        if cause != "cache_cleared":
            case.warm()

    assert (caught.value.alert.kind, caught.value.alert.cause) == ("frozen", cause)
    assert backend_compiles == []
    assert freeze_cases.__file__ in str(caught.value)
    with jitwatch.no_compiles(on_excess="warn"), warnings.catch_warnings():
        warnings.simplefilter("ignore", jitwatch.RecompilationWarning)
        result = case.cold()  # the call can be made now, and gives what it should
    assert jax.tree_util.tree_leaves(result)
    assert len(backend_compiles) >= 1


# Not those whose call is another function, never takes the fast path, or clears the cache.
FAST = [cause for cause in CASES if cause not in ("function_identity", "transform", "cache_cleared", "first")]


@pytest.mark.parametrize("cause", FAST)
def test_stopped_key_is_on_the_fast_path_once_it_may_compile(cause: str) -> None:
    case = CASES[cause]()
    case.warm()
    with jitwatch.no_compiles(), pytest.raises(RecompilationError):
        case.cold()
    case.cold(), case.cold()
    with jitwatch.recording() as recorded:
        for _ in range(5):
            case.cold(), case.warm()
    (stats,) = (each for each in recorded.snapshot().functions if each.hits + each.misses)

    assert (stats.hits, stats.misses) == (10, 0)


def numpy_for_jax() -> Case:
    f = watched_jit(lambda x: x * 2)
    return Case(lambda: f(jnp.ones(3)), lambda: f(np.ones(3, np.float32)))


def callbacks() -> Case:
    f = watched_jit(lambda x: (jax.debug.callback(lambda value: None, x), x * 2)[1])
    return Case(lambda: f(jnp.ones(3)), lambda: f(jnp.ones(3)))


def transformed() -> Case:
    f = watched_jit(lambda x: (x * 2).sum())
    x = jnp.ones(3)

    def both() -> Any:
        return jax.grad(f)(x), jax.vmap(f)(jnp.ones((4, 3))), jax.value_and_grad(f)(x)

    return Case(both, both)


def other_thread() -> Case:
    f, x = watched_jit(lambda x: x * 2), jnp.ones(3)

    def from_thread() -> None:
        errors: list[BaseException] = []

        def call() -> None:
            try:
                f(x)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert errors == []

    return Case(lambda: f(x), from_thread)


def ahead_of_time() -> Case:
    f, x = watched_jit(lambda x: x * 2), jnp.ones(3)
    compiled = f.lower(x).compile()
    f(x)
    return Case(lambda: compiled(x), lambda: (compiled(x), f.lower(jnp.ones(3)), f.eval_shape(x), f.trace(x)))


def looked_into() -> Case:
    f, x = watched_jit(lambda x: x * 2), jnp.ones(3)
    return Case(lambda: f(x), lambda: (f.cache_keys()[0].hlo(), f.cache_keys()[0].jaxpr(), f.cache_report()))


def evicted() -> Case:
    f, x = watched_jit(lambda x: x * 2), jnp.ones(3)
    return Case(lambda: f(x), lambda: (f._clear_cache(), f(x)))


@pytest.mark.parametrize(
    "make", [numpy_for_jax, callbacks, transformed, other_thread, ahead_of_time, looked_into, evicted]
)
def test_what_compiles_nothing_does_not_trip(make: Callable[[], Case]) -> None:
    case = make()
    case.warm()
    jitwatch.freeze()

    for _ in range(3):
        case.cold()
        case.warm()


def test_eager_operation_is_stopped_with_its_line_and_stays_fast(backend_compiles: list[str]) -> None:
    jitwatch.freeze()

    with pytest.raises(RecompilationError, match="an eager operation or a function that is not watched") as caught:
        jnp.ones(1234)

    jitwatch.unfreeze()
    assert caught.value.alert.call_site.startswith(__file__)
    assert backend_compiles == []
    assert jnp.ones(1234).shape == (1234,)


def test_plain_jitted_function_that_was_stopped_is_not_left_slow() -> None:
    f, x = jax.jit(lambda x: x * 2), jnp.ones(3)
    with jitwatch.no_compiles(), pytest.raises(RecompilationError):
        f(x)
    f(x), f(x)
    python_calls: list[str] = []

    sys.setprofile(lambda frame, event, _: python_calls.append(frame.f_code.co_name) if event == "call" else None)
    f(x)
    sys.setprofile(None)

    assert "cache_miss" not in python_calls


def test_eager_operations_can_be_left_alone() -> None:
    f = watched_jit(lambda x: x * 2)

    with jitwatch.no_compiles(eager=False):
        x = jnp.ones(1235)
        with pytest.raises(RecompilationError):
            f(x)


@pytest.mark.parametrize("name", ["object", "name"])
def test_named_functions_only(name: str) -> None:
    def frozen(x: Any) -> Any:
        return x * 2

    f, g = watched_jit(frozen), watched_jit(lambda x: x * 3)

    with jitwatch.no_compiles(f if name == "object" else "frozen"):
        g(jnp.ones(1236))
        with pytest.raises(RecompilationError, match="frozen"):
            f(np.ones(3))


def test_this_thread_only() -> None:
    f = watched_jit(lambda x: x * 2)
    done = []
    with jitwatch.no_compiles(this_thread=True):
        thread = threading.Thread(target=lambda: done.append(f(np.ones(3))))
        thread.start()
        thread.join()
        with pytest.raises(RecompilationError):
            f(np.ones(4))

    assert len(done) == 1


def test_all_threads() -> None:
    f = watched_jit(lambda x: x * 2)
    errors: list[str] = []

    def call() -> None:
        try:
            f(np.ones(3))
        except RecompilationError as error:
            errors.append(str(error))

    with jitwatch.no_compiles():
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()

    assert len(errors) == 1 and "It was not compiled before." in errors[0]


def test_blocks_nest_and_end() -> None:
    f = watched_jit(lambda x: x * 2)
    with jitwatch.no_compiles(f):
        with jitwatch.no_compiles():
            pass
        with pytest.raises(RecompilationError):
            f(np.ones(3))
    jitwatch.freeze()
    jitwatch.freeze("<lambda>")
    jitwatch.unfreeze()

    f(np.ones(3))


def test_warn_lets_it_compile_and_says_it_once() -> None:
    f = watched_jit(lambda x: x * 2)
    f(np.ones(3, np.float32))
    with (
        jitwatch.no_compiles(on_excess="warn"),
        pytest.warns(jitwatch.ShapeChurnWarning, match="no_compiles") as caught,
    ):
        for size in range(4, 7):
            f(np.ones(size, np.float32))

    assert len(caught) == 1 and caught[0].filename == __file__
    assert f.cache_info().compiles == 4


def test_lowered_program_is_stopped_when_it_is_compiled(backend_compiles: list[str]) -> None:
    f = watched_jit(lambda x: x * 2)
    lowered = f.lower(np.ones(3, np.float32))
    with jitwatch.no_compiles(f), pytest.raises(RecompilationError):
        lowered.compile()

    assert backend_compiles == []
    lowered.compile()


def test_call_within_an_outer_jit_is_stopped_with_it() -> None:
    inner = watched_jit(lambda x: x * 2)
    outer = watched_jit(lambda x: inner(x) + 1)
    with jitwatch.no_compiles(), pytest.raises(RecompilationError):
        outer(np.ones(3))
    with jitwatch.no_compiles(inner):
        outer(np.ones(3))  # inner compiles nothing of its own


@contextlib.contextmanager
def persistent_cache(folder: Path) -> Iterator[None]:
    options = {
        "jax_compilation_cache_dir": str(folder), "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }  # fmt: skip
    before = {name: getattr(jax.config, name) for name in options}
    from jax.experimental.compilation_cache import compilation_cache

    for name, value in options.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def test_load_from_the_persistent_cache_is_allowed_unless_forbidden(tmp_path: Path) -> None:
    f = watched_jit(lambda x: x * 2)
    with persistent_cache(tmp_path):
        f(np.ones(3, np.float32))
        jax.clear_caches()
        with jitwatch.no_compiles(f):
            f(np.ones(3, np.float32))
            with pytest.raises(RecompilationError, match="no_compiles") as caught:
                f(np.ones(4, np.float32))  # no entry
        jax.clear_caches()
        with jitwatch.no_compiles(f, allow_loads=False), pytest.raises(RecompilationError):
            f(np.ones(3, np.float32))

    info = f.cache_info()
    assert caught.value.alert.cause == "shape"
    assert (info.compiles, info.loads, info.failures) == (1, 1, 2)


def test_bad_use_says_what_is_valid() -> None:
    with pytest.raises(jitwatch.JitwatchError, match="valid are 'raise', 'warn'"):
        jitwatch.freeze(on_excess="explode")
    with pytest.raises(jitwatch.JitwatchError, match="is not a watched function"):
        jitwatch.freeze(jax.jit(lambda x: x))
    jitwatch.unfreeze()


def test_error_can_be_pickled() -> None:
    import pickle

    f = watched_jit(lambda x: x * 2)
    with jitwatch.no_compiles(), pytest.raises(RecompilationError) as caught:
        f(np.ones(3))

    copy = pickle.loads(pickle.dumps(caught.value))

    assert str(copy) == str(caught.value) and copy.alert == caught.value.alert
