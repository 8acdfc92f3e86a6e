"""What a test may compile: limits from markers, and what is found where they are not kept."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from builders import failed_miss, function_stats, key, key_stats, leaf, snapshot, stages

from jitwatch._errors import JitwatchError
from jitwatch._model import FunctionStats, Miss, Snapshot
from jitwatch._report.assertions.limit_text import failure_text
from jitwatch._testing.limits import NO_RECOMPILE, Limit, limit_of, max_compiles, problems

STEP = "train.py:41"


def compiled(number: int, function: int = 1, of: int | None = 1, **changes: Any) -> Miss:
    return failed_miss(number=number, function=function, key=of, stages=stages(), failed=None, **changes)


def step(*sizes: int, **changes: Any) -> FunctionStats:
    """A function with one key for each size."""
    keys = [key_stats(number, key({"x": leaf((size,))})) for number, size in enumerate(sizes, 1)]
    return function_stats(keys=keys, **changes)


def found(limit: Limit, data: Snapshot) -> list[tuple[str, int, list[tuple[str, ...]]]]:
    return [
        (one.function, one.compiles, [compile.program.causes for compile in one.unexpected])
        for one in problems([limit], data)
    ]


def test_first_program_of_each_function_is_free() -> None:
    data = snapshot(step(3), step(4, id=2, name="other"), misses=(compiled(1), compiled(2, 2)))

    assert found(NO_RECOMPILE, data) == []
    assert found(max_compiles(2), data) == []
    assert found(max_compiles(1), data) == [("", 2, [("first",)])]
    assert found(max_compiles(0), data) == [("", 2, [("first",), ("first",)])]


def test_unexpected_compiles_are_the_last_ones_with_their_causes() -> None:
    misses = (compiled(1), compiled(2, of=2), compiled(3, of=3, call_site="train.py:90"), compiled(4))
    data = snapshot(step(3, 4, 5), misses=misses)

    assert found(NO_RECOMPILE, data) == [("step", 4, [("shape",), ("shape",), ("repeat",)])]
    (problem,) = problems([max_compiles(2, "step")], data)
    text = failure_text([problem])
    assert text.splitlines()[:3] == [
        "max_compiles(2, fn='step'): step (train.py:41) compiled 4 programs, expected at most 2. Compiled beyond that:",
        "  shape: x: f32[4] → f32[5] (axis 0: 4 → 5)",
        "    at train.py:90",
    ]
    assert text.count("  fix: ") == 2
    assert "JW101" in text and "JW502" in text


def test_function_objects_of_one_definition_are_one_function() -> None:
    anew = snapshot(step(3), step(3, id=2), misses=(compiled(1), compiled(2, 2)))
    elsewhere = snapshot(step(3), step(3, id=2, defined_at="train.py:50"), misses=(compiled(1), compiled(2, 2)))

    assert found(NO_RECOMPILE, anew) == [("step", 2, [("function_identity",)])]
    assert found(NO_RECOMPILE, elsewhere) == []


def test_transforms_and_backward_passes_are_no_recompiles() -> None:
    keys = [key_stats(1), key_stats(2, key({"x": leaf((8, 1))}, transform=("grad",)))]
    misses = (compiled(1), compiled(2, of=2, kind="nested"), compiled(3, of=None, kind="backward"))
    data = snapshot(function_stats(keys=keys), misses=misses)

    assert found(NO_RECOMPILE, data) == []
    assert found(max_compiles(1), data) == [("", 3, [("transform",), ("backward",)])]


def test_program_of_an_unknown_key_counts() -> None:
    data = snapshot(step(3), misses=(compiled(1), compiled(2, of=None, kind="aot")))

    assert found(NO_RECOMPILE, data) == [("step", 2, [("unknown",)])]


def test_functions_that_were_jitted_before_count_and_operations_do_not() -> None:
    before, operation = step(3, 4, id=1), step(3, 4, id=2, name="iota", defined_at="")
    misses = (compiled(1), compiled(2, of=2), compiled(3, 2), compiled(4, 2, of=2))
    data = snapshot(others=(before, operation), misses=misses)

    assert found(NO_RECOMPILE, data) == [("step", 2, [("shape",)])]
    assert found(max_compiles(0), data) == [("", 2, [("first",), ("shape",)])]
    assert found(max_compiles(1, "iota"), data) == [("iota", 2, [("shape",)])]


@pytest.mark.parametrize(("defined_at", "count"), [
    (STEP, 0), ("", 2), ("/env/lib/site-packages/equinox/_jit.py:9", 2), (None, 2),
])  # fmt: skip
def test_function_is_told_by_name_and_definition(defined_at: str | None, count: int) -> None:
    def step_here() -> None: ...

    place = f"{__file__}:{step_here.__code__.co_firstlineno}"
    concerned = step(3, 4, name="step_here", defined_at=place if defined_at is None else defined_at)
    data = snapshot(concerned, misses=(compiled(1), compiled(2, of=2)))

    for fn in (step_here, functools.partial(step_here)):
        assert sum(compiles for _, compiles, _ in found(max_compiles(1, fn), data)) == count


def test_long_lists_are_cut() -> None:
    sizes = range(1, 31)
    data = snapshot(step(*sizes), misses=tuple(compiled(size, of=size) for size in sizes))

    text = failure_text(problems([NO_RECOMPILE, max_compiles(0)], data))

    assert text.count("… 17 more programs") == 1
    assert text.count("… 18 more programs") == 1


@pytest.mark.parametrize(("marker", "args", "kwargs", "message"), [
    ("max_compiles", (), {}, "missing a required argument: 'n'"),
    ("max_compiles", (1,), {"name": "f"}, "unexpected keyword argument 'name'"),
    ("max_compiles", (1.5,), {}, "n is 1.5; valid is a whole number"),
    ("max_compiles", (1, ""), {}, "fn is ''; valid is a function or its name"),
    ("no_recompile", (), {"n": 1}, "unexpected keyword argument 'n'; write @pytest.mark.no_recompile"),
])  # fmt: skip
def test_wrong_marker_is_a_clear_error(
    marker: str, args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(JitwatchError, match=message):
        limit_of(marker, args, kwargs)


def test_programs_of_misses_that_made_room_count_by_the_totals() -> None:
    keys = [
        key_stats(number, key({"x": leaf((number,))}), stages=stages(compiles=count), first_unix_s=float(number))
        for number, count in ((1, 1), (2, 3))
    ]
    totals = stages(traces=6, lowerings=6, compiles=6)
    one = function_stats(keys=keys, stages=totals, backward=stages(compiles=1))
    data = snapshot(one, misses=(compiled(20_000, of=2),), dropped_misses=10_000)

    assert found(max_compiles(5), data) == [("", 6, [("unknown",)])]
    assert found(max_compiles(1, "step"), data) == [
        ("step", 6, [("shape",), ("repeat",), ("repeat",), ("backward",), ("unknown",)])
    ]
    assert found(NO_RECOMPILE, data) == [("step", 5, [("shape",), ("repeat",), ("repeat",), ("unknown",)])]
    assert found(max_compiles(6), data) == []
