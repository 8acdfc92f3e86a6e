"""Recordings for tests of the page: one of every thing, one with names that would break it, one that is large."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from builders import (
    UNIX_S,
    build,
    failed_miss,
    function_stats,
    key,
    key_stats,
    leaf,
    other,
    program,
    snapshot,
    stages,
)

from jitwatch._model import CallSite, FunctionStats, Miss, Process, Program, Snapshot

PROCESS = Process(
    "node-07", 4711, 0, "0.10.2", "3.13.1", "NVIDIA H100", UNIX_S, ("python", "train.py", "--epochs", "3"), "run"
)
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>{{ 7*7 }}{% raw %}",
    "\u202egpj.exe\u2066 \u05d0\u05d1\u05d2",
    "\N{SNAKE}\N{ZERO WIDTH JOINER}\x00\x1b[31m\n]]>",
    "long" * 250_000,
)


def miss(number: int, function: int, key_number: int, at_s: float, **changes: Any) -> Miss:
    """A call that compiled, so many seconds after the begin."""
    fields = {"key": key_number, "unix_s": UNIX_S + at_s, "stages": stages(), "failed": None, "failed_at": None}
    return failed_miss(number=number, function=function, failed_argument=None, **{**fields, **changes})


def with_id(function: FunctionStats, number: int) -> FunctionStats:
    """Of its own, as the ids in a snapshot are."""
    return msgspec.structs.replace(function, id=number)


def small() -> Snapshot:
    """A function whose sequences churn, a last batch, a quiet one, eager work, and words of the program's own."""
    lengths = (510, 511, 498, 505, 512)
    keys = [key_stats(i, key({"tokens": leaf((8, n), "int32")}), hits=i) for i, n in enumerate(lengths, 1)]
    builds = [build(i, f"program {i}", key=i) for i in range(1, 6)]
    programs = [program(1), *(program(i, same_up_to="sizes", of=program(1)) for i in range(2, 6))]
    decode = function_stats("decode", id=1, keys=keys, builds=tuple(builds), defined_at="serve.py:12")
    accuracy = function_stats("accuracy", id=2, keys=[key_stats(1, hits=99)], defined_at="train.py:61")
    misses = [miss(i, 1, i, 2.0 * i, context=(("step", str(100 * i)), ("epoch", "0"))) for i in range(1, 6)]
    return snapshot(
        decode, accuracy, others=(with_id(other("_normal", "train.py:37"), 90),), misses=(*misses, miss(6, 2, 1, 11.0, thread=2)),
        programs=tuple(programs), wall_s=12.0, unix_s=UNIX_S + 12.0,
    )  # fmt: skip


def hostile() -> Snapshot:
    """Functions, places, arguments, values and words that are named to do harm."""
    functions, misses = [], []
    for number, name in enumerate(HOSTILE, 1):
        keys = [
            key_stats(
                i, key({name: leaf((i, 7))}, statics={"n": name * i}), call_sites=(CallSite(f"{name}:3", 1, 0.1),)
            )
            for i in range(1, 5)
        ]
        functions.append(
            function_stats(
                name,
                id=number,
                qualname=name,
                defined_at=f"{name}:{number}",
                keys=keys,
                options=((name, name),),
                call_sites=(CallSite(f"{name}:3", 4, 0.4),),
                last_failure=failed_miss(failed=name, failed_at=f"{name}:1"),
                failures=1,
            )
        )
        misses += [miss(10 * number + i, number, i, float(number), context=((name, name),)) for i in range(1, 5)]
    return snapshot(
        *functions, others=(with_id(other(HOSTILE[0], HOSTILE[1]), 90),), misses=tuple(misses), jax_version=HOSTILE[0],
        python_version=HOSTILE[2],
    )  # fmt: skip


def hostile_process() -> Process:
    """The process of the hostile recording."""
    return Process(HOSTILE[1], 1, None, HOSTILE[0], HOSTILE[2], HOSTILE[3], UNIX_S, HOSTILE, HOSTILE[0])


def large(functions: int = 500, keys: int = 100) -> Snapshot:
    """Many functions with many keys and as many misses, on six threads, in the words of a long training."""
    dice = random.Random(1)
    made, misses, programs = [], [], []
    at, number = 0.0, 0
    for function in range(1, functions + 1):
        place = f"/srv/train/loop_{function % 7}.py:{80 + function}"
        own, builds = [], []
        for each in range(1, keys + 1):
            number += 1
            at += dice.expovariate(12.0)
            ran = stages(1, dice.lognormvariate(-3, 1))
            of = key({"params": {"w": leaf((784, 256))}, "tokens": leaf((8, 61 * each + each * each % 7), "int32")})
            where = (CallSite(place, 1, ran.compile_s),)
            own.append(key_stats(each, of, hits=dice.randrange(40), stages=ran, call_sites=where))
            builds.append(build(number, f"p{number}", key=each, lost_s=ran.compile_s, call_site=place))
            programs.append(Program(f"p{number}", "cpu", (f"{number}",) * 5 + (f"s{function}",) * 2, 1000))
            words = (("step", str(number // 50)), ("epoch", str(number // 5000)))
            misses.append(miss(number, function, each, at, stages=ran, thread=1 + function % 6, context=words))
        made.append(
            function_stats(
                f"layer_{function}",
                id=function,
                keys=own,
                builds=tuple(builds),
                defined_at=f"/srv/train/model_{function % 13}.py:{20 + function}",
                call_sites=(CallSite(place, keys, 1.0),),
            )
        )
    return snapshot(*made, misses=tuple(misses), programs=tuple(programs), wall_s=at, unix_s=UNIX_S + at)
