"""`with` blocks that are decorators too, of every kind of function. Knows nothing of what a block is for."""

from __future__ import annotations

import atexit
import functools
import inspect
import sys
import threading
import types
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

from jitwatch import _state
from jitwatch._errors import JitwatchError, repr_of

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Make = Callable[[], AbstractContextManager[Any]]


class Block(Generic[T]):
    """For `with`, and as a decorator; to be entered as often as you like, also on several threads and tasks at once.

    A decorated function has the block around each call, a coroutine until it ends.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[T]], *, whole: bool = False, refuse: str = "") -> None:
        """Make a block.

        Args:
            make: Gives a new context manager for each time that the block is entered.
            whole: Whether the block of a decorated generator holds until that ends. If not, it holds while the
                generator's own code runs, and not for whoever asks it for values.
            refuse: Why it is no decorator; empty where it is one.
        """
        self._make, self._whole, self._refuse = make, whole, refuse
        self._entered: list[tuple[Any, AbstractContextManager[T]]] = []

    def __enter__(self) -> T:
        __tracebackhide__ = True
        block = self._make()
        _state.part(_Open).blocks.add(self)
        value = block.__enter__()
        self._entered.append((_place(), block))
        return value

    def __exit__(self, *raised: Any) -> bool | None:
        __tracebackhide__ = True
        return self._last_entered().__exit__(*raised)

    def __call__(self, function: F) -> F:
        """Decorate a function, a coroutine function, a generator function or an asynchronous one."""
        if self._refuse:
            raise JitwatchError(self._refuse)
        return decorated(function, self._make, whole=self._whole)  # type: ignore[no-any-return]

    def _last_entered(self) -> AbstractContextManager[T]:
        """What was entered last here, by this thread and task; by any, where another one ends it."""
        here = _place()
        places = [place for place, _ in self._entered]
        index = len(places) - 1 - places[::-1].index(here) if here in places else -1
        return self._entered.pop(index)[1]


class _Open:
    """Blocks that were entered and may still be open."""

    def __init__(self) -> None:
        self.blocks: weakref.WeakSet[Block[Any]] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """End what a program left open: later the interpreter would do it, when half of what it takes is gone."""
    for block in tuple(_state.part(_Open).blocks):
        while block._entered:
            try:
                block._entered.pop()[1].__exit__(GeneratorExit, GeneratorExit(), None)
            except BaseException:  # nobody is left to be told
                pass


def _place() -> tuple[int, int]:
    """Where a block is entered or left: the thread, and the task of asyncio, if it is used."""
    asyncio = sys.modules.get("asyncio")
    try:
        task = None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no loop runs on this thread
        task = None
    return threading.get_ident(), id(task)


def decorated(function: Any, make: Make, *, whole: bool) -> Any:
    """The function with a block around each call of it.

    Raises:
        JitwatchError: It is a class, or nothing that is called.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(decorated(function.__func__, make, whole=whole))
    if inspect.isclass(function) or not callable(function):
        raise JitwatchError(f"{repr_of(function)} cannot be decorated; decorate a function, or use `with` inside.")
    code = _called(function)
    if inspect.iscoroutinefunction(code):
        return _coroutine(function, make)
    if inspect.isasyncgenfunction(code):
        return _async_generator(function, make, whole=whole)
    if inspect.isgeneratorfunction(code):
        return _generator(function, make, whole=whole)

    @functools.wraps(function)
    def in_block(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with make():
            return function(*args, **kwargs)

    return in_block


def _called(function: Any) -> Any:
    """What says which kind of function it is: of a callable object its `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    is_function = inspect.isroutine(function) or hasattr(function, "__code__")
    return function if is_function else getattr(type(function), "__call__", function)  # noqa: B004


def _coroutine(function: Any, make: Make) -> Any:
    @functools.wraps(function)
    async def in_block(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with make():
            return await function(*args, **kwargs)

    return in_block


def _generator(function: Any, make: Make, *, whole: bool) -> Any:
    around, step = (make, nullcontext) if whole else (nullcontext, make)

    @functools.wraps(function)
    def in_block(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        __tracebackhide__ = True
        generator = function(*args, **kwargs)
        resume, value = generator.send, None
        with around():
            while True:
                with step():
                    try:
                        given = resume(value)
                    except StopIteration as end:
                        return end.value
                try:
                    resume, value = generator.send, (yield given)
                except GeneratorExit:
                    with step():
                        generator.close()
                    raise
                except BaseException as error:
                    resume, value = generator.throw, error

    return in_block


def _async_generator(function: Any, make: Make, *, whole: bool) -> Any:
    around, step = (make, nullcontext) if whole else (nullcontext, make)

    @functools.wraps(function)
    async def in_block(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        __tracebackhide__ = True
        generator = function(*args, **kwargs)
        resume, value = generator.asend, None
        with around():
            while True:
                with step():
                    try:
                        given = await resume(value)
                    except StopAsyncIteration:
                        return
                try:
                    resume, value = generator.asend, (yield given)
                except GeneratorExit:
                    with step():
                        await generator.aclose()
                    raise
                except BaseException as error:
                    resume, value = generator.athrow, error

    return in_block


def is_being_defined(function: Any, frame: types.FrameType) -> bool:
    """Whether `frame` is at a decorator without parentheses of the function: at its definition, and not yet named.

    So `@decorator` is told from `decorator(function)`, where both make sense and mean different things.
    """
    each = getattr(function, "__func__", function)
    for _ in range(100):  # a cycle of `__wrapped__`
        if _is_at_decorator(getattr(each, "__code__", None), frame):
            named = [names.get(each.__name__) is function for names in (frame.f_locals, frame.f_globals)]
            return not any(named)
        each = getattr(each, "__wrapped__", None)
    return False


def _is_at_decorator(code: Any, frame: types.FrameType) -> bool:
    """Whether a frame is between the first decorator of a function with this code and the function's body."""
    if not isinstance(code, types.CodeType) or code is frame.f_code or code.co_name == "<lambda>":
        return False
    below = [line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno]
    return code.co_filename == frame.f_code.co_filename and code.co_firstlineno <= frame.f_lineno < min(
        below, default=0
    )
