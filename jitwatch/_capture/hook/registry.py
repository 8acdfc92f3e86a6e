"""Which functions are hooked, and which records they fill. Keeps none of them alive."""

from __future__ import annotations

import functools
import threading
import weakref
from typing import TYPE_CHECKING, Any

from jitwatch import _state
from jitwatch._capture import jax_internals
from jitwatch._capture.hook.body import Body
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder

if TYPE_CHECKING:
    from jitwatch._capture.hook.watch import Watch


class Registry:
    """The hooked functions of the process, and the records of each traced body by what shares one dispatch cache."""

    def __init__(self) -> None:
        self.hooked: dict[int, weakref.ref[Any]] = {}
        """By address: a copy of it can be gone through while other threads jit."""
        self.by_name: weakref.WeakKeyDictionary[FunctionRecord, weakref.WeakSet[Watch]] = weakref.WeakKeyDictionary()
        """Of the watches, those of functions that somebody watches for themselves."""
        self.records: weakref.WeakKeyDictionary[Body, dict[Any, FunctionRecord]] = weakref.WeakKeyDictionary()

    def add(self, function: Any) -> None:
        """One more hooked function, for as long as it exists."""
        place = id(function)
        self.hooked[place] = weakref.ref(function, functools.partial(self.hooked.pop, place))

    def functions(self) -> list[Any]:
        """The hooked functions that exist."""
        return [function for each in self.hooked.copy().values() if (function := each()) is not None]


class LogSwitch:
    """Whether a call log is open: inside one, every call comes to the hook."""

    def __init__(self) -> None:
        self.open: dict[object, int] = {}
        """For each log that is open the thread that opened it: one step opens one, and one closes it."""
        self.kept: dict[Any, Any] = {}
        """By key, what stands for JAX's own cache entry, of which there is none meanwhile."""

    @property
    def active(self) -> bool:
        """Whether any log is open."""
        return bool(self.open)

    def begin_in_child(self) -> None:
        """After a fork: the logs of other threads have nobody to close them."""
        here = threading.get_ident()
        self.open = {log: thread for log, thread in self.open.items() if thread == here}


def registry() -> Registry:
    """The registry of the state in force."""
    return _state.part(Registry)


def log_switch() -> LogSwitch:
    """The switch of the state in force."""
    return _state.part(LogSwitch)


def watch_of(function: Any) -> Watch | None:
    """The watch of a hooked function; None for any other.

    It hangs on the hook inside the function, so that a cycle through the user's function is one that Python can free.
    """
    hook = jax_internals.hook_of(function)
    watch: Watch | None = getattr(hook, "jitwatch_watch", None)
    return watch if watch is not None and watch.function() is function else None


def watches_by_name(record: FunctionRecord) -> list[Watch]:
    """The watches of the functions that somebody watches for themselves and that share a record."""
    return list(registry().by_name.get(record, ()))


def plain_of(function: Any) -> Any:
    """The function that a hooked one, or a copy of it, was made from; a function that is not hooked itself."""
    watch: Watch | None = getattr(jax_internals.hook_of(function), "jitwatch_watch", None)
    return function if watch is None else watch.plain


def empty_dispatch_caches() -> None:
    """Make the next call with each known key come to the hook; it neither traces nor compiles, and counts as a hit."""
    for function in registry().functions():
        watch = watch_of(function)
        if watch is not None:
            watch.put_entries_aside()
        jax_internals.clear_dispatch_cache(function)
    for record in recorder().records():
        record.expect_rebuild()
