"""Hypothesis strategies for recordings: few names, keys and times, so that processes have much in common."""

from __future__ import annotations

from typing import Any

import msgspec
from builders import UNIX_S, build, failed_miss, function_stats, key, key_stats, leaf, program, snapshot, static
from hypothesis import strategies as st

from jitwatch._model import (
    Argument,
    Build,
    CallSite,
    Captured,
    FunctionStats,
    KeyStats,
    Miss,
    Process,
    Program,
    Recording,
    Snapshot,
    Stages,
    Tree,
)
from jitwatch._record.builds import identity_of

KEYS = [
    key(),
    key({"x": leaf((8,))}),
    key({"x": {"w": [leaf((8,)), leaf((1, 2), "int32")], "\x1b": None}}, by_keyword="x", omitted=["eps"]),
    key({"x": leaf((8,))}, context={"jax_enable_x64": "True"}, transform=["jvp"]),
    *(key(statics={"n": static("<Config>", token=token, by_identity=True)}) for token in (1, 2)),
    *(key({"x": leaf()}, statics={"n": static(3, token=token)}) for token in (1, 3)),
    *(key(statics={"n": static("c", token=4, parts=((".n", static(width, token=5)),))}) for width in (1, 2)),
]
KEYS += [
    msgspec.structs.replace(KEYS[1], arguments=(Argument("x", False, tree, ("x.w",)),))
    for token in (1, 2)
    for tree in [Tree("Linear", (".w",), static("<act>", token=token, by_identity=True), (Tree("*"),))]
]
counts = st.integers(0, 5)
times = st.integers(0, 3).map(lambda number: UNIX_S + number)
# Their seconds add up exactly, in any order.
stages = st.sampled_from(
    [
        Stages(),
        Stages(1, 1, 1, 0, 0.25, 0.125, 1.5),
        Stages(2, 1, 1, 1, 0.5, 0.125, 3.0, 0.0625),
        Stages(loads=3, load_s=1 / 1024),
        Stages(traces=1, trace_s=2.0),
    ]
)
sites = st.sampled_from(
    [
        (),
        (CallSite("train.py:88", 1, 0.5),),
        (CallSite("train.py:88", 3, 1.5), CallSite("\x1b[31m", 1, 0.0)),
        (CallSite("eval.py:1", 2, 0.25), CallSite("train.py:88", 1, 4.0)),
    ]
)
captured = st.lists(
    st.sampled_from(
        [
            Captured("lr", "number", "0.1"),
            Captured("batch", "array", "float32[3]", 1),
            Captured("batch", "array", "float32[3]", 2),
            Captured("\x1b", "object", "\x1b"),
        ]
    ),
    max_size=2,
).map(tuple)


program_ids = st.sampled_from(["program 1", "program 2", "program 3~", "\x1b"])


def programs() -> st.SearchStrategy[tuple[Program, ...]]:
    """Some programs, with as much of them as a process may know."""
    every = [program(number, id=name) for number, name in enumerate(["program 1", "program 2", "program 3~", "\x1b"])]
    known = [st.sampled_from([one, msgspec.structs.replace(one, steps=())]) for one in every]
    return st.lists(st.one_of(known), max_size=4, unique_by=lambda one: one.id).map(tuple)


@st.composite
def builds(draw: Any, keys: int) -> tuple[Build, ...]:
    found = draw(
        st.lists(
            st.builds(
                build, st.integers(0, 9), st.just("") | program_ids, key=st.none() | st.integers(1, keys) if keys else st.none(),
                kind=st.sampled_from(["call", "aot"]), count=st.integers(1, 3), lost_s=st.sampled_from([0.25, 1.5]),
                call_site=st.sampled_from(["", "train.py:88"]),
            ),
            max_size=3, unique_by=identity_of,
        )
    )  # fmt: skip
    return tuple(found)


