"""Declared calls: the calls that a function is expected to get, and which recorded keys they cover.

One call is declared by `spec(...)`, or by a dict from paths to what is there. Pure: what it takes to read a pytree or a
static value is handed in as a `Callee`.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Protocol

from jitwatch._errors import JitwatchError
from jitwatch._model import Argument, CacheKey, Leaf, Static, Tree
from jitwatch._words.key_diff import named_leaves
from jitwatch._words.safe_text import ELLIPSIS, clean, cut

ANY = "ellipsis"
"""The dtype, or type of a static value, that a key has where the declared call says `...`."""
_KINDS = {"bool": ("bool",), "int": ("int32", "int64"), "float": ("float32", "float64"),
          "complex": ("complex64", "complex128")}  # fmt: skip
"""The dtypes of a Python number."""
_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}
_ROOT = re.compile(r"[^\W\d]\w*")
_LISTED = 20
_TEXT_LIMIT = 200


@dataclass(frozen=True, eq=False, repr=False)
class Spec:
    """One declared call: its arguments as they would be passed."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __repr__(self) -> str:
        parts = [*map(_text, self.args), *(f"{name}={_text(value)}" for name, value in self.kwargs.items())]
        return clean(f"jitwatch.spec({', '.join(parts)})", _TEXT_LIMIT)


def spec(*args: Any, **kwargs: Any) -> Spec:
    """Declare one call of a jitted function: its arguments as they would be passed.

    In the place of an array may stand a `jax.ShapeDtypeStruct`, or anything with `shape` and `dtype`; in the place of a
    whole argument `...`, for what is there in the example call (in `expect`: anything).
    """
    return Spec(args, kwargs)


Entry = Spec | Mapping[str, Any]


class Callee(Protocol):
    """What is known of the function whose calls are declared."""

    parameters: frozenset[str] | None
    """None where any name may be passed."""
    x64: bool
    """Whether 64-bit types were on when watching began."""

    def key_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CacheKey:
        """The key of a declared call."""

    def static_of(self, value: Any) -> Static:
        """The record of a static value."""

    def may_be_static(self, name: str) -> bool:
        """Whether an argument of this name can be static."""


