"""Blocks of jitwatch around coroutines, generators and asynchronous generators; decorators without parentheses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fresh_functions import make, vector

import jitwatch
from jitwatch import JitwatchError, RecompilationError, watched_jit
from jitwatch.testing import assert_compiles, assert_no_recompiles, assert_traces


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    jitwatch.reset()
    yield
    jitwatch.unfreeze()


def as_function(use: Callable[[], Any], decorate: Any) -> None:
    decorate(lambda: use())()


def as_coroutine(use: Callable[[], Any], decorate: Any) -> None:
    @decorate
    async def decorated() -> None:
        await asyncio.sleep(0)
        use()

    asyncio.run(decorated())


def as_generator(use: Callable[[], Any], decorate: Any) -> None:
    @decorate
    def decorated() -> Iterator[int]:
        yield 1
        use()

    assert list(decorated()) == [1]


def as_async_generator(use: Callable[[], Any], decorate: Any) -> None:
    @decorate
    async def decorated() -> AsyncIterator[int]:
        yield 1
        use()

    async def consume() -> list[int]:
        return [value async for value in decorated()]

    assert asyncio.run(consume()) == [1]


FORMS = [as_function, as_coroutine, as_generator, as_async_generator]


@pytest.mark.parametrize("form", FORMS)
def test_no_compiles_forbids_in_it_and_only_there(form: Any) -> None:
    f = make(watched_jit)

    with pytest.raises(RecompilationError):
        form(lambda: f(vector()), jitwatch.no_compiles())
    with pytest.raises(RecompilationError):
        form(lambda: f(vector()), jitwatch.no_compiles(f))
    f(vector())


@pytest.mark.parametrize("form", FORMS)
def test_context_is_recorded_in_it_and_only_there(form: Any) -> None:
    f = make(watched_jit)

    form(lambda: f(vector()), jitwatch.context(step=7))
    f(vector())

    contexts = [dict(miss.context) for miss in jitwatch.snapshot().misses if miss.stages.compiles][-2:]
    assert contexts == [{"step": "7"}, {}]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "assertion",
    [assert_compiles(exactly=1), assert_traces(exactly=0), assert_no_recompiles()],
    ids=["compiles", "traces", "recompiles"],
)
def test_assertions_judge_it(form: Any, assertion: Any) -> None:
    f = make(watched_jit)

    with pytest.raises(AssertionError):
        form(lambda: [f(vector()), f(vector())], assertion)


@pytest.mark.parametrize("form", FORMS)
def test_call_log_and_watching_hold_in_it(form: Any) -> None:
    f, lines, jitted = make(watched_jit), [], []

    form(lambda: f(vector()), jitwatch.call_log(lines.append))
    form(lambda: jitted.append(make(jax_jit())), jitwatch.watching())
    with jitwatch.recording() as recording:
        jitted[0](vector())
        f(vector())

    assert len(lines) == 1 and "COMPILED" in lines[0]
    assert recording.compiles() == 2


def jax_jit() -> Any:
    import jax

    return lambda function, **options: jax.jit(function, **options)


def test_generator_under_no_compiles_does_not_forbid_its_consumer() -> None:
    f = make(watched_jit)

    @jitwatch.no_compiles
    def batches() -> Iterator[Any]:
        for _ in range(3):
            yield vector()

    @jitwatch.context(where="inside")
    def more() -> Iterator[Any]:
        yield from batches()

    results = [f(batch) for batch in more()]

    assert len(results) == 3
    assert {
        miss.context for miss in jitwatch.snapshot().misses if miss.function == jitwatch.snapshot().misses[-1].function
    } == {()}


def test_tasks_keep_their_own_words() -> None:
    f = make(watched_jit)

    async def both() -> None:
        @jitwatch.context(task="decorated")
        async def decorated(entered: asyncio.Event, end: asyncio.Event) -> None:
            entered.set()
            await end.wait()
            f(vector())

        entered, end = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(decorated(entered, end))
        await entered.wait()
        f(vector())
        end.set()
        await task

    asyncio.run(both())

    assert [dict(miss.context) for miss in jitwatch.snapshot().misses if miss.stages.compiles][-2:] == [
        {}, {"task": "decorated"}
    ]  # fmt: skip


def test_assert_no_recompiles_without_parentheses_decorates() -> None:
    f = make(watched_jit)

    @assert_no_recompiles
    def once() -> str:
        f(vector())
        return "run"

    @assert_no_recompiles
    def again() -> None:
        f(vector())

    @assert_no_recompiles
    async def coroutine() -> None:
        f(vector())

    assert once() == "run"
    with pytest.raises(AssertionError, match="expected no recompilation"):
        again()
    with pytest.raises(AssertionError, match="expected no recompilation"):
        asyncio.run(coroutine())


class TestBareMethods:
    @assert_no_recompiles
    def test_method(self, tmp_path: Any) -> None:
        assert tmp_path.is_dir() and type(self) is TestBareMethods


@pytest.mark.parametrize("number", [1, 2])
@assert_no_recompiles
def test_bare_decorator_keeps_fixtures_and_parameters(number: int, tmp_path: Any) -> None:
    assert number in (1, 2) and tmp_path.is_dir()


def test_decorators_that_need_more_say_so_where_they_stand() -> None:
    for decorator in (assert_compiles, assert_traces):
        with pytest.raises(JitwatchError, match=re.escape("give exactly=, at_most= or at_least=")):

            @decorator
            def one() -> None: ...

    with pytest.raises(JitwatchError, match=re.escape("write @jitwatch.context(name=value)")):

        @jitwatch.context
        def two() -> None: ...

    with pytest.raises(JitwatchError, match=re.escape("write `with jitwatch.recording() as r:` inside")):

        @jitwatch.recording()
        def three() -> None: ...

    with pytest.raises(TypeError):

        @jitwatch.recording
        def four() -> None: ...


def test_no_compiles_and_call_log_without_parentheses(capsys: pytest.CaptureFixture[str]) -> None:
    f = make(watched_jit)

    @jitwatch.no_compiles
    def forbidden() -> None:
        f(vector())

    @jitwatch.call_log
    def logged() -> None:
        f(vector())

    with pytest.raises(RecompilationError):
        forbidden()
    logged()

    assert capsys.readouterr().err.count("COMPILED") == 1


@pytest.mark.parametrize("use", [jitwatch.freeze, lambda name: jitwatch.no_compiles(name).__enter__()])
def test_unknown_name_is_told_with_names_that_are_near(use: Any) -> None:
    @watched_jit
    def decode_tokens(x: Any) -> Any:
        return x

    with pytest.raises(JitwatchError, match=r"Nothing named 'decode_token' .* did you mean 'decode_tokens'.*\?"):
        use("decode_token")
    with pytest.raises(JitwatchError, match=r"there are: .*decode_tokens.*\.$"):
        use("зззззззззз")
    with pytest.raises(JitwatchError, match="is not a watched function; give one made by watched_jit, or a name"):
        use(len)
    decode_tokens(1.0)


def test_no_compiles_checks_its_action_where_it_stands() -> None:
    with pytest.raises(JitwatchError, match="on_excess"):
        jitwatch.no_compiles(on_excess="shout")
