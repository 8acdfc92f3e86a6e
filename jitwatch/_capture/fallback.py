"""Counting without the exact hook, for a JAX that lacks it: a Python wrapper, and the growth of JAX's dispatch cache.

Reports call the counts approximate: misses without a new cache entry and without a stage are taken for hits, and every
call computes its key.
"""

from __future__ import annotations

import functools
from typing import Any

import jax

from jitwatch import _faults
from jitwatch._capture import jax_internals, stages, under_way
from jitwatch._capture.watch import Watch, own_stages
from jitwatch._model import Stages


def wrapped(jitted: Any, options: dict[str, Any], max_keys: int) -> tuple[Any, Watch]:
    """A Python function around the jitted one, and its watch."""
    watch = Watch(jitted, options, max_keys, exact=False)

    @functools.wraps(watch.fun)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if jax.config.jax_disable_jit:  # no cache is used, so nothing is counted, as with the exact hook
            return watch.fun(*args, **kwargs)
        size = jax_internals.dispatch_cache_size(watch.inner)
        frame, call = watch.begin(args, kwargs)
        try:
            result = watch.inner(*args, **kwargs)
        except BaseException as error:
            watch.failed(frame, call, error)
            raise
        grown = jax_internals.dispatch_cache_size(watch.inner) > size
        if grown or own_stages(frame) != Stages() or frame.kind == "nested":
            watch.end(frame, call, None)
        else:
            stages.pop(frame)
            under_way.ANNOUNCER.ended(frame)
            _count_hit(watch, call)
        return result

    watched.clear_cache = watch.inner.clear_cache  # type: ignore[attr-defined]
    return watched, watch


def _count_hit(watch: Watch, call: Any) -> None:
    try:
        watch.record.record_of(None if call is None else call.key).hits.add_one()
    except Exception as error:
        _faults.record("counting a hit", error)
