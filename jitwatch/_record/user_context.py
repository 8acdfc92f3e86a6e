"""What the program says of the moment, such as its training step; recorded with each miss.

Imports no jax, and nothing of capture before the program itself has imported jax.
"""

from __future__ import annotations

import contextvars
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Number
from typing import Any

from jitwatch import _faults, _state
from jitwatch._blocks import Block, is_being_defined
from jitwatch._errors import JitwatchError, pass_interrupt
from jitwatch._words.safe_text import clean

MAX_NAMES = 8
MAX_TEXT = 80

Texts = dict[str, str]
_Source = Callable[[], Mapping[str, Any]] | Texts

_sources: contextvars.ContextVar[tuple[_Source, ...]] = contextvars.ContextVar("jitwatch context", default=())
"""What the blocks around this code say, the outermost first."""


class Describing:
    """How a value is shown; capture puts in its place what never waits for a device."""

    def __init__(self) -> None:
        self.describe: Callable[[Any], str] = lambda value: f"{type(value).__qualname__} object"


def context(*callbacks: Callable[[], Mapping[str, Any]], **values: Any) -> Block[None]:
    """Record values with each miss that happens in a `with` block, or in a decorated function.

    The block is that of this thread or asyncio task; of a decorated generator, while its own code runs. Blocks nest: a
    name that both give has the value of the inner one. Nothing is done on a hit, and no value is kept: it is turned
    into text of at most 80 characters when the block begins, an array into its type and shape, so that nothing waits
    for a device. A miss has at most 8 names; where there are more, those of the outer blocks are left out.

    Args:
        *callbacks: Called without arguments on a miss, and on nothing else; each returns values by name. One that
            raises is recorded as a fault, and the program goes on.
        **values: By name; they win over those of the callbacks of the same block.

    Raises:
        JitwatchError: A positional argument is not callable, or a name is no Python identifier.
    """
    if callbacks and is_being_defined(callbacks[0], sys._getframe(1)):
        raise JitwatchError("@jitwatch.context needs values to record; write @jitwatch.context(name=value).")
    if not callbacks and not values:
        raise JitwatchError("jitwatch.context() was given nothing; give values by name, such as step=3.")
    for callback in callbacks:
        if not callable(callback):
            raise JitwatchError(
                f"jitwatch.context() was given {_text(callback)!r} without a name; give values by name, such as "
                f"step=3, or a function without arguments that returns a mapping of them."
            )
    sources: tuple[_Source, ...] = (*callbacks, _texts(values))
    return Block(lambda: _block(sources))


@contextmanager
def _block(sources: tuple[_Source, ...]) -> Iterator[None]:
    before = _sources.get()
    within = (*before, *sources)
    try:
        _sources.set(within)
        yield
    finally:
        if _sources.get() is within:  # not so in a generator that is closed elsewhere than it began
            _sources.set(before)


def current() -> tuple[tuple[str, str], ...]:
    """Names and texts that hold here and now; the names that were given last come last."""
    sources = _sources.get()
    if not sources:
        return ()
    # In a context of their own, without sources: a callback that misses itself must not be called for that.
    return contextvars.copy_context().run(_said_by, sources)


def _said_by(sources: tuple[_Source, ...]) -> tuple[tuple[str, str], ...]:
    _sources.set(())
    found: Texts = {}
    for source in sources:
        for name, text in (_called(source) if callable(source) else source).items():
            found.pop(name, None)
            found[name] = text
    return tuple(found.items())[-MAX_NAMES:]


def _called(callback: Callable[[], Mapping[str, Any]]) -> Texts:
    try:
        return _texts(callback())
    except BaseException as error:
        pass_interrupt(error)
        _faults.record("a callback given to jitwatch.context()", error)
        return {}


def _texts(values: Mapping[str, Any]) -> Texts:
    if not isinstance(values, Mapping):
        raise JitwatchError(
            f"A callback given to jitwatch.context() returned {_text(values)!r}; return a mapping, such as "
            f"{{'step': 3}}."
        )
    for name in values:
        if not (isinstance(name, str) and name.isidentifier()):
            raise JitwatchError(
                f"jitwatch.context() was given the name {_text(name)!r}; a name is a Python identifier, such as 'step'."
            )
    return {clean(name, MAX_TEXT): _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    """One line, without waiting for a device, whatever the value's own methods do."""
    try:
        return clean(str(value) if isinstance(value, (str, Number)) else _description(value), MAX_TEXT)
    except BaseException as error:
        pass_interrupt(error)
        return f"<{clean(type(value).__name__, MAX_TEXT - 2)}>"


def _description(value: Any) -> str:
    if sys.modules.get("jax") is None:  # then there is no array of JAX's, in the value or in its parts
        return reprlib.repr(value)
    return _state.part(Describing).describe(value)
