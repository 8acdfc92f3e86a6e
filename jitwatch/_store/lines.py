"""The lines of a data file, and their making; docs/data_file.md describes them.

Each line is one JSON object, and `line` says of what kind. Descriptions come before whatever refers to them, by number.
Counts are totals since the process began, so the last ones of a function or a key are the ones that hold.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from jitwatch._model import (
    Argument,
    Build,
    CacheKey,
    CallSite,
    Captured,
    Change,
    Count,
    FunctionStats,
    KeyStats,
    Leaf,
    Miss,
    Process,
    Program,
    Seconds,
    Snapshot,
    Stages,
    Static,
    StaticArgument,
    Tree,
)
from jitwatch._record.builds import build_of, identity_of

FORMAT = 2
MAX_SHARED = 50_000
"""Parts of keys that are remembered for sharing; beyond it they are described anew."""

T = TypeVar("T")


class Line(msgspec.Struct, frozen=True, tag_field="line", omit_defaults=True):
    """What every line has: its kind."""


class Header(Line, frozen=True, tag="jitwatch"):
    """The first line."""

    format: int


class ProcessLine(Line, frozen=True, tag="process"):
    """What is known of a process; written again when more is."""

    process: Process


class FunctionLine(Line, frozen=True, tag="function"):
    """What stays the same of a function."""

    id: Count
    name: str
    qualname: str
    defined_at: str
    options: tuple[tuple[str, str], ...]
    hits_counted: bool
    approximate: bool
    bound: str = ""
    processes: Count = 1
    other: bool = False
    """Whether it stands for programs of no watched function."""
    captured: tuple[Captured, ...] = ()
    code: str = ""
    jitted_at: str = ""


class TreeLine(Line, frozen=True, tag="tree"):
    """One node of a pytree; its children are trees described before."""

    id: Count
    kind: str
    keys: tuple[str, ...] = ()
    static: Static | None = None
    children: tuple[Count, ...] = ()


class ArgumentLine(Line, frozen=True, tag="argument"):
    """One traced argument, as keys share it."""

    id: Count
    name: str
    by_keyword: bool
    tree: Count
    paths: tuple[str, ...]


class LeavesLine(Line, frozen=True, tag="leaves"):
    """One chunk of leaves, as keys share it."""

    id: Count
    leaves: tuple[Leaf, ...]


class KeyLine(Line, frozen=True, tag="key"):
    """One key of a function."""

    function: Count
    number: Count
    arguments: tuple[Count, ...] = ()
    leaves: tuple[Count, ...] = ()
    statics: tuple[StaticArgument, ...] = ()
    omitted: tuple[str, ...] = ()
    context: tuple[tuple[str, str], ...] = ()
    transform: tuple[str, ...] = ()


class KeyCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened with a key so far; the fields are those of `KeyStats`."""

    number: Count
    hits: Count = 0
    misses: Count = 0
    dispatch_only: Count = 0
    nested: Count = 0
    failures: Count = 0
    stages: Stages = Stages()
    first_unix_s: Seconds = 0.0
    last_miss_unix_s: Seconds = 0.0
    slow_path: bool = False
    executable: Count | None = None
    call_sites: tuple[CallSite, ...] = ()
    declared: bool = False
    outlived: Count = 0
    warmed: Count = 0
    single_start: bool = False


class FunctionCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened with a function so far; but for two the fields are those of `FunctionStats`."""

    id: Count
    hits_elsewhere: Count = 0
    """Hits of no key that is kept; the hits of the keys come on top."""
    misses: Count = 0
    dispatch_only: Count = 0
    nested: Count = 0
    failures: Count = 0
    stages: Stages = Stages()
    helpers: Stages = Stages()
    aot: Stages = Stages()
    backward: Stages = Stages()
    dropped_keys: Count = 0
    call_sites: tuple[CallSite, ...] = ()
    last_failure: Miss | None = None
    stale: tuple[Change, ...] = ()
    dropped_builds: Count = 0
    builds: tuple[Build, ...] | None = None
    """All builds so far; None for those that are known already, and those that misses brought since."""


class ProgramLine(Line, frozen=True, tag="program"):
    """One program that builds and misses refer to; written again when more of it is known."""

    program: Program


class BuildCounts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often a program was made so far; the fields are those of `Build`."""

    count: Count
    reused: Count = 0
    loaded: Count = 0
    lost_s: Seconds = 0.0
    compile_s: Seconds = 0.0


class MissLine(Line, frozen=True, tag="miss"):
    """One miss, with the counts right after it: of its function, of its key, and of another that it changed."""

    miss: Miss
    function: FunctionCounts | None = None
    keys: tuple[KeyCounts, ...] = ()
    build: BuildCounts | None = None
    """Of the programs that it is counted with, this one's among them."""


class CountsLine(Line, frozen=True, tag="counts"):
    """The counts of one function, and of those of its keys that changed."""

    function: FunctionCounts
    keys: tuple[KeyCounts, ...] = ()


class TotalsLine(Line, frozen=True, tag="totals"):
    """Ends a round of counts: all functions were as the lines before say."""

    unix_s: Seconds
    jax_version: str
    python_version: str
    faults: Count = 0
    dropped_misses: Count = 0
    dropped_functions: Count = 0
    dropped_programs: Count = 0
    final: bool = False
    wall_s: Seconds = 0.0
    """Since watching began; of several processes, the sum."""
    held_programs: Count = 0
    held_code_bytes: Count = 0


