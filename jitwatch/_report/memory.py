"""View model: the memory of compiled programs, by function, and what is alive of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from jitwatch._model import Build, Program, Snapshot


class FunctionMemory(msgspec.Struct, frozen=True):
    """The programs of all function objects of one definition."""

    name: str
    place: str
    programs: int
    """Different ones."""
    code_bytes: int
    """Of all of them; 0 where the backend does not say."""
    temp_bytes: int
    """Of the one that needs most while it runs."""


class Memory(msgspec.Struct, frozen=True):
    """What compiled programs take."""

    held_programs: int
    """Executables that were alive in the end, watched or not."""
    held_code_bytes: int
    functions: tuple[FunctionMemory, ...]
    """Those that need most first."""


def memory_of(snapshot: Snapshot) -> Memory:
    """Make the view model of a snapshot."""
    programs = {program.id: program for program in snapshot.programs}
    builds: dict[tuple[str, str], list[Build]] = {}
    for one in (*snapshot.functions, *snapshot.others):
        builds.setdefault((one.name, one.defined_at), []).extend(one.builds)
    functions = (
        FunctionMemory(name, place, len({build.program for build in own}), *bytes_of(own, programs))
        for (name, place), own in builds.items()
    )
    order = sorted(functions, key=lambda one: (-one.temp_bytes, -one.code_bytes, one.name, one.place))
    return Memory(snapshot.held_programs, snapshot.held_code_bytes, tuple(order))


def bytes_of(builds: Iterable[Build], programs: Mapping[str, Program]) -> tuple[int, int]:
    """Bytes of code of some builds, each program once, and of the temporaries of the one that needs most."""
    known = [programs[name] for name in {build.program for build in builds} if name in programs]
    return sum(one.code_bytes for one in known), max((one.temp_bytes for one in known), default=0)
