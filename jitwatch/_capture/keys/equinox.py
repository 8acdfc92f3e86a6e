"""Calls of `equinox.filter_jit` as the user made them.

equinox jits a function of its own: `(dynamic_donate, dynamic_nodonate, static)`, each made of the user's function, its
first argument and the rest of them, with the arrays in the dynamic ones (`equinox/_jit.py`, 0.11 to 0.13).
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from jitwatch._errors import pass_interrupt
from jitwatch._model import Argument, CacheKey, Static, StaticArgument, Tree

MAX_KNOWN = 4096
_Shape = tuple[tuple[Argument, ...], tuple[StaticArgument, ...]]


def is_wrapper(fun: Any) -> bool:
    """Whether this is the function that `filter_jit` jits in the place of the user's."""
    code = getattr(fun, "__code__", None)
    names = ("dynamic_donate", "dynamic_nodonate", "static")
    return getattr(fun, "__module__", "") == "equinox._jit" and code is not None and code.co_varnames[:3] == names


class Unwrapper:
    """Rewrites the keys of one such function; equal keys stay equal, and different ones different."""

    def __init__(self, read: Callable[[Any, Any], Tree], static: Callable[[Any], Static]) -> None:
        self._read, self._static = read, static
        self._known: dict[_Shape, CacheKey] = {}
        self._shown: dict[CacheKey, _Shape] = {}

    def __call__(self, key: CacheKey, args: tuple[Any, ...]) -> CacheKey:
        """The key with the user's arguments, or the same key where this is another version of equinox."""
        shape = key.arguments, key.statics
        known = self._known.get(shape)
        if known is None:
            try:
                known = self._rewritten(key, args)
            except BaseException as error:
                pass_interrupt(error)
                known = key
            known = msgspec.structs.replace(known, leaf_chunks=(), context=(), transform=())
            if self._shown.setdefault(known, shape) != shape:  # reads the same, and is not: then as JAX sees it
                known = msgspec.structs.replace(key, leaf_chunks=(), context=(), transform=())
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
                self._shown.clear()
            self._known[shape] = known
        return msgspec.structs.replace(known, leaf_chunks=key.leaf_chunks, context=key.context, transform=key.transform)

    def _rewritten(self, key: CacheKey, args: tuple[Any, ...]) -> CacheKey:
        donated, kept, static = args
        dynamic = {**donated, **kept}
        parts = dict(zip(("fun", "first", "rest"), static, strict=True))
        values = {name: _combined(dynamic[name], part) for name, part in parts.items()}
        fun = values["fun"]
        rest, keywords = values["rest"]
        count = 0 if not rest else len(rest)  # with no argument at all, the first one is the dummy
        parameters = tuple(inspect.signature(fun).parameters.values())
        arguments: list[Argument] = []
        statics: list[StaticArgument] = []
        for name in (*sorted(donated), *sorted(kept)):  # the order of the leaves
            marks = iter(parts[name][0])
            tree = self._read(parts[name][1], values[name])
            tree = self._with_statics(tree, marks)
            if name == "fun":
                if tree.kind == "static" and isinstance(fun, types.FunctionType):
                    continue  # always the same for one jitted function
                given = [("fun" if tree.kind == "static" else "self", False, _of_self(tree))]
            elif name == "first":
                given = [(_name(parameters, 0), False, tree)] if count else []
            else:
                positional, named = tree.children
                given = [(_name(parameters, i + 1), False, one) for i, one in enumerate(positional.children[:-1])]
                given += [(word, True, one) for word, one in zip(sorted(keywords), named.children, strict=True)]
            for word, by_keyword, one in given:
                if one.kind == "static" and one.static is not None:
                    statics.append(StaticArgument(word, by_keyword, one.static))
                else:
                    arguments.append(Argument(word, by_keyword, one, tuple(_paths(one, word))))
        passed = {_name(parameters, i) for i in range(count)} | set(keywords)
        if sum(len(argument.paths) for argument in arguments) != sum(len(chunk) for chunk in key.leaf_chunks):
            raise ValueError("leaves of another number")
        return msgspec.structs.replace(
            key, arguments=tuple(arguments), statics=tuple(statics), omitted=tuple(_omitted(parameters, passed))
        )

    def _with_statics(self, tree: Tree, marks: Iterator[Any]) -> Tree:
        """A tree of all values, those that are no arrays shown as static nodes; a mark is one such value, or None."""
        if tree.kind == "*":
            mark = next(marks)
            return tree if mark is None else Tree("static", static=self._static(mark))
        children = tuple(self._with_statics(child, marks) for child in tree.children)
        return msgspec.structs.replace(tree, children=children)


def _combined(dynamic: tuple[Any, ...], static: tuple[Any, Any]) -> Any:
    """What equinox took apart, as it puts it together again when the function is traced."""
    marks, treedef = static
    return treedef.unflatten([a if mark is None else mark for a, mark in zip(dynamic, marks, strict=True)])


def _of_self(tree: Tree) -> Tree:
    """Of a bound method the object that it is bound to."""
    keys = tuple("" if key == ".__self__" else key for key in tree.keys)
    return msgspec.structs.replace(tree, keys=keys)


def _name(parameters: tuple[inspect.Parameter, ...], position: int) -> str:
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if position < len(positional):
        return positional[position].name
    variadic = next((one.name for one in parameters if one.kind is one.VAR_POSITIONAL), "args")
    return f"{variadic}[{position - len(positional)}]"


def _omitted(parameters: tuple[inspect.Parameter, ...], passed: set[str]) -> Iterator[str]:
    return (one.name for one in parameters if one.default is not one.empty and one.name not in passed)


def _paths(tree: Tree, path: str) -> Iterator[str]:
    if tree.kind == "*":
        yield path
    for key, child in zip(tree.keys, tree.children, strict=True):
        yield from _paths(child, path + key)
