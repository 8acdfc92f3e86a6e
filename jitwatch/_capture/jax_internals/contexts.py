"""The settings and context managers that JAX's dispatch cache compares: their names, and their values on a thread."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
from jax._src import config, core

# Measured on JAX 0.6.1 to 0.12: what the trace context holds and the dispatch cache does not compare, and the reverse.
_NOT_COMPARED = frozenset(
    ["jax_high_dynamic_range_gumbel", "jax_hlo_source_file_canonicalization_regex", "jax_mutable_array_checks"]
)
_COMPARED_BESIDES = tuple(
    name for name in ("jax_optimization_level", "jax_memory_fitting_level") if hasattr(jax.config, name)
)


@functools.cache
def context_names() -> tuple[str, ...]:
    """Names of the entries of `trace_context`, in order."""
    return (*(_trace_context_names()[i] for i in _compared()), *_COMPARED_BESIDES)


@functools.cache
def _compared() -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(_trace_context_names()) if name not in _NOT_COMPARED)


@functools.cache
def _trace_context_names() -> tuple[str, ...]:
    """JAX gives them since 0.10.2. Before, each known setting is set on this thread to see which entry moves."""
    try:
        return tuple(config.trace_context_names())
    except (AttributeError, NotImplementedError):
        pass
    before = config.trace_context()
    names = [f"context {i}" for i in range(len(before))]
    settings = {name: value for module in (config, core) for name, value in vars(module).items()}
    settings |= getattr(config.config, "_value_holders", {})
    for name, setting in settings.items():
        if not isinstance(setting, type) and hasattr(setting, "swap_local"):
            previous = setting.swap_local(object())
            try:
                after = config.trace_context()
            finally:
                setting.set_local(previous)
            moved = [old is not new for old, new in zip(before, after, strict=True)]
            names = [getattr(setting, "_name", None) or name if m else n for n, m in zip(names, moved, strict=True)]
    return tuple(names)


def trace_context() -> tuple[Any, ...]:
    """The values of config and context managers that JAX's dispatch cache compares, on this thread."""
    return _take_compared()(config.trace_context()) + tuple([getattr(jax.config, name) for name in _COMPARED_BESIDES])


@functools.cache
def _take_compared() -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """In C, since it is asked for at each miss."""
    return operator.itemgetter(*_compared())
