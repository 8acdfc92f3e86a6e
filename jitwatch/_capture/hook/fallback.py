"""Counting without the exact hook, for a JAX that lacks it: a Python wrapper, and the growth of JAX's dispatch cache.

Reports call the counts approximate: misses without a new cache entry and without a stage are taken for hits, and every
call computes its key.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

import jax

from jitwatch import _faults
from jitwatch._capture import jax_internals
from jitwatch._capture.events.frames import Frame, pop, thread_state
from jitwatch._capture.hook.watch import Watch, own_stages
from jitwatch._capture.observer import observer
from jitwatch._model import Stages


def wrapped(jitted: Any, options: dict[str, Any], policy: Any) -> tuple[Any, Watch]:
    """A Python function around the jitted one, and its watch."""
    watch = Watch(jitted, options, policy, exact=False)
    watch.remade = _wrapped_by
    return _wrapped_by(watch), watch


def _wrapped_by(watch: Watch) -> Any:
    @functools.wraps(watch.fun)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if jax.config.jax_disable_jit:  # no cache is used, so nothing is counted, as with the exact hook
            return watch.fun(*args, **kwargs)
        size = jax_internals.dispatch_cache_size(watch.inner)
        frame = Frame("call", watch.record, watch.body)
        stack = thread_state().stack
        depth = len(stack)
        try:
            begun = _faults.contain("the begin of a call", watch.begin, frame, args, kwargs, default=False)
            result = watch.inner(*args, **kwargs)
            grown = jax_internals.dispatch_cache_size(watch.inner) > size
            if not begun:
                return result
            if grown or own_stages(frame) != Stages() or frame.kind == "nested":
                _faults.contain("counting a miss", watch.end, frame, (result, None), default=None)
            else:
                _faults.contain("counting a hit", _count_hit, watch, frame, default=None)
        except BaseException as error:
            if frame.is_under_way():
                _faults.contain("counting a failed call", watch.failed, frame, error, default=None)
            raise
        finally:
            del stack[depth:]
        if frame.alerts:
            watch.speak(frame)
        return result

    watch.function = weakref.ref(watch.inner)
    watched.clear_cache = watch.inner.clear_cache  # type: ignore[attr-defined]
    return watched


def _count_hit(watch: Watch, frame: Frame) -> None:
    pop(frame)
    observer().ended(frame)
    watch.record.count_hit(watch.record.record_of(None if frame.call is None else frame.call.key))
