"""Blocks as decorators of every kind of function, and decorators that are written without parentheses."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jitwatch._blocks import Block, is_being_defined
from jitwatch._errors import JitwatchError


class Depth:
    """A block that says how many of its kind are open."""

    def __init__(self, *, whole: bool = False) -> None:
        self.now = self.entered = 0
        self.block = Block(self._open, whole=whole)

    @contextmanager
    def _open(self) -> Iterator[int]:
        self.now += 1
        self.entered += 1
        try:
            yield self.now
        finally:
            self.now -= 1


@pytest.fixture(params=[False, True], ids=["steps", "whole"])
def depth(request: pytest.FixtureRequest) -> Depth:
    return Depth(whole=request.param)


def test_block_is_entered_as_often_as_one_likes(depth: Depth) -> None:
    with depth.block as one, depth.block as two:
        assert (one, two, depth.now) == (1, 2, 2)
    with depth.block:
        pass
    assert (depth.now, depth.entered) == (0, 3)


def test_function_and_coroutine_have_the_block_around_each_call(depth: Depth) -> None:
    @depth.block
    def function(x: int, *, y: int = 1) -> tuple[int, int]:
        """Doc."""
        return depth.now, x + y

    @depth.block
    async def coroutine(x: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        return depth.now, x

    assert function(1, y=2) == (1, 3) and function.__doc__ == "Doc."
    assert inspect.iscoroutinefunction(coroutine)
    assert asyncio.run(coroutine(5)) == (1, 5)
    assert depth.now == 0


class Called:
    async def __call__(self) -> int:
        return 1


class Methods:
    depth = Depth()

    @depth.block
    def method(self) -> Any:
        return self, Methods.depth.now

    @depth.block
    @staticmethod
    def static() -> int:
        return Methods.depth.now

    @depth.block
    @classmethod
    def of_class(cls) -> Any:
        return cls, Methods.depth.now


def test_methods_partials_and_callable_objects() -> None:
    depth, methods = Depth(), Methods()

    async def coroutine(x: int) -> int:
        return depth.now + x

    assert methods.method() == (methods, 1) and methods.static() == 1 and Methods.of_class() == (Methods, 1)
    assert asyncio.run(depth.block(functools.partial(coroutine, 2))()) == 3
    assert asyncio.run(depth.block(Called())()) == 1
    assert depth.block(len)([1, 2]) == 2
    assert (depth.entered, depth.now) == (3, 0)


def test_generator_has_its_values_its_result_and_what_is_sent(depth: Depth) -> None:
    seen = []

    @depth.block
    def generate() -> Any:
        seen.append(depth.now)
        got = yield 1
        seen.append((depth.now, got))
        try:
            yield 2
        except KeyError:
            seen.append(depth.now)
        return "end"

    generator = generate()
    assert depth.now == 0 and inspect.isgeneratorfunction(generate)
    assert next(generator) == 1
    assert depth.now == depth.block._whole
    assert generator.send("sent") == 2
    with pytest.raises(StopIteration) as end:
        generator.throw(KeyError())

    assert end.value.value == "end"
    assert seen == [1, (1, "sent"), 1] and depth.now == 0


def test_closed_generator_ends_its_block_and_cleans_up_in_it(depth: Depth) -> None:
    seen = []

    @depth.block
    def generate() -> Any:
        try:
            yield 1
        finally:
            seen.append(depth.now)

    generator = generate()
    next(generator)
    generator.close()

    assert seen == [1] and depth.now == 0


def test_error_in_a_generator_reaches_its_caller(depth: Depth) -> None:
    @depth.block
    def generate() -> Any:
        yield 1
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        list(generate())
    assert depth.now == 0


def test_asynchronous_generator(depth: Depth) -> None:
    seen = []

    @depth.block
    async def generate() -> Any:
        try:
            got = yield depth.now
            await asyncio.sleep(0)
            try:
                yield got
            except KeyError:
                yield "caught"
        finally:
            seen.append(depth.now)

    async def use() -> list[Any]:
        generator = generate()
        found = [await generator.asend(None), depth.now, await generator.asend("sent")]
        found.append(await generator.athrow(KeyError()))
        await generator.aclose()
        other = [depth.now async for _ in generate()]
        return [*found, *other]

    between = int(depth.block._whole)
    assert inspect.isasyncgenfunction(generate)
    assert asyncio.run(use()) == [1, between, "sent", "caught", between, between]
    assert seen == [1, 1] and depth.now == 0


def test_threads_leave_the_blocks_that_they_entered() -> None:
    depth, together = Depth(), threading.Barrier(4)

    def worker() -> None:
        for _ in range(50):
            together.wait(60)
            with depth.block:
                pass

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert depth.entered == 200 and depth.block._entered == []


@pytest.mark.parametrize("wrong", [int, 3, "f"])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    with pytest.raises(JitwatchError, match="cannot be decorated; decorate a function, or use `with` inside"):
        Depth().block(wrong)


def test_block_that_gives_something_says_why_it_is_no_decorator() -> None:
    with pytest.raises(JitwatchError, match="only for `with`"):
        Block(contextmanager(lambda: iter([1])), refuse="only for `with`")(len)


bare: list[bool] = []


def note(function: Any) -> Any:
    bare.append(is_being_defined(function, sys._getframe(1)))
    return function


def noted(*_: Any) -> Any:
    return note


def test_decorator_without_parentheses_is_told_from_a_call() -> None:
    bare.clear()

    @note
    def one(x):
        """Doc."""
        return x

    @functools.lru_cache
    @note
    @functools.wraps(one)
    def two():
        pass

    class Three:
        @note
        def method(self): ...

        @note
        @staticmethod
        def static():
            return 1

    @note
    async def four(
        x=1,
    ):
        yield x

    assert bare == [True] * len(bare) and len(bare) == 5

    bare.clear()
    note(one), note(two), note(Three.method), note(four), note(lambda: 1), note(len), note(Three), note(3), note(None)
    again = note(one)
    assert again is one and bare == [False] * 10


def test_names_at_equal_lines_of_a_prompt_are_no_definitions() -> None:
    names: dict[str, Any] = {"note": note}
    bare.clear()

    exec(compile("def f(x):\n    return x", "<stdin>", "exec"), names)
    exec(compile("note(f)", "<stdin>", "exec"), names)

    assert bare == [False]
