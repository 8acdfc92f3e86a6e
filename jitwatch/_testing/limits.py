"""What a test may compile, as its markers say, held against what it compiled. Pure."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from jitwatch._errors import JitwatchError, repr_of
from jitwatch._judge.compiled import BACKWARD, FIRST, REPEAT, UNKNOWN, Program, programs_made
from jitwatch._judge.judge import CODES, explanations
from jitwatch._judge.remedies import advice_for
from jitwatch._model import Change, Explanation, FunctionStats, Miss, Snapshot
from jitwatch._record.sums import program_count

USES = "write @pytest.mark.max_compiles(3), or max_compiles(1, fn=train_step) with the function or its name"


_IN_LIBRARY = re.compile(r"[/\\](?:site|dist)-packages[/\\]")


class Limit(msgspec.Struct, frozen=True):
    """What one marker says."""

    marker: str
    """As the user would write it."""
    most: int
    name: str = ""
    """Only of functions of this name; empty for all."""
    place: str = ""
    """And with this definition, `file:line`; empty where only the name was given."""
    each: bool = False
    """Whether it holds for each definition on its own, and the first program for each transform is free."""


NO_RECOMPILE = Limit("no_recompile", 1, each=True)


class Compile(msgspec.Struct, frozen=True):
    """One program that a test compiled."""

    name: str
    defined_at: str
    program: Program
    fixes: tuple[tuple[str, str], ...]
    """Codes of the rules, each with what to change."""


class Problem(msgspec.Struct, frozen=True):
    """A marker that a test did not keep."""

    limit: Limit
    function: str
    """The one it is about; empty where it is about all together."""
    defined_at: str
    compiles: int
    unexpected: tuple[Compile, ...]
    """Those beyond the limit, in order of time."""


def max_compiles(n: Any, fn: Any = None) -> Limit:
    """The limit of `@pytest.mark.max_compiles`, whose parameters these are.

    Raises:
        JitwatchError: `n` or `fn` is not valid.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise JitwatchError(f"n is {repr_of(n)}; valid is a whole number of at least 0: {USES}.")
    if fn is None:
        return Limit(f"max_compiles({n})", n)
    if isinstance(fn, str) and fn:
        return Limit(f"max_compiles({n}, fn={fn!r})", n, fn)
    function = _innermost(fn)
    name = getattr(function, "__name__", None)
    if not isinstance(name, str):
        raise JitwatchError(f"fn is {repr_of(fn)}; valid is a function or its name: {USES}.")
    code = getattr(function, "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if isinstance(code, types.CodeType) else ""
    return Limit(f"max_compiles({n}, fn={name})", n, name, place)


def limit_of(marker: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Limit:
    """The limit of a marker.

    Raises:
        JitwatchError: Its arguments are not valid.
    """
    make: Callable[..., Limit] = max_compiles if marker == "max_compiles" else _no_recompile
    try:
        inspect.signature(make).bind(*args, **kwargs)
    except TypeError as error:
        use = USES if marker == "max_compiles" else "write @pytest.mark.no_recompile"
        raise JitwatchError(f"{error}; {use}.") from None
    return make(*args, **kwargs)


def _no_recompile() -> Limit:
    return NO_RECOMPILE


def _innermost(fn: Any) -> Any:
    """The user's function in a jitted, partial or bound one."""
    for _ in range(100):
        if isinstance(fn, functools.partial):
            fn = fn.func
        elif isinstance(fn, types.MethodType):
            fn = fn.__func__
        elif callable(getattr(fn, "__wrapped__", None)):
            fn = fn.__wrapped__
        else:
            break
    return fn


def matches(limit: Limit, function: FunctionStats) -> bool:
    """Whether a limit is about a function."""
    if limit.name and limit.name not in (function.name, function.qualname):
        return False
    # A library that jits a wrapper of the user's function may hide where that was defined.
    known = function.defined_at and not _IN_LIBRARY.search(function.defined_at)
    return not limit.place or not known or limit.place == function.defined_at


def jitted_functions(snapshot: Snapshot) -> tuple[FunctionStats, ...]:
    """Functions of the program and its libraries, also those jitted before watching; no operations, none of JAX's."""
    return snapshot.functions + tuple(other for other in snapshot.others if other.defined_at)


def problems(limits: Iterable[Limit], snapshot: Snapshot) -> list[Problem]:
    """What of the limits a test did not keep.

    Args:
        limits: Of its markers.
        snapshot: What happened in its call.
    """
    return [problem for limit in limits for problem in _problems(limit, snapshot)]


def _problems(limit: Limit, snapshot: Snapshot) -> Iterator[Problem]:
    functions = (*snapshot.functions, *snapshot.others) if limit.name else jitted_functions(snapshot)
    concerned = [function for function in functions if matches(limit, function)]
    if not limit.each:
        yield from _over(limit, compiles_of(concerned, snapshot), limit.name)
        return
    groups: dict[tuple[str, str, str], list[FunctionStats]] = {}
    for function in concerned:
        groups.setdefault((function.name, function.qualname, function.defined_at), []).append(function)
    for (name, *_), objects in groups.items():
        yield from _over(limit, [one for one in compiles_of(objects, snapshot) if not _is_other_use(one)], name)


def _over(limit: Limit, compiles: Sequence[Compile], function: str) -> Iterator[Problem]:
    if len(compiles) > limit.most:
        places = {one.defined_at for one in compiles}
        place = places.pop() if function and len(places) == 1 else ""
        yield Problem(limit, function, place, len(compiles), tuple(compiles[limit.most :]))


def _is_other_use(compile: Compile) -> bool:
    """Whether it is the first program for a transform, or a backward pass: none that the plain call could have."""
    causes = compile.program.causes
    return BACKWARD in causes or "transform" in causes


def compiles_of(functions: Sequence[FunctionStats], snapshot: Snapshot) -> list[Compile]:
    """The programs of some functions, one by one, in order of time.

    Where misses had to make room for later ones, those that are left are not all, and the totals tell.
    """
    return _from_totals(functions) if snapshot.dropped_misses else _from_misses(functions, snapshot.misses)


def _from_totals(functions: Sequence[FunctionStats]) -> list[Compile]:
    definitions: dict[tuple[str, str, str], list[FunctionStats]] = {}
    for function in functions:
        definitions.setdefault((function.name, function.qualname, function.defined_at), []).append(function)
    dated = [(one, objects[-1]) for objects in definitions.values() for one in programs_made(objects)]
    found = []
    for one, function in sorted(dated, key=lambda pair: pair[0].unix_s):
        found += [_compile(function, one.program)] * one.program.count
    return found


def _from_misses(functions: Sequence[FunctionStats], misses: Iterable[Miss]) -> list[Compile]:
    by_id = {function.id: function for function in functions}
    why: dict[int, dict[int, Explanation]] = {}
    compiled: set[tuple[int, int | None]] = set()
    definitions: set[tuple[str, str, str]] = set()
    found = []
    for miss in misses:
        function = by_id.get(miss.function)
        if function is None or not program_count(miss.stages):
            continue
        definition = function.name, function.qualname, function.defined_at
        if function.id in why:
            without_change = UNKNOWN
        else:  # a later object of one definition starts with empty caches: its first program is no first one
            without_change = "function_identity" if definition in definitions else FIRST
            why[function.id] = explanations(function)
            definitions.add(definition)
        again = miss.key is not None and (function.id, miss.key) in compiled
        compiled.add((function.id, miss.key))
        explanation = why[function.id].get(miss.key or 0)
        program = _program(miss, None if again else explanation, REPEAT if again else without_change)
        found += [_compile(function, program)] * program_count(miss.stages)
    return found


def _program(miss: Miss, explanation: Explanation | None, without_change: str) -> Program:
    changes = () if explanation is None else explanation.changes
    causes = tuple(dict.fromkeys(change.cause for change in changes)) or (without_change,)
    if miss.kind == "backward":
        causes, changes = (BACKWARD,), ()
    return Program(causes, changes, 0 if explanation is None else explanation.more, miss.call_site, 1)


def _compile(function: FunctionStats, program: Program) -> Compile:
    causes = ["cache_cleared" if cause == REPEAT else cause for cause in program.causes]
    fixes = []
    for cause in causes:
        if cause in CODES:
            found = [change for change in program.changes if change.cause == cause]
            found = found or [Change(cause, function.name, "", "")]
            fixes.append((CODES[cause], advice_for(cause, function, found)))
    return Compile(function.name, function.defined_at, program, tuple(fixes))
