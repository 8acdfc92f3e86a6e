"""Property: for random programs, every count and every call's key is what an independent oracle says.

Runs 320 programs. `TEST_PROGRAMS=2000 pytest tests/jax/test_exact_counts.py` runs as many as it says, drawn
anew each time; a failure prints the program.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import call_programs
import jax
import jax.numpy as jnp
import numpy as np
import oracle as judge
import pytest
from call_programs import CONTEXTS, LEAVES, STATICS, Call, Op, Program, build_tree, leaf_value
from hypothesis import HealthCheck, given, seed, settings
from oracle import Function, Oracle

import jitwatch
from jitwatch import JitwatchError, _faults, watched_jit

PARTS = 4
LONG = os.environ.get("TEST_PROGRAMS")
PROGRAMS = int(LONG or 320)
_numbers = itertools.count()


class Broken(Exception):
    """What the functions of a program raise while they are broken."""


class Run:
    """One program while it runs."""

    def __init__(self, program: Program) -> None:
        self.oracle = Oracle()
        self.program = program
        self.broken = False
        self.kept: list[Any] = []
        """All static values: a value that is gone is another one when it is made again."""
        self.functions: list[Function] = []
        for kind in program.functions:
            self.functions.append(self._function(kind))

    def _function(self, kind: str) -> Function:
        if kind == "twin" and self.functions:
            first = self.functions[-1]
            others: tuple[dict[str, Any], ...] = ({}, {"keep_unused": True}, {"compiler_options": _COMPILER_OPTIONS})
            options = first.options | others[len(self.functions)]
            return self._watch(first.fun, first.statics, first.effects, options)
        name = f"f{next(_numbers)}"
        self.oracle.names.add(name)
        fun = self._body(kind, name, self.functions[0] if self.functions else None)
        options: dict[str, Any] = {
            "static name": {"static_argnames": "n"},
            "static position": {"static_argnums": 1},
            "donating": {"donate_argnums": 0},
        }.get(kind, {})
        statics: Callable[[int], tuple[set[int], set[str]]] = {
            "static name": lambda given: (set(), {"n"}),
            "static position": lambda given: ({1} & set(range(given)), {"y"}),
        }.get(kind, lambda given: (set(), set()))
        effects = kind == "effects" or (kind == "outer" and bool(self.functions) and self.functions[0].effects)
        return self._watch(fun, statics, effects, options)

    def _watch(self, fun: Any, statics: Any, effects: bool, options: dict[str, Any]) -> Function:
        watched = watched_jit(fun, **options)
        return Function(watched, fun, fun.__name__, statics, watched.cache_stats().id, options, effects)

    def _body(self, kind: str, name: str, inner: Function | None) -> Any:
        oracle = self.oracle

        def fun(x, y=0.5, *rest, n=3, **extra):
            with oracle.body(fun):
                if kind == "raising" and self.broken:
                    raise Broken
                if kind == "effects":
                    jax.debug.callback(lambda: None)
                if kind == "outer" and inner is not None:
                    oracle.call(inner, next(iter(jax.tree.leaves(x)), 1.0))
                    oracle.call(inner, np.ones(3, np.float32))
                if kind == "eager":
                    with jax.ensure_compile_time_eval():
                        jax.lax.add(np.ones(3, np.float32), np.ones(3, np.float32))
                        if inner is not None:
                            oracle.call(inner, np.ones(3, np.float32))
                leaves = jax.tree.leaves((x, rest, extra))
                return {"total": _total(leaves), "leaves": leaves}

        fun.__name__ = fun.__qualname__ = name
        return fun

    # One step.

    def step(self, op: Op) -> None:
        """Run one step; what JAX and the functions raise is part of the program."""
        function = self.functions[op.function % len(self.functions)]
        call = self.program.calls[op.call % len(self.program.calls)]
        with self._contexts(op.contexts), _refusals_allowed():
            self._step(op.kind, function, call, op.contexts)

    @contextlib.contextmanager
    def _contexts(self, names: tuple[str, ...]) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name in names:
                make, added = CONTEXTS[name]
                stack.enter_context(make())
                stack.enter_context(self.oracle.setting(**added))
            yield

    def _step(self, kind: str, function: Function, call: Call, contexts: tuple[str, ...]) -> None:
        oracle, watched = self.oracle, function.watched
        if kind in ("grad", "vmap", "jit", "scan", "checkpoint"):
            self._transformed(kind, function, call)
        elif kind == "direct jit":
            with oracle.flag(elsewhere=function.name):
                jax.jit(watched)(self._argument(function, "f32[4]"))
        elif kind == "direct vmap":
            jax.vmap(watched)(self._argument(function, "f32[2,4]"))
        elif kind in ("lower", "trace", "eval_shape"):
            args, kwargs = self._arguments(function, call)
            result = getattr(watched, kind)(*args, **kwargs)
            if kind == "lower":
                result.compile()
        elif kind == "look":
            self._look(function)
        elif kind in ("clear_cache", "clear_caches"):
            oracle.clear()
            watched.clear_cache() if kind == "clear_cache" else jax.clear_caches()
        elif kind == "break":
            self.broken = not self.broken
        elif kind == "disable_jit":
            with jax.disable_jit(), oracle.setting(disable_jit=True):
                self._call(function, call)
        elif kind == "threads":
            self._threads(function, contexts)
        else:
            self._call(function, call)

    def _call(self, function: Function, call: Call) -> None:
        args, kwargs = self._arguments(function, call)
        self.oracle.call(function, *args, **kwargs)

    def _arguments(self, function: Function, call: Call) -> tuple[list[Any], dict[str, Any]]:
        positions, names = function.statics(2)
        build = _build_fresh if "donate_argnums" in function.options else build_tree
        y = STATICS[call.y_static]() if 1 in positions else build_tree(call.y)
        args = [build(call.x)]
        kwargs: dict[str, Any] = {}
        if call.y_by == "position":
            args += [y, *map(build_tree, call.rest)]
        elif call.y_by == "keyword":
            kwargs["y"] = y
        for name, value in call.keywords:
            if name == "n" and "n" in names:
                kwargs[name] = STATICS[value]()
            elif name != "n":
                kwargs[name] = build_tree(value)
        self.kept.append((y, kwargs))
        return args, kwargs

    def _transformed(self, kind: str, function: Function, call: Call) -> None:
        args, kwargs = self._arguments(function, call)

        def total(x):
            with self.oracle.under_trace():
                return self.oracle.call(function, x, *args[1:], **kwargs)["total"]

        one, some = self._argument(function, "f32[4]"), self._argument(function, "f32[2,4]")
        if kind == "scan":
            jax.lax.scan(lambda carry, x: (carry, total(x)), 0, some)
        elif kind == "vmap":
            jax.vmap(total)(some)
        else:
            {"grad": jax.grad, "jit": jax.jit, "checkpoint": jax.checkpoint}[kind](total)(one)

    def _argument(self, function: Function, name: str) -> Any:
        return LEAVES[name]() if "donate_argnums" in function.options else leaf_value(name)

    def _look(self, function: Function) -> None:
        with self.oracle.flag(looking=True):
            for view in function.watched.cache_keys():
                try:
                    view.jaxpr(), view.stablehlo(), view.hlo(), view.cost_analysis(), repr(view)
                except JitwatchError:
                    pass

    def _threads(self, function: Function, contexts: tuple[str, ...]) -> None:
        # XLA's CPU client can deadlock where threads run programs over several devices at once (seen on JAX 0.6.1).
        one_device = not any(word in str(self.program.calls) for word in ("sharded", "replicated", "on all"))
        calls = list(self.program.calls) if one_device and "donate_argnums" not in function.options else []
        errors: list[BaseException] = []
        barrier = threading.Barrier(3)

        def work() -> None:
            try:
                with self.oracle.watching_thread(), self._contexts(contexts):
                    barrier.wait()
                    for call in calls * 2:
                        with _refusals_allowed():
                            self._call(function, call)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        if errors:
            raise errors[0]

    # The judgement.

    def check(self) -> None:
        """Compare all counts with the oracle's."""
        records = {function.number: function.watched.cache_stats() for function in self.functions}
        for name in self.oracle.names:
            same = [stats for stats in records.values() if stats.name == name]
            self._check_name(self.oracle.by_name[name], same)
        for number, stats in records.items():
            expected = {count: self.oracle.per_function[number][count] for count in judge.COUNTS}
            for count in ("nested", "failures"):  # compared by name, with the calls that JAX itself makes
                expected.pop(count)
            actual = {count: getattr(stats, count) for count in expected}
            assert actual == expected, _difference(actual, expected)
            self._check_keys(number, stats)

    def _check_name(self, seen: Any, same: list[Any]) -> None:
        expected = {stage: seen[stage] for stage in ("traces", "lowerings", "compiles")}
        actual = {stage: sum(_count(stats.stages, stage) for stats in same) for stage in expected}
        for count, by_jax in (("nested", "unbracketed"), ("failures", "unbracketed failures")):
            expected[count] = seen[by_jax] + sum(self.oracle.per_function[stats.id][count] for stats in same)
            actual[count] = sum(getattr(stats, count) for stats in same)
        assert actual == expected, _difference(actual, expected)

    def _check_keys(self, number: int, stats: Any) -> None:
        by_jax = self.oracle.by_name[stats.name]["unbracketed"] > 0
        counts = (*judge.COUNTS, "traces", "lowerings", "compiles")
        expected = {
            key: {count: seen[count] for count in counts}
            for (function, key), seen in self.oracle.per_key.items()
            if function == number and any(seen.values())
        }
        actual = {
            key.key: {count: _count(key if count in judge.COUNTS else key.stages, count) for count in counts}
            for key in stats.keys
        }
        if by_jax:
            expected, actual = (
                {key: seen for key, seen in all_keys.items() if not key.transform} for all_keys in (expected, actual)
            )
        assert actual == expected, _difference(actual, expected)
        assert [key.number for key in stats.keys] == list(range(1, len(stats.keys) + 1))


