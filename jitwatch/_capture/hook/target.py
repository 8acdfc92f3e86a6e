"""What a function that somebody names stands for: which records of compilations are its own."""

from __future__ import annotations

import functools
import types
from typing import Any

import jax

from jitwatch._capture import jax_internals
from jitwatch._capture.events import unwatched
from jitwatch._capture.functions import identity
from jitwatch._capture.hook.registry import watch_of
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.recorder import recorder


class Target:
    """A function by its definition, or a name; a jitted function stands for objects that bring along the same."""

    def __init__(self, function: Any) -> None:
        self.name: str = function if isinstance(function, str) else ""
        self.defined_at = ""
        self._jitted: Any = None
        self._inner: Any = None
        if not self.name:
            self._look_into(function)

    def _look_into(self, function: Any) -> None:
        function = _innermost(function)
        watch = watch_of(function)
        self._own = None if watch is None else watch.record
        self._inner = function
        if jax_internals.is_jitted(function):
            self._jitted, self._inner = function, jax_internals.jitted_function(function)
            if watch is not None:
                self._inner = watch.fun
        self.name = str(getattr(self._inner, "__name__", type(self._inner).__name__))
        self.defined_at = unwatched.definition_of(self._inner) if watch is None else watch.record.defined_at

    @property
    def is_unwatched(self) -> bool:
        """Whether it is a jitted function that does not tell jitwatch of its traces."""
        return self._jitted is not None and self._own is None

    def was_compiled_unseen(self) -> bool:
        """Whether it has programs, though jitwatch saw no compilation: it was compiled before jitwatch began."""
        return self.is_unwatched and jax_internals.dispatch_cache_size(self._jitted) > 0

    def covers(self, record: FunctionRecord) -> bool:
        """Whether a record is the function's own, or has the name."""
        if self._inner is None:
            return self.name in (record.name, record.qualname)
        if self._jitted is None or not self._is_defined_here(record):
            return self._is_defined_here(record)
        if record is self._own or record.in_use() is self._inner or not record.bound:
            return True
        if self._own is not None:
            return record.is_like(self._own)
        return record.bound == identity.bound_values(self._inner) and record.objects == identity.bound_objects(
            self._inner
        )  # fmt: skip

    def _is_defined_here(self, record: FunctionRecord) -> bool:
        named = record.name == self.name or record.name.startswith("<unnamed")
        if self._is_another_lambda(record):
            return False
        if self.defined_at and record.defined_at:  # a name too, as generated code has lines of its own
            return record.defined_at == self.defined_at and (named or isinstance(self._inner, functools.partial))
        return named and self.defined_at == record.defined_at and not _is_other(record)

    def _is_another_lambda(self, record: FunctionRecord) -> bool:
        """Whether both are lambdas, of one line or not, and not the same."""
        code = identity.code_of(self._inner)
        lambdas = all(each and not each.startswith("0:") for each in (code, record.code))
        return lambdas and code != record.code


def _innermost(function: Any) -> Any:
    """The function within partials, methods and wrappers, down to one that is jitted."""
    for _ in range(100):  # a cycle of `__wrapped__`
        if jax_internals.is_jitted(function):
            return function
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType) and jax_internals.is_jitted(function.__func__):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function
    return function


def _is_other(record: FunctionRecord) -> bool:
    return recorder().is_other(record.id)


def is_jit_disabled() -> bool:
    """Whether JAX runs jitted functions as plain Python on this thread."""
    return bool(jax.config.jax_disable_jit)
