"""`watched_jit` of a jitted function is `jax.jit` of it; `watch` takes it as it is. Copies, and who is blamed."""

from __future__ import annotations

import copy
import functools
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from side_by_side import outcome, same

import jitwatch
from jitwatch import JitwatchError, RecompilationError, watch, watched_jit


def double(x: Any, n: int = 2) -> Any:
    return x * n


def inner_of(kind: str, jit: Any) -> Any:
    """What jits the inner function: JAX itself, or the same as the outer one."""
    return jax.jit if kind == "plain" else jit


@pytest.mark.parametrize("kind", ["plain", "same"])
def test_donation_of_the_inner_function_is_not_taken_over(kind: str) -> None:
    def observe(jit: Any) -> Any:
        x = jnp.zeros(3)
        f = jit(inner_of(kind, jit)(lambda s: s + 1, donate_argnums=0))
        f(x)
        return x.is_deleted()

    assert same(observe) is False


@pytest.mark.parametrize("kind", ["plain", "same"])
@pytest.mark.parametrize("options", [{"static_argnums": 1}, {"static_argnames": "n"}, {"keep_unused": True},
                                     {"inline": True}, {}])  # fmt: skip
def test_results_errors_and_programs_are_those_of_jit_of_jit(kind: str, options: dict[str, Any]) -> None:
    def observe(jit: Any) -> Any:
        outer, inner_options = jit(inner_of(kind, jit)(double, **options)), jit(inner_of(kind, jit)(double), **options)
        calls = [lambda f=f, n=n: float(f(3.0, n)) for f in (outer, inner_options) for n in (2, 3)]
        jaxpr = str(jax.make_jaxpr(lambda x: outer(x))(1.0))
        return [outcome(call) for call in calls], jaxpr, outer.lower(1.0).as_text()

    same(observe)


def test_library_function_stays_as_it_is_in_a_jaxpr() -> None:
    assert "name=sin" in same(lambda jit: str(jax.make_jaxpr(lambda x: jit(jnp.sin)(x))(1.0)))


def test_decorators_one_upon_the_other_count_each_for_itself() -> None:
    @functools.partial(watched_jit, max_compiles=5)
    @watched_jit
    def f(x: Any) -> Any:
        return x + 1

    for size in (1, 1, 2):
        f(jnp.ones(size))
    inner = f.__wrapped__

    assert (f.cache_info().hits, f.cache_info().compiles) == (1, 2)
    assert (inner.cache_info().nested, inner.cache_info().compiles) == (2, 0)


def test_watch_takes_over_the_options_and_leaves_the_function_as_it_was() -> None:
    plain = jax.jit(double, static_argnames="n", donate_argnums=0)
    f, x = watch(plain), jnp.ones(3)

    f(x, n=3), f(jnp.ones(3), n=3)
    plain(jnp.ones(3), n=4)

    assert x.is_deleted() and type(f) is type(plain) and f is not plain
    assert f.__wrapped__ is double and f.__name__ == "double"
    assert (f.cache_info().hits, f.cache_info().misses, f.cache_info().compiles) == (1, 1, 1)
    assert not hasattr(plain, "cache_info")


def test_watch_decorates_and_takes_options_of_its_own() -> None:
    @watch(max_compiles=1, on_excess="raise")
    @jax.jit
    def f(x: Any) -> Any:
        return x + 1

    @watch
    @functools.partial(jax.jit, static_argnums=1)
    def g(x: Any, n: int) -> Any:
        return x * n

    f(jnp.ones(1))
    with pytest.raises(RecompilationError, match="max_compiles=1"):
        f(jnp.ones(2))
    assert g(2.0, 3) == 6 and g.cache_info().compiles == 1


def test_watch_of_a_watched_function_is_itself_with_the_new_options() -> None:
    f = watched_jit(lambda x: x + 1, max_compiles=5)

    assert watch(f) is f
    assert watch(f, max_compiles=1, on_excess="raise") is f
    f(jnp.ones(1))
    with pytest.raises(RecompilationError):
        f(jnp.ones(2))
    assert watch(f, max_compiles=2) is f
    f(jnp.ones(2))


def test_watch_of_what_install_hooked_counts_on_its_own() -> None:
    with jitwatch.watching():
        f = jax.jit(lambda x: x + 1)
    again = watch(f)

    again(1.0), again(1.0)

    assert (again.cache_info().hits, again.cache_info().misses) == (1, 1)