def _count(counts: Any, name: str) -> int:
    """A count of jitwatch's as the oracle has it: JAX sends its event of a compilation for a reuse too."""
    return getattr(counts, name) + (counts.reused if name == "compiles" else 0)


_COMPILER_OPTIONS = {"xla_embed_ir_in_executable": True}


@contextlib.contextmanager
def _refusals_allowed() -> Iterator[None]:
    """Let pass what JAX and the functions raise; the oracle raises AssertionError."""
    try:
        yield
    except AssertionError:
        raise
    except Exception:
        pass


def _difference(actual: dict[Any, Any], expected: dict[Any, Any]) -> str:
    differing = [name for name in actual | expected if actual.get(name) != expected.get(name)]
    return "\n".join(f"{name}: {actual.get(name)}, oracle: {expected.get(name)}" for name in differing)


def _total(leaves: list[Any]) -> Any:
    total = jax.lax.full((), 0, np.float32)
    for leaf in leaves[:2]:
        if jnp.issubdtype(jax.dtypes.result_type(leaf) if not hasattr(leaf, "dtype") else leaf.dtype, jnp.floating):
            leaf = jax.lax.convert_element_type(leaf, np.float32)
            total = jax.lax.add(total, jax.lax.reduce(leaf, np.float32(0), jax.lax.add, tuple(range(leaf.ndim))))
    return total


