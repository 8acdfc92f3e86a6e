"""Reads declared calls for one watched function: their keys, and which recorded keys they cover."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import msgspec
import numpy as np

from jitwatch._capture.keys.trace_context import x64_at_start
from jitwatch._capture.keys.trees import statics
from jitwatch._errors import JitwatchError
from jitwatch._model import CacheKey, Leaf, Static
from jitwatch._policy.declared import ANY, Declared, Entry, Spec, array_shape, declared, dtype_name, is_array_like

if TYPE_CHECKING:
    from jitwatch._capture.hook.watch import Watch

REAL = (jax.Array, np.ndarray, np.generic, bool, int, float, complex)
"""What is passed to JAX as it is."""


def declared_for(watch: Watch, expect: Entry | Iterable[Entry]) -> Declared:
    """What `expect` declares for a watched function.

    Raises:
        JitwatchError: An entry is no declaration, or does not fit the function.
    """
    return declared(expect, DeclaredFunction(watch))


def without_arrays(expect: Any, watch: Watch) -> Any:
    """The same declarations with shapes and dtypes in the place of arrays, so that no array lives on in them."""
    found = expect if isinstance(expect, (Spec, Mapping)) or not isinstance(expect, Iterable) else list(expect)
    if isinstance(found, list):
        return [without_arrays(entry, watch) for entry in found] if not isinstance(expect, (str, bytes)) else expect
    if isinstance(found, Spec):
        static = watch.key_maker.static_positions(len(found.args))
        args = (value if i in static else _shapes(value) for i, value in enumerate(found.args))
        named = {name: value for name, value in found.kwargs.items()}
        traced = set(watch.key_maker.traced((), named))
        return Spec(tuple(args), {name: _shapes(value) if name in traced else value for name, value in named.items()})
    return {path: _shape(value) for path, value in found.items()} if isinstance(found, Mapping) else found


def _shapes(argument: Any) -> Any:
    try:
        return jax.tree_util.tree_map(_shape, argument)
    except Exception:  # a class of the user's that takes nothing else than arrays
        return argument


def _shape(value: Any) -> Any:
    return jax.ShapeDtypeStruct(value.shape, value.dtype) if isinstance(value, (jax.Array, np.ndarray)) else value


class DeclaredFunction:
    """The function that calls are declared of: a `jitwatch._policy.declared.Callee`."""

    def __init__(self, watch: Watch) -> None:
        self._name, self._key_maker = watch.record.name, watch.key_maker
        self.x64 = x64_at_start()
        try:
            self._signature: inspect.Signature | None = inspect.signature(watch.fun)
        except (TypeError, ValueError):
            self._signature = None
        self.parameters = _names(self._signature)
        self.defaults = _with_default(self._signature)
        """Names of the parameters that a call may leave out."""
        self.may_be_static = self._key_maker.may_be_static

    def key_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CacheKey:
        """The key of a declared call: what stands for an array has its leaf, and `...` for an argument is a leaf too.

        Raises:
            JitwatchError: The function takes no such arguments.
        """
        self.check(args, kwargs)
        try:
            key = self._key_maker.call(args, kwargs).key
        except (TypeError, ValueError) as error:
            raise JitwatchError(f"{self._name} cannot be called like this: {error}") from error
        values = self._key_maker.leaves(args, kwargs)
        known = (leaf for chunk in key.leaf_chunks for leaf in chunk)
        leaves = tuple(_abstract_leaf(value) or leaf for value, leaf in zip(values, known, strict=True))
        return msgspec.structs.replace(key, leaf_chunks=(leaves,))

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refuse arguments that the function does not take.

        Raises:
            JitwatchError: With Python's own words for it.
        """
        try:
            if self._signature is not None:
                self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise JitwatchError(f"{self._name}{self._signature} cannot be called like this: {error}.") from None

    @staticmethod
    def static_of(value: Any) -> Static:
        """The record of a static value, or of what may turn out to stand for a traced one."""
        return statics().static(value)


def _names(signature: inspect.Signature | None) -> frozenset[str] | None:
    parameters = list(signature.parameters.values()) if signature else []
    takes_any = not parameters or any(each.kind is each.VAR_KEYWORD for each in parameters)
    return None if takes_any else frozenset(each.name for each in parameters)


def _with_default(signature: inspect.Signature | None) -> frozenset[str]:
    parameters = list(signature.parameters.values()) if signature else []
    return frozenset(
        each.name for each in parameters
        if each.default is not each.empty and each.kind is not each.POSITIONAL_ONLY
    )  # fmt: skip


def _abstract_leaf(value: Any) -> Leaf | None:
    """The leaf of what stands for an array or an argument; None for what JAX takes."""
    if value is ...:
        return Leaf((), ANY, False, "python", False, None, None)
    if isinstance(value, REAL) or not is_array_like(value):
        return None
    return Leaf(array_shape(value), dtype_name(value.dtype), False, "declared", False, None, None)
