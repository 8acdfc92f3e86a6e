"""The errors and warnings that users can catch, and what to make of those that the user's own code raises."""

from __future__ import annotations

import dis
import signal
import threading
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import Any

_MAX_REPR = 200


class JitwatchError(Exception):
    """Something the user can mend: an option, a file, a request that cannot be met. The message says what to do."""


class RecompilationError(RuntimeError):
    """A compilation that was forbidden: by `freeze`, `no_compiles`, `max_compiles`, `expect` or `JITWATCH_MODE=error`.

    `alert` has the parts of the message as data.
    """

    alert: Any = None


class RecompilationWarning(UserWarning):
    """A function compiles more often than it should; the subclass says for what kind of change.

    `alert` has the parts of the message as data. As for every warning, `warnings.filterwarnings` can silence it or
    turn it into an error.
    """

    alert: Any = None


class ShapeChurnWarning(RecompilationWarning):
    """A shape changes: JW101."""


class DtypeChurnWarning(RecompilationWarning):
    """A dtype, a weak type or a kind of PRNG key changes: JW102, JW103, JW108."""


class ShardingChurnWarning(RecompilationWarning):
    """The placement of an argument changes: JW104, JW105, JW106."""


class StructureChurnWarning(RecompilationWarning):
    """The structure of a pytree, or the form of the call, changes: JW107, JW203."""


class StaticArgChurnWarning(RecompilationWarning):
    """A static value changes: JW201."""


class IdentityChurnWarning(RecompilationWarning):
    """An object that JAX compares by identity is made anew: JW202, JW301, JW302."""


class ContextChurnWarning(RecompilationWarning):
    """A setting or a context of JAX changes: JW401."""


class CacheChurnWarning(RecompilationWarning):
    """A known program is compiled, or dispatched slowly, again: JW501, JW502, JW601."""


WARNINGS: dict[str, type[RecompilationWarning]] = {
    "shape": ShapeChurnWarning, "dtype": DtypeChurnWarning, "weak_type": DtypeChurnWarning,
    "key_impl": DtypeChurnWarning, "sharding": ShardingChurnWarning, "committed": ShardingChurnWarning,
    "layout": ShardingChurnWarning, "tree_structure": StructureChurnWarning, "arg_kind": StructureChurnWarning,
    "static_value": StaticArgChurnWarning, "static_identity": IdentityChurnWarning,
    "function_identity": IdentityChurnWarning, "other": IdentityChurnWarning, "config_context": ContextChurnWarning,
    "persistent_miss": CacheChurnWarning, "cache_cleared": CacheChurnWarning, "stuck": CacheChurnWarning,
}  # fmt: skip
"""The class for each cause; for any other, such as a first compilation, `RecompilationWarning` itself."""

for _public in (JitwatchError, RecompilationError, RecompilationWarning, *WARNINGS.values()):
    _public.__module__ = "jitwatch"


def pass_interrupt(error: BaseException) -> None:
    """Raise an exception again that came from a signal's handler; for where the user's code is not to end anything."""
    if is_interrupt(error):
        raise error


def repr_of(value: Any) -> str:
    """The repr of a value of the user's in an error message, one line, whatever the value's own code does."""
    try:
        return " ".join(repr(value)[:_MAX_REPR].split())
    except BaseException as error:
        pass_interrupt(error)
        return f"<{type(value).__name__} object>"


def check_flags(**flags: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        JitwatchError: One is something else; the message names it.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise JitwatchError(f"{name} is {repr_of(value)}; valid are True and False.")


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception came from a signal's handler: meant for the program, whatever code it met on its way.

    A `KeyboardInterrupt` that the code at hand raised itself is none: that ends no program from within a repr.
    """
    if threading.current_thread() is not threading.main_thread():  # the one on which Python runs handlers
        return False
    handlers = set(_handlers())
    innermost: TracebackType | None = None
    frames = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_code in handlers:
            return True
        innermost, frames = frames, frames.tb_next
    return isinstance(error, KeyboardInterrupt) and not (innermost is not None and _raises(innermost))


def _handlers() -> Iterator[CodeType]:
    """The code of the handlers that are written in Python; the one that makes a Ctrl-C an exception is not."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if callable(handler):
            function = getattr(handler, "__func__", handler)
            code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
            if isinstance(code, CodeType):
                yield code


def _raises(traceback: TracebackType) -> bool:
    """Whether it is a `raise` at which a frame stopped."""
    code = traceback.tb_frame.f_code.co_code
    return traceback.tb_lasti < len(code) and dis.opname[code[traceback.tb_lasti]] in ("RAISE_VARARGS", "RERAISE")
