"""Test assertions: what they count for which function, and what they say."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fresh_functions import fails, make, plain, sizes, vector

import jitwatch
from jitwatch import JitwatchError, watched_jit
from jitwatch._record.recorder import recorder
from jitwatch.testing import assert_compiles, assert_no_recompiles, assert_traces

KINDS = {
    "watched": lambda: make(watched_jit),
    "plain, jitted before": lambda: make(jax.jit),
    "partial": lambda: functools.partial(make(jax.jit)),
    "method": lambda: Model().step,
    "watched method": lambda: Model().watched_step,
}


class Model:
    @functools.partial(jax.jit, static_argnums=0)
    def step(self, x):
        return x + 3

    @functools.partial(watched_jit, static_argnums=0)
    def watched_step(self, x):
        return x + 3


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_a_jitted_function_is_counted(kind: str) -> None:
    f = KINDS[kind]()
    x, y = vector(), vector()

    with assert_compiles(f, exactly=2):
        for each in (x, y, x):
            f(each)
    with assert_compiles(f, exactly=0):
        f(x)

    message = fails(assert_compiles(f, exactly=0), lambda: f(vector()))
    assert re.search(
        r"compiled once, expected exactly 0\.\n  1\. at .*test_testing\.py:\d+: x: f32.*\[shape\]", message
    )


def test_function_is_found_wherever_it_is_jitted() -> None:
    def step(x):
        return x - 1

    with assert_compiles(step, exactly=3), assert_compiles("step", exactly=3):
        jax.jit(step)(vector())
        watched_jit(step)(vector())
        jax.jit(functools.partial(step))(vector())


def test_method_that_is_jitted_in_the_block_is_counted() -> None:
    class Plain:
        def step(self, x):
            return x - 2

    model = Plain()

    with assert_compiles(model.step, exactly=1), assert_compiles(Plain.step, exactly=1):
        jax.jit(model.step)(vector())


def test_callable_object_is_counted() -> None:
    class Scale:
        def __call__(self, x):
            return x * 3

    scale = Scale()
    jitted = jax.jit(scale)

    with assert_compiles(jitted, exactly=1), assert_compiles(exactly=1):
        jitted(vector())


def test_functions_of_one_name_are_told_apart() -> None:
    def other() -> Any:
        @jax.jit
        def step(x):
            return x + 1

        return step

    mine, others = make(jax.jit), other()

    with assert_compiles(mine, exactly=1), assert_compiles(others, exactly=2), assert_compiles("step", exactly=3):
        mine(vector())
        others(vector())
        others(vector())


def test_jitted_function_stands_for_objects_that_bring_along_the_same() -> None:
    two, again, three = make(jax.jit, 2.0), make(jax.jit, 2.0), make(jax.jit, 3.0)

    with assert_compiles(two, exactly=2), assert_compiles(three, exactly=1):
        for each in (two, again, three):
            each(vector())
    with assert_compiles(three.__wrapped__, exactly=3):
        for each in (two, again, three):
            each(vector())


def test_all_jitted_functions_are_counted_and_eager_operations_where_asked_for() -> None:
    f = make(jax.jit)
    x, size = vector(), next(sizes)

    with assert_compiles(exactly=1):
        f(x)
        jnp.full(size, 2.0)
    message = fails(assert_compiles(exactly=0, eager=True), lambda: jnp.full(next(sizes), 2.0))

    assert "broadcast_in_dim" in message
    with assert_compiles("broadcast_in_dim", exactly=1):
        jnp.full(next(sizes), 2.0)


@pytest.mark.parametrize("decorate", [watched_jit, jax.jit], ids=["watched", "plain"])
def test_transforms_and_uses_ahead_of_time_count_for_the_function(decorate: Any) -> None:
    f = make(decorate)
    x = vector()
    jax.grad(lambda x: (x * 1.0).sum())(x)  # what jax needs besides

    with assert_compiles(f, exactly=2):
        jax.grad(lambda x: f(x).sum())(x)
    with assert_compiles(f, exactly=1):
        f.lower(x).compile()
    with assert_compiles(f, exactly=1):
        jax.vmap(f)(np.ones((2, 3), np.float32))


def test_backward_pass_and_use_ahead_of_time_of_a_plain_function_are_named() -> None:
    f = make(jax.jit)
    x = vector()

    def use() -> None:
        jax.grad(lambda x: f(x).sum())(x)
        f.lower(x).compile()

    message = fails(assert_compiles(f, exactly=0), use)

    assert "[transform]" in message or "first compilation" in message
    assert "for a backward pass" in message and "ahead of time" in message
    assert re.match(r"step \(.*fresh_functions\.py:\d+\) compiled 3 times", message)


def test_plain_function_that_is_called_while_another_is_traced_is_counted() -> None:
    f = make(jax.jit)
    x = vector()

    @watched_jit
    def outer(y):
        with jax.ensure_compile_time_eval():
            return y + f(x).sum()

    with assert_compiles(f, exactly=1), assert_compiles(outer, exactly=1):
        outer(1.0)


def test_compile_again_after_clearing_is_explained() -> None:
    f = make(jax.jit)
    x = vector()
    f(x)
    with assert_compiles(f, exactly=0):
        f(x)
    f.clear_cache()
    jax.clear_caches()

    message = fails(assert_no_recompiles(f), lambda: f(x))

    assert "step: compiled → compiled again for the same key  [cache_cleared]" in message
    assert "fix: The program was compiled, dropped from memory" in message


def test_loads_from_the_persistent_cache_are_compiles(tmp_path: Any) -> None:
    from jax.experimental.compilation_cache import compilation_cache

    settings = {
        "jax_compilation_cache_dir": str(tmp_path),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    f = make(watched_jit)
    x = vector()
    try:
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        f(x)
        jax.clear_caches()
        message = fails(assert_compiles(f, exactly=0), lambda: f(x))
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()

    assert "compiled once" in message and "loaded from the persistent cache" in message
    assert "1 of these was loaded from the persistent compilation cache; a load counts as a compilation" in message


def test_no_recompiles_allows_first_programs() -> None:
    f, g = make(jax.jit), make(watched_jit)
    x = vector()

    with assert_no_recompiles():
        f(x)
        g(x)
        jax.grad(lambda x: f(x).sum())(x)
        jax.vmap(g)(np.ones((2, 3), np.float32))
        f(x)


@pytest.mark.parametrize("decorate", [watched_jit, jax.jit], ids=["watched", "plain"])
def test_no_recompiles_forbids_another_program_and_a_function_made_anew(decorate: Any) -> None:
    def step(x):
        return x / 7

    f = decorate(step)
    f(vector())

    message = fails(assert_no_recompiles(), lambda: f(vector()))
    assert "1 program was recompiled, expected no recompilation." in message and "[shape]" in message

    x, scale = vector(), float(next(sizes))
    message = fails(assert_no_recompiles("step"), lambda: [make(decorate, scale)(x) for _ in range(3)])
    assert "recompiled 2 times" in message and message.count("[function_identity]") == 2


def test_no_recompiles_takes_objects_of_a_method_for_what_they_are() -> None:
    class Other:
        def step(self, x):
            return x

    one, two = Other(), Other()

    with assert_no_recompiles():
        jax.jit(one.step)(vector())
        jax.jit(two.step)(vector())
    assert "[function_identity]" in fails(assert_no_recompiles(), lambda: jax.jit(one.step)(vector()))


def test_other_jit_options_are_the_cause() -> None:
    def step(x):
        return x / 9

    x = vector()

    def use() -> None:
        watched_jit(step)(jnp.asarray(x))
        watched_jit(step, donate_argnums=0)(jnp.asarray(x))

    assert "jit option donate_argnums: default → 0  [other]" in fails(assert_no_recompiles(step), use)


def test_traces_are_counted_and_explained() -> None:
    def step(x):
        return x + 1

    with assert_traces(step, exactly=1), assert_compiles(step, exactly=2):
        f = jax.jit(step)
        f(np.ones(3, np.float32))
        f(jax.device_put(np.ones(3, np.float32), jax.devices()[1]))
    message = fails(assert_traces(step, at_most=1), lambda: [watched_jit(step)(vector()) for _ in range(2)])

    assert re.match(r"step \(.*test_testing\.py:\d+\) traced 2 times, expected at most 1\.", message)


def test_traces_of_a_function_that_does_not_tell_are_an_error() -> None:
    f = make(jax.jit)

    with (
        pytest.raises(JitwatchError, match="cannot be counted: it was jitted before the block"),
        assert_traces(f, exactly=0),
    ):
        pass
    with pytest.raises(JitwatchError, match="cannot be counted"), assert_traces("step", exactly=0):
        f(vector())


def test_too_few_says_what_there_is() -> None:
    def unheard_of_step(x):
        return x

    f = make(jax.jit)
    x = vector()
    f(x)

    assert "It has a program from before the block" in fails(assert_compiles(f, exactly=1), lambda: f(x))
    message = fails(assert_compiles(unheard_of_step, at_least=1), lambda: None)
    assert "It was never called" in message
    watched_jit(unheard_of_step)(x)
    message = fails(assert_compiles("unheard_of_stepp", exactly=1), lambda: None)
    assert "Names like it: unheard_of_step." in message
    with assert_compiles("unheard_of_stepp", exactly=0), assert_compiles("nothing", at_most=1):
        pass


def test_function_compiled_unseen_is_no_function_never_called() -> None:
    f = make(jax.jit)
    x = vector()
    f(x)
    for record in [each for each in recorder().records() if each.in_use() is f.__wrapped__]:
        recorder()._others.pop(next(key for key, other in recorder()._others.items() if other is record))

    assert "It has a program from before the block" in fails(assert_compiles(f, exactly=1), lambda: f(x))


def test_disabled_jit_is_said() -> None:
    f = make(jax.jit)

    with jax.disable_jit():
        message = fails(assert_compiles(f, exactly=1), lambda: f(vector()))

    assert "jax.disable_jit() is on" in message


def test_long_lists_are_cut() -> None:
    f = make(jax.jit)

    message = fails(assert_compiles(f, exactly=0), lambda: [f(vector()) for _ in range(13)])

    assert "compiled 13 times" in message and "  10. at" in message and "  11. " not in message
    assert "  … and 3 more" in message and len(message.splitlines()) == 1 + 10 + 1 + 1


def test_nothing_is_counted_where_jitwatch_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MODE", "off")

    with pytest.raises(JitwatchError, match=r"jitwatch is off .*nothing can be counted"), assert_compiles(exactly=0):
        pass


@pytest.mark.faults
def test_error_of_jitwatchs_own_does_not_pass_for_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from jitwatch._testing import counting

    def broken(*_: Any) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(counting, "programs", broken)
    with pytest.raises(JitwatchError, match="failed to count what compiled"), assert_compiles(plain, at_most=9):
        plain(vector())


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: assert_compiles(), "Say how many"),
    (lambda: assert_compiles(plain, exactly=-1), "exactly must be a whole number of at least 0, not -1"),
    (lambda: assert_compiles(plain, at_most=True), "at_most must be a whole number"),
    (lambda: assert_traces(plain, at_least=1.5), "at_least must be a whole number"),  # type: ignore[arg-type]
    (lambda: assert_compiles(plain, exactly=1, at_most=2), "not both"),
    (lambda: assert_compiles(plain, at_least=2, at_most=1), "no count fits"),
    (lambda: assert_compiles(3, exactly=1), "Give a function or its name, not 3"),
    (lambda: assert_no_recompiles(""), "Give a function or its name"),
    (lambda: assert_no_recompiles()(Model), "cannot be decorated"),
]


@pytest.mark.parametrize("wrong,message", BAD, ids=[message for _, message in BAD])
def test_bad_arguments_are_refused_at_once(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(JitwatchError, match=re.escape(message)):
        wrong()


def test_reports_name_the_line_of_a_function_that_is_not_watched() -> None:
    with jitwatch.recording() as block:
        make(jax.jit)(vector())

    assert re.search(r"step \(fresh_functions\.py:\d+\)", block.report(width=120))