AnyLine = (
    Header | ProcessLine | FunctionLine | TreeLine | ArgumentLine | LeavesLine | KeyLine | ProgramLine | MissLine
    | CountsLine | TotalsLine
)  # fmt: skip

_BUILD_FIELDS = tuple(BuildCounts.__struct_fields__)
_KEY_FIELDS = tuple(KeyCounts.__struct_fields__)
_FUNCTION_FIELDS = tuple(FunctionCounts.__struct_fields__[2:-1])


def build_counts(builds: Sequence[Build], miss: Miss) -> BuildCounts | None:
    """The counts of that of a function's builds which a miss belongs to; None where it is beyond their bound."""
    identity = identity_of(build_of(miss))
    found = next((build for build in reversed(builds) if identity_of(build) == identity), None)
    return None if found is None else BuildCounts(**{name: getattr(found, name) for name in _BUILD_FIELDS})


def key_counts(stats: KeyStats) -> KeyCounts:
    """The counts in the stats of a key."""
    return KeyCounts(**{name: getattr(stats, name) for name in _KEY_FIELDS})


def function_counts(stats: FunctionStats, *, builds: bool = False) -> FunctionCounts:
    """The counts in the stats of a function, without its keys', and its builds if they are asked for."""
    elsewhere = max(0, stats.hits - sum(key.hits for key in stats.keys))
    fields: dict[str, Any] = {name: getattr(stats, name) for name in _FUNCTION_FIELDS}
    return FunctionCounts(stats.id, elsewhere, **fields, builds=stats.builds if builds else None)


def key_stats(counts: KeyCounts, key: CacheKey) -> KeyStats:
    """The opposite of `key_counts`."""
    return KeyStats(key=key, **{name: getattr(counts, name) for name in _KEY_FIELDS})


def function_stats(
    line: FunctionLine, counts: FunctionCounts, hits: int, keys: tuple[KeyStats, ...], builds: tuple[Build, ...]
) -> FunctionStats:
    """The opposite of `function_counts`, with the description of the function."""
    fields: dict[str, Any] = {name: getattr(counts, name) for name in _FUNCTION_FIELDS}
    return FunctionStats(
        id=line.id, name=line.name, qualname=line.qualname, defined_at=line.defined_at, options=line.options,
        hits_counted=line.hits_counted, approximate=line.approximate, bound=line.bound, processes=line.processes,
        captured=line.captured, code=line.code, jitted_at=line.jitted_at, hits=hits, keys=keys, builds=builds, **fields,
    )  # fmt: skip


class Lines:
    """Makes lines, and keeps those that are not written yet; each part that keys share is described once."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self._numbers: dict[Hashable, int] = {}
        self._next = 1

    def add(self, line: Line) -> None:
        """One line more."""
        self.pending += encode(line)
        self.pending += b"\n"

    def describe_function(self, stats: FunctionStats, *, other: bool) -> None:
        """What stays the same of a function."""
        self.add(
            FunctionLine(
                stats.id, stats.name, stats.qualname, stats.defined_at, stats.options, stats.hits_counted,
                stats.approximate, stats.bound, stats.processes, other, stats.captured, stats.code,
                stats.jitted_at,
            )
        )  # fmt: skip

    def describe_key(self, function: int, number: int, key: CacheKey) -> None:
        """A key, after those of its parts that are not described yet."""
        if len(self._numbers) > MAX_SHARED:
            self._numbers.clear()
        arguments = tuple(self._argument(argument) for argument in key.arguments)
        leaves = tuple(self._leaves(chunk) for chunk in key.leaf_chunks)
        self.add(KeyLine(function, number, arguments, leaves, key.statics, key.omitted, key.context, key.transform))

    def _argument(self, argument: Argument) -> int:
        number = self._numbers.get(argument)
        if number is None:
            tree = self._tree(argument.tree)
            number = self._number(argument)
            self.add(ArgumentLine(number, argument.name, argument.by_keyword, tree, argument.paths))
        return number

    def _tree(self, tree: Tree) -> int:
        number = self._numbers.get(tree)
        if number is None:
            children = tuple(self._tree(child) for child in tree.children)
            number = self._number(tree)
            self.add(TreeLine(number, tree.kind, tree.keys, tree.static, children))
        return number

    def _leaves(self, chunk: tuple[Leaf, ...]) -> int:
        number = self._numbers.get(chunk)
        if number is None:
            number = self._number(chunk)
            self.add(LeavesLine(number, chunk))
        return number

    def _number(self, part: Hashable) -> int:
        number = self._numbers[part] = self._next
        self._next += 1
        return number


def totals_line(snapshot: Snapshot) -> TotalsLine:
    """The last line of a file that holds a whole snapshot."""
    return TotalsLine(
        snapshot.unix_s, snapshot.jax_version, snapshot.python_version, snapshot.faults, snapshot.dropped_misses,
        snapshot.dropped_functions, snapshot.dropped_programs, final=True, wall_s=snapshot.wall_s,
        held_programs=snapshot.held_programs, held_code_bytes=snapshot.held_code_bytes,
    )  # fmt: skip


def encode(line: Line) -> bytes:
    """One line as JSON; what is no text in UTF-8, as file names can be, with escapes in its place."""
    try:
        return msgspec.json.encode(line)
    except UnicodeEncodeError:
        return msgspec.json.encode(_escaped(msgspec.to_builtins(line)))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {name: _escaped(each) for name, each in value.items()}
    if isinstance(value, Iterable):
        return [_escaped(each) for each in value]
    return value