def key_stats_lists() -> st.SearchStrategy[list[KeyStats]]:
    @st.composite
    def build(draw: Any) -> list[KeyStats]:
        found = draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True))
        return [
            key_stats(
                number, each, hits=draw(counts), misses=draw(counts), dispatch_only=draw(counts), nested=draw(counts),
                failures=draw(counts), stages=draw(stages), first_unix_s=draw(times), last_miss_unix_s=draw(times),
                slow_path=draw(st.booleans()), executable=draw(st.sampled_from([None, 1, 2])),
                call_sites=draw(sites), declared=draw(st.booleans()), outlived=draw(counts),
                single_start=draw(st.booleans()),
            )
            for number, each in enumerate(found, 1)
        ]  # fmt: skip

    return build()


def misses() -> st.SearchStrategy[Miss]:
    return st.builds(
        failed_miss, number=st.integers(1, 9), function=st.integers(1, 5), key=st.sampled_from([None, 1, 2]),
        stages=stages, helpers=stages, unix_s=times, failed=st.sampled_from([None, "ValueError"]),
        slow_path=st.booleans(), thread=st.integers(-1, 2**63), program=st.just("") | program_ids,
        context=st.sampled_from([(), (("step", "3"),), (("step", "\x1b"), ("epoch", "1"))]),
    )  # fmt: skip


@st.composite
def functions(draw: Any, number: int) -> FunctionStats:
    found = draw(key_stats_lists())
    return function_stats(
        draw(st.sampled_from(["step", "loss"])), keys=found, id=number, qualname=draw(st.sampled_from(["", "f.step"])),
        defined_at=draw(st.sampled_from(["train.py:41", ""])),
        options=draw(st.sampled_from([(), (("donate_argnums", "0"), ("inline", "\x1b"))])),
        hits=sum(one.hits for one in found) + draw(counts), misses=draw(counts),
        dispatch_only=draw(counts), nested=draw(counts), failures=draw(counts), stages=draw(stages),
        helpers=draw(stages), aot=draw(stages), backward=draw(stages), dropped_keys=draw(counts),
        call_sites=draw(sites), last_failure=draw(st.none() | misses()), approximate=draw(st.booleans()),
        hits_counted=draw(st.booleans()), captured=draw(captured),
        code=draw(st.sampled_from(["", "12:9f86d081"])), builds=draw(builds(len(found))), dropped_builds=draw(counts),
    )  # fmt: skip


@st.composite
def snapshots(draw: Any) -> Snapshot:
    kinds = draw(st.lists(st.booleans(), max_size=3))
    found = [(other, draw(functions(number))) for number, other in enumerate(kinds, 1)]
    listed = draw(st.lists(misses(), max_size=3, unique_by=lambda miss: miss.number))
    return snapshot(
        *(one for other, one in found if not other),
        others=tuple(one for other, one in found if other),
        misses=tuple(sorted(listed, key=lambda miss: miss.number)),
        dropped_misses=draw(counts),
        dropped_functions=draw(counts),
        programs=draw(programs()),
        dropped_programs=draw(counts),
        faults=draw(counts),
        unix_s=draw(times),
        jax_version=draw(st.sampled_from(["", "0.10.2", "0.9.0"])),
        python_version=draw(st.sampled_from(["3.11.7", "3.13.1"])),
    )


def processes(pid: int | None = None) -> st.SearchStrategy[Process]:
    return st.builds(
        Process, st.sampled_from(["a", "b\x1b"]), st.integers(1, 9) if pid is None else st.just(pid),
        st.none() | st.integers(0, 3), st.just("0.10.2"), st.just("3.13.1"), st.sampled_from(["", "NVIDIA H100"]),
        times, st.lists(st.text(), max_size=2).map(tuple),
    )  # fmt: skip


def recordings(pid: int) -> st.SearchStrategy[Recording]:
    """Recordings of one process each, told apart by its pid."""
    problems = st.sampled_from([(), ("cut",), ("cut", "damaged")])
    return st.builds(Recording, st.tuples(processes(pid)), snapshots(), problems)