class Declared:
    """The declared calls of one function."""

    def __init__(self, patterns: Iterable[_CallPattern | _PathPattern], texts: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self.texts = tuple(texts)
        """Each declared call as one line that is safe to print."""

    def covers(self, key: CacheKey) -> bool:
        """Whether a recorded key is one of the declared: in shapes, dtypes, structure and static values.

        Weak types, shardings, commitment, layouts, the trace context and transforms are not compared.
        """
        return any(pattern.covers(key) for pattern in self._patterns)


def declared(expect: Entry | Iterable[Entry], callee: Callee | None = None) -> Declared:
    """Read what `expect` declares.

    Args:
        expect: One declared call, or several.
        callee: The function that it is for. Without it only dicts can be read, and any path is taken for right.

    Raises:
        JitwatchError: An entry is no declaration, or does not fit the function.
    """
    found = entries(expect, "expect")
    patterns = [_pattern(entry, where, callee) for where, entry in found]
    return Declared(patterns, (entry_text(entry) for _, entry in found))


def entries(given: Any, name: str) -> list[tuple[str, Entry]]:
    """Each declared call of an option, with words for where it stands.

    Raises:
        JitwatchError: One is neither a `spec(...)` nor a dict with paths.
    """
    single = isinstance(given, (Spec, Mapping))
    if not single and (isinstance(given, (str, bytes)) or not isinstance(given, Iterable)):
        raise JitwatchError(f"{name} is {_text(given)}; valid are {_VALID_ENTRIES}, and a list of them.")
    found: list[Any] = [given] if single else list(given)
    for number, entry in enumerate(found, 1):
        paths = entry if isinstance(entry, Mapping) else ()
        if not isinstance(entry, (Spec, Mapping)) or not all(isinstance(path, str) for path in paths):
            raise JitwatchError(f"{name}, entry {number} is {_text(entry)}; valid are {_VALID_ENTRIES}.")
    return [(f"{name}, entry {number}", entry) for number, entry in enumerate(found, 1)]


_VALID_ENTRIES = "jitwatch.spec(...) and a dict from paths such as \"batch['x']\" to what is there"


def entry_text(entry: Entry) -> str:
    """A declared call as one line that is safe to print."""
    return repr(entry) if isinstance(entry, Spec) else clean(_text(entry), _TEXT_LIMIT)


def shape_of(value: Any) -> tuple[int | None, ...] | None:
    """A declared shape: a tuple of ints, and of None for any size; None for anything else."""
    if type(value) is not tuple or any(isinstance(size, bool) for size in value):
        return None
    try:
        sizes = tuple(None if size is None else operator.index(size) for size in value)
    except TypeError:
        return None
    return None if any(size is not None and size < 0 for size in sizes) else sizes


def is_array_like(value: Any) -> bool:
    """Whether a value says what array is there: an array, a `jax.ShapeDtypeStruct`, or what looks like one."""
    return not isinstance(value, type) and hasattr(value, "shape") and hasattr(value, "dtype")


def array_shape(value: Any) -> tuple[Any, ...]:
    """The shape of what says what array is there.

    Raises:
        JitwatchError: It is none.
    """
    shape = shape_of(tuple(value.shape))
    if shape is None:
        raise JitwatchError(f"a shape is {_text(tuple(value.shape))}; valid are whole numbers of at least 0.")
    return shape


VALID_LEAVES = "a shape as a tuple of sizes of at least 0, a jax.ShapeDtypeStruct, an array, a number and `...`"
"""What can be declared of a leaf, in words."""


def check_paths(paths: Iterable[str], where: str, parameters: frozenset[str] | None) -> None:
    """Refuse a path that begins with no parameter of the function, where those are known.

    Raises:
        JitwatchError: With the names that are valid.
    """
    for path in paths:
        root = _ROOT.match(path)
        if root is None or (parameters is not None and root.group() not in parameters):
            refuse_path(path, where, sorted(parameters or ()))


def refuse_path(path: str, where: str, valid: list[str]) -> NoReturn:
    """Say that a path leads nowhere, and which would be valid."""
    names = ", ".join(clean(each, 60) for each in valid[:_LISTED]) + (", …" if len(valid) > _LISTED else "")
    raise JitwatchError(f"{where}: {_text(path)} is no argument or leaf of the function; valid are: {names or 'none'}.")


class _LeafPattern(NamedTuple):
    """What is declared of one leaf."""

    shape: tuple[int | None, ...]
    dtype: str | None
    """None for any; the name of a Python type for the dtypes of its numbers."""

    def covers(self, leaf: Leaf, *, x64: bool) -> bool:
        """Whether a recorded leaf is like this."""
        sizes = zip(self.shape, leaf.shape, strict=False)
        same_shape = len(self.shape) == len(leaf.shape) and all(one is None or one == other for one, other in sizes)
        return same_shape and (
            self.dtype is None
            or leaf.dtype == self.dtype
            or leaf.dtype in _KINDS.get(self.dtype, ())
            or (not x64 and leaf.dtype == _NARROW.get(self.dtype))
        )


def _leaf_pattern(value: Any) -> _LeafPattern | None:
    if is_array_like(value):
        return _LeafPattern(array_shape(value), dtype_name(value.dtype))
    if type(value) in (bool, int, float, complex):
        return _LeafPattern((), type(value).__name__)
    shape = shape_of(value)
    return None if shape is None else _LeafPattern(shape, None)


def dtype_name(dtype: Any) -> str:
    """A dtype as keys name it: `int32`, `key<fry>`."""
    dtype = getattr(dtype, "dtype", dtype)  # `jax.numpy.int32` is none, and has one
    return dtype.__name__ if isinstance(dtype, type) else str(getattr(dtype, "name", dtype))


def _pattern(entry: Entry, where: str, callee: Callee | None) -> _CallPattern | _PathPattern:
    if isinstance(entry, Mapping):
        return _PathPattern(entry, where, callee)
    if callee is None:
        raise JitwatchError(f"{where}: {entry} can only be read with the function that it declares a call of.")
    try:
        return _CallPattern(entry, callee.key_of(entry.args, entry.kwargs), callee.x64)
    except JitwatchError as error:
        raise JitwatchError(f"{where}: {error}") from None


class _PathPattern:
    """What a dict from paths declares; whatever it does not name may be anything."""

    def __init__(self, entry: Mapping[str, Any], where: str, callee: Callee | None) -> None:
        if not entry:
            raise JitwatchError(f"{where} is an empty dict, which covers every call; name at least one path.")
        check_paths(entry, where, callee.parameters if callee else None)
        self._x64 = callee is not None and callee.x64
        given = {path: value for path, value in entry.items() if value is not ...}
        try:
            self._leaves = {path: _leaf_pattern(value) for path, value in given.items()}
        except JitwatchError as error:
            raise JitwatchError(f"{where}: {error}") from None
        for path, leaf in self._leaves.items():
            # A name alone can be a static argument of any value.
            if leaf is None and not (path.isidentifier() and (callee is None or callee.may_be_static(path))):
                raise JitwatchError(
                    f"{where}: {_text(path)} is declared as {_text(given[path])}; valid are {VALID_LEAVES}."
                )
        static_of = callee.static_of if callee else _plain_static
        self._statics = {path: static_of(value) for path, value in given.items() if path.isidentifier()}
        self._kept = entry  # the tokens of static values live as long as the values

    def covers(self, key: CacheKey) -> bool:
        """Whether a key has at each path what is declared."""
        x64 = _x64_in(key, self._x64)
        statics = {each.name: each.value for each in key.statics}
        leaves = dict(named_leaves(key))
        for path, pattern in self._leaves.items():
            if path in statics:
                if path not in self._statics or not _same_static(self._statics[path], statics[path]):
                    return False
            elif pattern is None or path not in leaves or not pattern.covers(leaves[path], x64=x64):
                return False
        return True


class _CallPattern:
    """What a `spec(...)` declares: a whole call."""

    def __init__(self, entry: Spec, key: CacheKey, x64: bool) -> None:
        self._key, self._x64 = key, x64
        self._arguments = {argument.name: (argument, leaves) for argument, leaves in _with_leaves(key)}
        for argument, leaves in self._arguments.values():
            for path, leaf in zip(argument.paths, leaves, strict=True):
                if leaf.source == "python" and _number_kind(leaf) is None and not _is_any(argument, leaves):
                    problem = "`...` stands for a whole argument" if leaf.dtype == ANY else "JAX takes no such argument"
                    raise JitwatchError(f"{clean(path)} is of type {clean(leaf.dtype, 60)}: {problem}.")
        self._kept = entry  # the tokens of static values live as long as the values

    def covers(self, key: CacheKey) -> bool:
        """Whether a key is that of such a call."""
        x64 = _x64_in(key, self._x64)
        return (
            _forms(key) == _forms(self._key)
            and all(
                _same_static(mine.value, theirs.value)
                for mine, theirs in zip(_by_name(self._key.statics), _by_name(key.statics), strict=True)
            )
            and all(self._covers_argument(argument, leaves, x64) for argument, leaves in _with_leaves(key))
        )

    def _covers_argument(self, argument: Argument, leaves: tuple[Leaf, ...], x64: bool) -> bool:
        mine, patterns = self._arguments[argument.name]
        if _is_any(mine, patterns):
            return True
        return _same_tree(mine.tree, argument.tree) and all(
            _LeafPattern(pattern.shape, _number_kind(pattern) or pattern.dtype).covers(leaf, x64=x64)
            for pattern, leaf in zip(patterns, leaves, strict=True)
        )


def _number_kind(leaf: Leaf) -> str | None:
    """The Python type of a number."""
    return next((kind for kind, dtypes in _KINDS.items() if leaf.source == "python" and leaf.dtype in dtypes), None)


def _is_any(argument: Argument, leaves: tuple[Leaf, ...]) -> bool:
    return argument.tree.kind == "*" and [leaf.dtype for leaf in leaves] == [ANY]


def _forms(key: CacheKey) -> list[list[tuple[str, bool]]]:
    """Names of traced and of static arguments, and how they are passed; keywords have no order."""
    return [sorted((each.name, each.by_keyword) for each in group) for group in (key.arguments, key.statics)]


def _by_name(statics: Any) -> list[Any]:
    return sorted(statics, key=lambda each: each.name)


def _x64_in(key: CacheKey, otherwise: bool) -> bool:
    return dict(key.context).get("jax_enable_x64", str(otherwise)) == "True"


def _with_leaves(key: CacheKey) -> Iterator[tuple[Argument, tuple[Leaf, ...]]]:
    """Each traced argument with its leaves."""
    leaves = itertools.chain.from_iterable(key.leaf_chunks)
    return ((each, tuple(itertools.islice(leaves, len(each.paths)))) for each in key.arguments)


def _same_tree(left: Tree, right: Tree) -> bool:
    """Whether two pytrees have one structure; a loop, as pytrees can be deeper than Python's stack."""
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if one is other:
            continue
        if (one.kind, one.keys, len(one.children)) != (other.kind, other.keys, len(other.children)):
            return False
        if (one.static is None) != (other.static is None):
            return False
        if one.static is not None and other.static is not None and not _same_static(one.static, other.static):
            return False
        pending.extend(zip(one.children, other.children, strict=True))
    return True


def _same_static(declared: Static, recorded: Static) -> bool:
    """Whether two static values say the same, and are the same object where what they say does not settle it."""
    if declared.type == ANY:
        return True
    unsettled = declared.by_identity or declared.text.endswith(ELLIPSIS)
    return _says(declared) == _says(recorded) and (declared.token == recorded.token or not unsettled)


def _says(static: Static) -> tuple[Any, ...]:
    return static.type, static.text, tuple((path, _says(part)) for path, part in static.parts)


def _plain_static(value: Any) -> Static:
    return Static(type(value).__qualname__, repr(value), -1, False)


def _text(value: Any) -> str:
    """A declared value on one line, arrays by what they are: printing them would wait for the device."""
    if value is ...:
        return "..."
    if is_array_like(value):
        return f"{dtype_name(value.dtype)}[{','.join(map(str, value.shape))}]"
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_text(key)}: {_text(each)}" for key, each in itertools.islice(value.items(), 12)) + "}"
        )
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_text, value[:12]))
        if type(value) is tuple:
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        return f"[{inner}]" if type(value) is list else f"{type(value).__name__}({inner})"
    if isinstance(value, int) and value.bit_length() > 400:  # Python refuses to print integers of thousands of digits
        return _object_text(value)
    plain = value is None or isinstance(value, (str, bytes, bool, int, float, complex))
    return cut(repr(value[:60] if isinstance(value, (str, bytes)) else value), 60) if plain else _object_text(value)


def _object_text(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    return str(name) if isinstance(name, str) else f"{type(value).__qualname__} object"
