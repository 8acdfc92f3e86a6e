"""Read by mypy only: that a watched function keeps its signature, and that jitwatch's own options are known in each form."""

from __future__ import annotations

from typing import assert_type

import jitwatch
from jitwatch import typing, watched_jit


def scaled(x: float, n: int) -> float:
    return x * n


def alerted(alert: typing.Alert) -> None:
    print(alert.message)


direct = watched_jit(scaled, static_argnames="n", max_compiles=3, on_excess=alerted)

assert_type(direct(1.0, 2), float)
assert_type(watched_jit(max_compiles=3)(scaled)(1.0, 2), float)
assert_type(jitwatch.watch(direct, max_keys=5)(1.0, 2), float)
direct("x", 2)  # type: ignore[arg-type]
watched_jit(scaled, max_compiles="3")  # type: ignore[call-overload]
watched_jit(scaled, on_excess=3)  # type: ignore[call-overload]
watched_jit(warn_compiles="3")  # type: ignore[call-overload]

assert_type(jitwatch.report(), typing.Report)
assert_type(jitwatch.report_json(), str)
assert_type(jitwatch.snapshot(), typing.Snapshot)
assert_type(direct.cache_keys(), list[typing.KeyView])
assert_type(direct.cache_key(1.0, 2), typing.CacheKey)
assert_type(direct.diff_keys(direct.cache_key(1.0, 2), 2), str)
assert_type(direct.cache_info(), typing.CacheInfo)
assert_type(direct.check(), list[typing.Finding])
with jitwatch.recording() as counted:
    assert_type(counted, typing.Recording)
