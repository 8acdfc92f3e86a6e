"""Adds up the programs and the builds of several processes: pure, from plain data to plain data.

An id means the same in every process, but where Python functions behind host callbacks are part of it: those are told
apart by numbers that each process gives, so such an id is made one of its process.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from jitwatch._model import Build, FunctionStats, Process, Program, Snapshot
from jitwatch._record.builds import BuildIdentity, identity_of

LOCAL = "~"
"""Ends the id of a program that means nothing in another process; what follows it is the process."""


def of_process(snapshot: Snapshot, processes: Sequence[Process]) -> Snapshot:
    """A snapshot in which no id of a program can be taken for that of another process."""
    if len(processes) != 1:  # several processes: their ids were told apart when they were added up
        return snapshot
    own = digest_of(processes[0])

    def told_apart(program: str) -> str:
        return program + own if program.endswith(LOCAL) else program

    def function(stats: FunctionStats) -> FunctionStats:
        builds = tuple(
            msgspec.structs.replace(one, program=told_apart(one.program), process=own) for one in stats.builds
        )
        last = stats.last_failure
        if last is not None:
            last = msgspec.structs.replace(last, program=told_apart(last.program))
        return msgspec.structs.replace(stats, builds=builds, last_failure=last)

    return msgspec.structs.replace(
        snapshot,
        functions=tuple(map(function, snapshot.functions)),
        others=tuple(map(function, snapshot.others)),
        misses=tuple(msgspec.structs.replace(miss, program=told_apart(miss.program)) for miss in snapshot.misses),
        programs=tuple(msgspec.structs.replace(one, id=told_apart(one.id)) for one in snapshot.programs),
    )


def digest_of(process: Process) -> str:
    """What tells a process apart in the records of several, as in `Build.process`."""
    says = repr((process.host, process.pid, process.started_unix_s)).encode("utf-8", "backslashreplace")
    return hashlib.sha256(says).hexdigest()[:12]


def programs(parts: Iterable[Snapshot]) -> tuple[Program, ...]:
    """The programs of all snapshots, each with what is known of it anywhere."""
    found: dict[str, list[Program]] = defaultdict(list)
    for part in parts:
        for program in part.programs:
            found[program.id].append(program)
    return tuple(_together(found[program]) for program in sorted(found))


def _together(same: Sequence[Program]) -> Program:
    return Program(
        same[0].id,
        max(program.target for program in same),
        max((program.steps for program in same), key=lambda steps: (len(steps), steps)),
        max(program.size_bytes for program in same),
        all(program.comparable for program in same),
        max(program.code_bytes for program in same),
        max(program.temp_bytes for program in same),
    )


def builds(every: Iterable[Build]) -> tuple[Build, ...]:
    """Builds of one function in all processes, with the numbers of the result, added up and in order.

    The number of the first is 0 where its miss is not on the list of misses.
    """
    found: dict[BuildIdentity, list[Build]] = defaultdict(list)
    for build in every:
        found[identity_of(build)].append(build)
    added = (
        msgspec.structs.replace(
            same[0],
            first=min((build.first for build in same if build.first), default=0),
            count=sum(build.count for build in same),
            reused=sum(build.reused for build in same),
            loaded=sum(build.loaded for build in same),
            lost_s=math.fsum(build.lost_s for build in same),
            compile_s=math.fsum(build.compile_s for build in same),
            library=max(build.library for build in same),
        )
        for same in found.values()
    )
    return tuple(sorted(added, key=_order))


def _order(build: Build) -> tuple[Any, ...]:
    return not build.first, build.first, build.program, build.key or 0, build.kind, build.call_site, build.process
