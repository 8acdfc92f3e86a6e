"""Reads a data file, whoever wrote it: what is whole is used, what is damaged is counted, and nothing else happens.

A file may come from anywhere. Every value is checked for its type and its range, and what refers to a part that is
not there, or makes a pytree deeper or larger than any program has, is left out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from jitwatch._errors import JitwatchError
from jitwatch._model import (
    Argument,
    Build,
    CacheKey,
    FunctionStats,
    Leaf,
    Miss,
    Process,
    Program,
    Recording,
    Snapshot,
    Static,
    Tree,
)
from jitwatch._record.builds import BuildIdentity, add_build, build_of, identity_of
from jitwatch._store.files import is_running
from jitwatch._store.lines import (
    FORMAT,
    AnyLine,
    ArgumentLine,
    CountsLine,
    FunctionCounts,
    FunctionLine,
    Header,
    KeyCounts,
    KeyLine,
    LeavesLine,
    MissLine,
    ProcessLine,
    ProgramLine,
    TotalsLine,
    TreeLine,
    function_stats,
    key_stats,
)
from jitwatch._store.sizes import Budget, Size, is_too_large, tree_size

MAX_LINE = 1 << 26
MAX_STATIC_DEPTH = 50

UNREADABLE = ("1 line is damaged", "{} lines are damaged")
CUT = ("the last line is cut off", "the last line is cut off")
HEADER = ("the first line is damaged", "the first line is damaged")
MISSING = ("1 line refers to something that is not described", "{} lines refer to something that is not described")
REPEATED = ("1 line contradicts an earlier one", "{} lines contradict earlier ones")
TOO_LARGE = ("1 key is too deep or too large", "{} keys are too deep or too large")
RUNS, ENDED, UNFINISHED = (
    (f"the process {what}: hits after its last counts are missing",) * 2
    for what in ("still runs", "was killed or could not write its end", "was killed or still runs")
)
_KINDS = (HEADER, UNREADABLE, CUT, MISSING, REPEATED, TOO_LARGE, RUNS, ENDED, UNFINISHED)

_decoder = msgspec.json.Decoder(AnyLine)
_header_decoder = msgspec.json.Decoder(Header)


def load(path: str | os.PathLike[str]) -> Recording:
    """Read a data file.

    Counts are those of the last line that has them, so for a process that was killed they are exact up to its last
    written miss, and its hits up to the last round of counts.

    Returns:
        The recording, with one sentence in `problems` for each kind of damage.

    Raises:
        JitwatchError: The file cannot be opened, is no data file of jitwatch, or is of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is no regular file" if path.exists() else "does not exist"
        raise JitwatchError(f"{path} {what}; name a data file that `jitwatch run` wrote.")
    try:
        with open(path, "rb") as file:
            reading = _Reading(path)
            for line in _lines(file):
                reading.add(line)
    except OSError as error:
        raise JitwatchError(f"{path} cannot be read: {error.strerror or error}.") from error
    return reading.recording()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each with its end; of one longer than `MAX_LINE` only the beginning."""
    while line := file.readline(MAX_LINE):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE)):
            pass
        yield line if rest is line or not rest else line + b"\n"


def _is_too_deep(statics: Iterable[Static]) -> bool:
    """Whether parts of parts of static values go on beyond what any program has."""
    layer = list(statics)
    for _ in range(MAX_STATIC_DEPTH):
        layer = [part for static in layer for _, part in static.parts]
        if not layer:
            return False
    return True


class _Function:
    """What was read of one function."""

    def __init__(self) -> None:
        self.line: FunctionLine | None = None
        self.counts: FunctionCounts | None = None
        self.keys: dict[int, CacheKey] = {}
        self.key_counts: dict[int, KeyCounts] = {}
        self.builds: dict[BuildIdentity, Build] = {}

    def add_build(self, line: MissLine) -> None:
        """Count the program of a miss, unless the counts before its line had it already."""
        add_build(self.builds, line.miss)
        identity = identity_of(build_of(line.miss))
        if line.build is not None and identity in self.builds:
            counts = msgspec.structs.asdict(line.build)
            self.builds[identity] = msgspec.structs.replace(self.builds[identity], **counts)

    def stats(self) -> FunctionStats | None:
        """The function as far as it was read; None where too little was."""
        if self.line is None or self.counts is None:
            return None
        hits = self.counts.hits_elsewhere + sum(counts.hits for counts in self.key_counts.values())
        counted = sorted(self.key_counts.items())
        keys = tuple(key_stats(counts, self.keys[number]) for number, counts in counted if number in self.keys)
        lost = sum(counts.misses + counts.nested for number, counts in counted if number not in self.keys)
        counts = msgspec.structs.replace(self.counts, dropped_keys=self.counts.dropped_keys + lost)
        described = {None, *(key.number for key in keys)}
        builds = (
            build if build.key in described else msgspec.structs.replace(build, key=None)
            for build in self.builds.values()
        )
        return function_stats(self.line, counts, hits, keys, tuple(builds))


class _Reading:
    """A file as far as it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first = True
        self._known = False
        """Whether any line so far is one of ours."""
        self._damage: Counter[tuple[str, str]] = Counter()
        self._processes: dict[tuple[str, int, float], Process] = {}
        self._functions: dict[int, _Function] = {}
        self._trees: dict[int, tuple[TreeLine, Tree, Size]] = {}
        self._same_trees: dict[tuple[Any, ...], Tree] = {}
        """By kind, keys, static part and the children themselves: equal trees are one, however often described."""
        self._budget = Budget()
        self._arguments: dict[int, tuple[ArgumentLine, Argument]] = {}
        self._leaves: dict[int, tuple[Leaf, ...]] = {}
        self._misses: dict[int, Miss] = {}
        self._programs: dict[str, Program] = {}
        self._totals: TotalsLine | None = None
        self._is_final = False

    def add(self, raw: bytes) -> None:
        """Take one line in."""
        first, self._first = self._first, False
        if not raw.strip():
            return
        if first:
            self._check_format(raw)
        try:
            line = _decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._damage[HEADER if first else UNREADABLE if raw.endswith(b"\n") else CUT] += 1
            return
        if first and not isinstance(line, Header):
            self._damage[HEADER] += 1
        self._known = True
        if not isinstance(line, (Header, ProcessLine)):
            self._is_final = isinstance(line, TotalsLine) and line.final
        _TAKERS[type(line)](self, line)

    def _check_format(self, raw: bytes) -> None:
        try:
            header = _header_decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if header.format > FORMAT:
            raise JitwatchError(
                f"{self._path} has data format {header.format}, and this jitwatch reads up to {FORMAT}: "
                f"install a newer jitwatch to read it."
            )

    def _take_process(self, line: ProcessLine) -> None:
        process = line.process
        self._processes[process.host, process.pid, process.started_unix_s] = process

    def _take_function(self, line: FunctionLine) -> None:
        function = self._functions.setdefault(line.id, _Function())
        if function.line is None:
            function.line = line
        elif function.line != line:
            self._damage[REPEATED] += 1

    def _take_tree(self, line: TreeLine) -> None:
        if line.id in self._trees:
            self._damage[REPEATED] += self._trees[line.id][0] != line
            return
        parts = [self._trees.get(child) for child in line.children]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            self._damage[MISSING] += 1
            return
        if line.static is not None and _is_too_deep([line.static]):
            self._damage[TOO_LARGE] += 1
            return
        size = tree_size(line, [size for _, _, size in found])
        if is_too_large(size):
            self._damage[TOO_LARGE] += 1
            return
        children = tuple(tree for _, tree, _ in found)
        says = line.kind, line.keys, line.static, tuple(map(id, children))
        tree = self._same_trees.setdefault(says, Tree(line.kind, line.keys, line.static, children))
        self._trees[line.id] = line, tree, size

    def _take_argument(self, line: ArgumentLine) -> None:
        if line.id in self._arguments:
            self._damage[REPEATED] += self._arguments[line.id][0] != line
        elif line.tree not in self._trees:
            self._damage[MISSING] += 1
        elif not self._budget.takes_argument(line, self._trees[line.tree][2]):
            self._damage[TOO_LARGE] += 1
        else:
            tree = self._trees[line.tree][1]
            self._arguments[line.id] = line, Argument(line.name, line.by_keyword, tree, line.paths)

    def _take_leaves(self, line: LeavesLine) -> None:
        if self._leaves.setdefault(line.id, line.leaves) != line.leaves:
            self._damage[REPEATED] += 1

    def _take_key(self, line: KeyLine) -> None:
        if not (self._arguments.keys() >= set(line.arguments) and self._leaves.keys() >= set(line.leaves)):
            self._damage[MISSING] += 1
            return
        if _is_too_deep([argument.value for argument in line.statics]):
            self._damage[TOO_LARGE] += 1
            return
        if not self._budget.takes_key(line, sum(len(self._leaves[number]) for number in line.leaves)):
            self._damage[TOO_LARGE] += 1
            return
        key = CacheKey(
            tuple(self._arguments[number][1] for number in line.arguments),
            tuple(self._leaves[number] for number in line.leaves),
            line.statics, line.omitted, line.context, line.transform,
        )  # fmt: skip
        known = self._functions.setdefault(line.function, _Function()).keys.setdefault(line.number, key)
        self._damage[REPEATED] += known != key

    def _take_program(self, line: ProgramLine) -> None:
        program = line.program
        known = self._programs.setdefault(program.id, program)
        self._damage[REPEATED] += known != msgspec.structs.replace(program, steps=known.steps)
        if not known.steps:
            self._programs[program.id] = msgspec.structs.replace(known, steps=program.steps)

    def _take_miss(self, line: MissLine) -> None:
        is_new = line.miss.number not in self._misses
        known = self._misses.setdefault(line.miss.number, line.miss)
        self._damage[REPEATED] += known != line.miss
        if line.function is not None:
            self._take_counts(CountsLine(line.function, line.keys))
            function = self._functions.get(line.miss.function)
            if is_new and function is not None:
                function.add_build(line)

    def _take_counts(self, line: CountsLine) -> None:
        function = self._functions.get(line.function.id)
        if function is None or function.line is None:
            self._damage[MISSING] += 1
            return
        function.counts = line.function
        if line.function.builds is not None:
            function.builds = {identity_of(build): build for build in line.function.builds}
        for counts in line.keys:
            function.key_counts[counts.number] = counts
        if any(counts.number not in function.keys for counts in line.keys):
            self._damage[MISSING] += 1

    def _take_totals(self, line: TotalsLine) -> None:
        self._totals = line

    def recording(self) -> Recording:
        """What was read, put together."""
        if not self._known:
            what = "is empty" if self._first else "is no data file of jitwatch"
            raise JitwatchError(f"{self._path} {what}; name a file that `jitwatch run` wrote.")
        if not self._is_final:
            self._damage[self._why_unfinished()] += 1
        functions, others = self._function_stats(other=False), self._function_stats(other=True)
        return Recording(tuple(self._processes.values()), self._snapshot(functions, others), self._problems())

    def _why_unfinished(self) -> tuple[str, str]:
        """Whether the process of a file that lacks its end still runs, as far as this machine can tell."""
        runs = [is_running(process) for process in self._processes.values()]
        return UNFINISHED if not runs or None in runs else RUNS if True in runs else ENDED

    def _function_stats(self, *, other: bool) -> tuple[FunctionStats, ...]:
        found = (function for _, function in sorted(self._functions.items()))
        stats = (function.stats() for function in found if function.line and function.line.other == other)
        return tuple(each for each in stats if each is not None)

    def _snapshot(self, functions: tuple[FunctionStats, ...], others: tuple[FunctionStats, ...]) -> Snapshot:
        misses = tuple(miss for _, miss in sorted(self._misses.items()))
        processes = tuple(self._processes.values())
        totals = self._totals or TotalsLine(
            processes[-1].started_unix_s if processes else 0.0,
            processes[-1].jax_version if processes else "",
            processes[-1].python_version if processes else "",
        )
        last_s = totals.unix_s if totals.final else max([totals.unix_s, *(miss.unix_s for miss in misses)])
        return Snapshot(
            functions, others, misses, totals.dropped_misses, totals.dropped_functions, totals.faults, last_s,
            totals.jax_version, totals.python_version, tuple(self._programs.values()), totals.dropped_programs,
            totals.held_programs, totals.held_code_bytes, totals.wall_s + max(last_s - totals.unix_s, 0.0),
        )  # fmt: skip

    def _problems(self) -> tuple[str, ...]:
        return tuple(
            f"{self._path}: {kind[self._damage[kind] > 1].format(self._damage[kind])}; the rest is used."
            for kind in _KINDS
            if self._damage[kind]
        )


_TAKERS: dict[type, Any] = {
    Header: lambda reading, line: None,
    ProcessLine: _Reading._take_process,
    FunctionLine: _Reading._take_function,
    TreeLine: _Reading._take_tree,
    ArgumentLine: _Reading._take_argument,
    LeavesLine: _Reading._take_leaves,
    KeyLine: _Reading._take_key,
    ProgramLine: _Reading._take_program,
    MissLine: _Reading._take_miss,
    CountsLine: _Reading._take_counts,
    TotalsLine: _Reading._take_totals,
}
