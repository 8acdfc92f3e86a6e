"""`freeze`, `unfreeze` and `no_compiles`: after warm-up, a program should only hit JAX's caches."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jitwatch import _config
from jitwatch._api.start import begin
from jitwatch._blocks import Block, is_being_defined
from jitwatch._capture.hook.registry import watch_of
from jitwatch._errors import JitwatchError, check_flags, repr_of
from jitwatch._policy import say
from jitwatch._policy.bans import Ban, bans
from jitwatch._policy.bans import this_thread as number_of_this_thread
from jitwatch._record.recorder import recorder
from jitwatch._words.safe_text import clean

_FROZEN = "after jitwatch.freeze()"


def freeze(
    *functions: Any, on_excess: say.Action = "raise", allow_loads: bool = True, eager: bool = True,
    this_thread: bool = False,
) -> None:  # fmt: skip
    """Forbid compilation from now on: after warm-up, a program should only hit JAX's caches.

    What would compile raises `RecompilationError`, before XLA runs, with the user's line, the difference to the nearest
    key that has a program, and the fix. Calls that compile nothing go on as before: NumPy in place of JAX arrays,
    callbacks, `grad` and `vmap` that were compiled. A stopped call can be repeated after `unfreeze()`. With
    `JITWATCH_MODE=off` nothing is forbidden.

    Args:
        *functions: Watched functions, or names of what was called or compiled so far; everything in the process if left
            out.
        on_excess: `raise`; `warn`, which lets it compile; or a function that is called with an `Alert` before XLA runs,
            and may raise.
        allow_loads: Whether a program may come from the persistent compilation cache, or from `reuse`.
        eager: Whether eager operations, and functions that are not watched, are forbidden to compile too.
        this_thread: Whether to forbid it on the calling thread only.

    Raises:
        JitwatchError: A function is not watched, nothing has the name, or `on_excess` is none of these.
    """
    say.check_action(on_excess, "on_excess")
    check_flags(allow_loads=allow_loads, eager=eager, this_thread=this_thread)
    if not _config.is_off():
        bans().add(_ban(_FROZEN, functions, on_excess, allow_loads, eager, this_thread))


def unfreeze() -> None:
    """End every `freeze()`; `no_compiles` blocks stay in force."""
    bans().remove_rule(_FROZEN)


def no_compiles(
    *functions: Any, on_excess: say.Action = "raise", allow_loads: bool = True, eager: bool = True,
    this_thread: bool = False,
) -> Block[None]:  # fmt: skip
    """Forbid compilation while a block, or a decorated function, runs, as `freeze` does; the arguments are the same.

    `@no_compiles` without parentheses decorates too. The block of a decorated coroutine holds until that ends, also for
    what other tasks compile meanwhile; that of a generator while its own code runs.
    """
    say.check_action(on_excess, "on_excess")
    check_flags(allow_loads=allow_loads, eager=eager, this_thread=this_thread)
    how = on_excess, allow_loads, eager, this_thread
    if len(functions) == 1 and is_being_defined(functions[0], sys._getframe(1)):
        return Block(lambda: _forbidden((), *how))(functions[0])
    return Block(lambda: _forbidden(functions, *how))


@contextmanager
def _forbidden(functions: Sequence[Any], *how: Any) -> Iterator[None]:
    if _config.is_off():
        yield
        return
    with bans().during(_ban("within jitwatch.no_compiles()", functions, *how)):
        yield


def _ban(
    rule: str, functions: Sequence[Any], action: say.Action, allow_loads: bool, eager: bool, this_thread: bool
) -> Ban:
    begin()
    thread = number_of_this_thread() if this_thread else None
    return Ban(rule, frozenset(map(_name_of, functions)), thread, action, allow_loads, eager)


def _name_of(function: Any) -> str | int:
    if isinstance(function, str):
        known = {name for record in recorder().records() for name in (record.name, record.qualname)}
        if function not in known:
            raise JitwatchError(f"Nothing named {function!r} was called or compiled so far; {_near(function, known)}")
        return function
    watch = watch_of(function)
    if watch is None:
        raise JitwatchError(f"{repr_of(function)} is not a watched function; give one made by watched_jit, or a name.")
    return watch.record.id


def _near(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 3)
    if near:
        return f"did you mean {' or '.join(repr(clean(each)) for each in near)}?"
    return f"there are: {', '.join(map(clean, sorted(known)[:20])) or 'none'}."