@pytest.mark.parametrize("wrong", [double, 3, None, functools.partial(jax.jit(double))])
def test_watch_says_what_it_takes(wrong: Any) -> None:
    with pytest.raises(JitwatchError, match=r"is no jitted function; watch\(\) takes what jax.jit returned"):
        watch(wrong)
    with pytest.raises(JitwatchError, match="max_compiles has the value 0"):
        watch(jax.jit(double), max_compiles=0)


def test_copy_of_a_hooked_function_shares_its_programs_as_with_plain_jit() -> None:
    def observe(jit: Any) -> Any:
        traced: list[Any] = []

        def f(x: Any) -> Any:
            traced.append(x)
            return x + 1

        jitted = jit(f)
        jitted(1.0)
        copied, deep, twice = copy.copy(jitted), copy.deepcopy(jitted), copy.copy(copy.copy(jitted))
        numbers = [(each(1.0), len(traced))[1] for each in (copied, deep, twice)]
        return numbers, (copied(2), deep(2), jitted(2), len(traced))

    plain = observe(jax.jit)
    assert observe(watched_jit) == plain
    with jitwatch.watching(), jitwatch.recording() as recording:
        assert observe(jax.jit) == plain
    (function,) = (each for each in recording.snapshot().functions if each.name == "f" and each.misses)
    assert (function.misses, function.stages.compiles) == (4, 2)  # a deep copy has a dispatch cache of its own


class Net:
    """A node without leaves, so that a call can be lowered with it."""

    def plain(self, x: Any) -> Any:
        return x + 1


jax.tree_util.register_pytree_node(Net, lambda net: ((), None), lambda aux, children: Net())


@pytest.mark.parametrize("name", ["lower", "trace", "eval_shape"])
def test_work_ahead_of_a_bound_method_takes_what_it_takes_with_plain_jit(name: str) -> None:
    def observe(jit: Any) -> Any:
        class Model(Net):
            m = jit(Net.plain)

        jax.tree_util.register_pytree_node(Model, lambda model: ((), None), lambda aux, children: Model())
        model = Model()
        of = {"bound": model.m, "class": Model.m, "object": jit(model.plain)}
        calls = [(key, args) for key in of for args in ((1.0,), (model, 1.0))]
        return [(key, outcome(lambda k=key, a=args: bool(getattr(of[k], name)(*a)))) for key, args in calls]

    same(observe)
    with jitwatch.watching():
        assert observe(jax.jit) == observe(jitwatch._capture.jax_internals.plain_jit)  # type: ignore[attr-defined]


def blamed(jit: Any) -> list[Any]:
    """Where the warnings of each deprecated use are told to come from."""
    uses: list[Any] = [
        lambda: jit(double, backend="cpu"), lambda: functools.partial(jit, backend="cpu")(double),
        lambda: jit(double, device=jax.devices()[0]),
    ]  # fmt: skip
    if jax.version.__version_info__ < (0, 8):
        uses += [lambda: jit(fun=double), lambda: jit(double, None)]
    found = []
    for use in uses:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                use()
            except TypeError:
                pass
        found.append([(warning.filename, warning.lineno, warning.category) for warning in caught])
    return found


def test_deprecation_warnings_blame_whom_they_blame_without_us() -> None:
    plain = blamed(jax.jit)

    assert all(plain)
    assert blamed(watched_jit) == plain
    with jitwatch.watching():
        assert blamed(jax.jit) == plain


def test_deprecated_call_is_told_once_for_each_line_as_without_us() -> None:
    def told(jit: Any) -> int:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            for _ in range(3):
                jit(double, backend="cpu")
        return len(caught)

    assert told(watched_jit) == told(jax.jit)


def test_deprecation_warning_under_jitwatch_run_blames_the_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import jax\njax.jit(lambda x: x, backend='cpu')\n")
    texts = []
    for command in ([], ["-m", "jitwatch", "run"]):
        whole = [sys.executable, "-W", "always::DeprecationWarning", *command, str(program)]
        done = subprocess.run(whole, cwd=tmp_path, capture_output=True, text=True, check=True)
        texts.append([line for line in done.stderr.splitlines() if "backend and device" in line])

    assert texts[0] and texts[0] == texts[1]