def _build_fresh(tree: Any) -> Any:
    """Arrays that may be donated: no other call uses them."""
    if tree[0] == "leaf":
        return LEAVES[tree[1]]()
    return [_build_fresh(child) for _, child in tree[1]] if tree[0] in ("dict", "list") else build_tree(("none",))


def run(program: Program) -> None:
    """Run a program and judge the counts."""
    faults = _faults.count()
    current = Run(program)
    with current.oracle.watching():
        for op in program.ops:
            current.step(op)
    current.check()
    assert _faults.count() == faults
    assert not any(isinstance(leaf_value(name), jax.Array) and leaf_value(name).is_deleted() for name in LEAVES)


@pytest.fixture(autouse=True, scope="module")
def values_made_first() -> None:
    for name in LEAVES:
        leaf_value(name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reused", [False, True], ids=["plain", "with reuse"])
@pytest.mark.parametrize("part", range(PARTS))
def test_every_count_and_key_is_the_oracles(part: int, reused: bool) -> None:
    @seed(part if LONG is None else random.getrandbits(64))
    @settings(max_examples=PROGRAMS // PARTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(call_programs.programs)
    def check(program: Program) -> None:
        run(program)
        if next(_numbers) % 20 == 0:
            gc.collect()

    with jitwatch.reusing() if reused else contextlib.nullcontext():
        check()


@pytest.mark.parametrize(
    "name,value",
    [
        ("jax_default_matmul_precision", "highest"),
        ("jax_numpy_rank_promotion", "raise"),
        ("jax_optimization_level", "O1"),
        ("jax_memory_fitting_level", "O1"),
        ("jax_hlo_source_file_canonicalization_regex", "x"),
        ("jax_high_dynamic_range_gumbel", True),
        ("jax_default_prng_impl", "rbg"),
        ("jax_traceback_filtering", "off"),
    ],
)
def test_setting_is_in_the_key_exactly_if_jax_misses_for_it(name: str, value: Any) -> None:
    before = getattr(jax.config, name)

    @watched_jit
    def f(x):
        return x + 1

    f(1.0)
    first = f.cache_key(1.0)
    jax.config.update(name, value)
    try:
        other = f.cache_key(1.0)
        f(1.0)
    finally:
        jax.config.update(name, before)

    assert (other != first) == (f.cache_info().misses == 2)
    assert f.cache_key(1.0) == first
