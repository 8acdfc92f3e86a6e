"""Test assertions in every form in which tests are written: threads, nested blocks, decorators, coroutines."""

from __future__ import annotations

import asyncio
import inspect
import threading
import unittest
from collections.abc import Iterator
from typing import Any

import jax
import pytest
from fresh_functions import fails, make, plain, sizes, vector

from jitwatch import watched_jit
from jitwatch.testing import assert_compiles, assert_no_recompiles


def test_threads_count_together_or_alone() -> None:
    f = make(jax.jit)

    def in_threads(assertion: Any) -> None:
        threads = [threading.Thread(target=f, args=(vector(),)) for _ in range(4)]
        with assertion:
            f(vector())
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    in_threads(assert_compiles(f, exactly=5))
    in_threads(assert_compiles(f, exactly=1, this_thread=True))
    with pytest.raises(AssertionError, match="Other threads: 4, which this_thread=True leaves out"):
        in_threads(assert_compiles(f, exactly=2, this_thread=True))


def test_blocks_that_overlap_on_threads_count_their_own() -> None:
    f = make(watched_jit)
    shared = assert_compiles(f, exactly=3, this_thread=True)
    together, failed = threading.Barrier(4), []

    def worker() -> None:
        try:
            together.wait(60)
            with shared:
                for _ in range(3):
                    f(vector())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=worker) for _ in range(4)]
    with assert_compiles(f, exactly=12):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failed == []


def test_blocks_nest_also_of_one_object() -> None:
    f = make(jax.jit)
    at_most_two = assert_compiles(f, at_most=2)

    with at_most_two:
        f(vector())
        with at_most_two, assert_compiles(f, exactly=1):
            f(vector())
    with at_most_two:
        f(vector())
    assert "compiled 3 times" in fails(at_most_two, lambda: [f(vector()) for _ in range(3)])


def test_error_in_the_block_passes_and_ends_it() -> None:
    f = make(jax.jit)

    with pytest.raises(ZeroDivisionError), assert_compiles(f, exactly=5):
        1 / 0
    with assert_compiles(f, exactly=1):
        f(vector())


def test_watching_ends_with_the_block() -> None:
    before = jax.jit

    with assert_compiles(at_least=0):
        assert jax.jit is not before
    assert jax.jit is before


@assert_compiles(plain, exactly=1)
def test_decorated_function() -> None:
    plain(vector())


@pytest.fixture
def size() -> int:
    return next(sizes)


@pytest.mark.parametrize("count", [1, 2])
@assert_compiles(plain, at_least=1, at_most=2)
def test_decorated_function_keeps_fixtures_and_parameters(size: int, count: int) -> None:
    for n in range(count):
        plain(vector(size + 10_000 * (n + 1)))


@pytest.fixture
@assert_compiles(plain, exactly=2)
def compiled() -> Iterator[int]:
    n = next(sizes)
    plain(vector(n))
    yield n


def test_decorated_generator_counts_until_it_ends(compiled: int) -> None:
    plain(vector())
    plain(vector(compiled))


def test_decorated_coroutines_that_interleave_count_on_their_own() -> None:
    f = make(jax.jit)
    runs = []

    @assert_compiles(f, at_least=2, at_most=3)  # its own, and one or two of the other's
    async def work() -> int:
        f(vector())
        await asyncio.sleep(0)
        f(vector())
        runs.append(1)
        return 7

    async def both() -> list[int]:
        return await asyncio.gather(work(), work())

    assert inspect.iscoroutinefunction(work)
    assert asyncio.run(both()) == [7, 7] and runs == [1, 1]


def test_with_blocks_of_one_object_interleave_in_tasks() -> None:
    f = make(jax.jit)
    one = assert_compiles(f, at_least=1)

    async def first(entered: asyncio.Event, end: asyncio.Event) -> None:
        with one:
            f(vector())
            entered.set()
            await end.wait()

    async def both() -> None:
        entered, end = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(first(entered, end))
        await entered.wait()
        with pytest.raises(AssertionError, match="was not compiled"), one:
            end.set()
            await task

    asyncio.run(both())


class DecoratedMethods(unittest.TestCase):
    @assert_compiles(plain, exactly=1)
    def test_method(self) -> None:
        plain(vector())

    def test_block(self) -> None:
        with (
            self.assertRaisesRegex(AssertionError, "was not compiled, expected exactly 1"),
            assert_compiles(plain, exactly=1),
        ):
            pass


def test_result_and_arguments_pass_through() -> None:
    @assert_no_recompiles()
    def add(a: int, *, b: int = 2) -> int:
        """Add."""
        return a + b

    assert (add(1, b=3), add(1), add.__name__, add.__doc__) == (4, 3, "add", "Add.")
    assert list(inspect.signature(add).parameters) == ["a", "b"]
