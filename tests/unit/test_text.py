"""The text report: whole pages against files, and that nothing a program is called can break a page."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from builders import call_sites, failed_miss, function_stats, key, key_stats, leaf, other, snapshot, stages
from hypothesis import given
from hypothesis import strategies as st
from key_strategies import keys, text
from pages import PROCESS, small

from jitwatch._judge.judge import judge_function
from jitwatch._model import CacheKey, FunctionStats, Miss, Snapshot, Stages
from jitwatch._report.recording.text import render, render_function

PARAMS = {f"layer{i}": {"b": leaf((256,)), "w": leaf((784, 256))} for i in range(6)}
WIDER = {**PARAMS, "layer5": {"b": leaf((256,)), "w": leaf((784, 257))}}
NUMPY = {"source": "numpy", "sharding": None}


def train_step() -> FunctionStats:
    """A last batch that is smaller, NumPy input, a deep change of a parameter, another static value under x64."""

    def step(params: Any, batch: int, n: int = 2, context: dict[str, str] | None = None, **changes: Any) -> CacheKey:
        arrays = {"x": leaf((batch, 784), **changes), "y": leaf((batch,), "int32", **changes)}
        return key({"params": params, **arrays}, statics={"n": n}, context=context)

    return function_stats(
        "train_step",
        id=1,
        defined_at="/home/user/project/src/train.py:41",
        options=(("static_argnames", "('n',)"), ("donate_argnums", "(0,)")),
        call_sites=call_sites(train_88=3, eval_12=1, check_1=1, tune_9=1),
        keys=[
            key_stats(1, step(PARAMS, 64), hits=900, stages=stages(1, 2.3)),
            key_stats(2, step(PARAMS, 5), hits=9, stages=stages(1, 1.1)),
            key_stats(3, step(PARAMS, 64, **NUMPY), hits=3, stages=Stages(), dispatch_only=1, executable=1),
            key_stats(4, step(WIDER, 64), hits=0, stages=stages(1, 1.2)),
            key_stats(5, step(PARAMS, 64, 3, {"jax_enable_x64": "True"}), hits=1, stages=stages(1, 75.0)),
        ],
    )


def remade(count: int = 5) -> list[FunctionStats]:
    """A lambda that is jitted anew in a loop."""
    keys = [key_stats(1, key({"x": leaf((3,))}), hits=0)]
    return [function_stats("<lambda>", id=10 + i, defined_at="loop.py:7", keys=keys) for i in range(count)]


def troubled() -> FunctionStats:
    """A function of which everything is said that can be."""
    scale = leaf((), weak_type=True, source="python")
    under_vmap = key({"x": leaf((3,)), "scale": scale}, transform=("vmap[8]",))
    return function_stats(
        "loss",
        id=3,
        defined_at="loss.py:3",
        keys=[key_stats(1, under_vmap, hits=3, misses=4, nested=7, failures=2, slow_path=True)],
        last_failure=failed_miss(),
        backward=stages(1, 0.02),
        aot=stages(1, 0.01),
        helpers=stages(2, 0.003),
        dropped_keys=12,
        approximate=True,
    )


def nested_only() -> FunctionStats:
    """A function that is called inside others only."""
    only = key_stats(1, key({"x": leaf((3,)), "mask": None}), hits=0, misses=0, nested=4, call_sites=())
    return function_stats("evaluate", id=4, defined_at="", keys=[only], call_sites=())


def steps() -> tuple[Miss, ...]:
    """Misses of the first function and of the last but one, with what the program said of them."""
    compiled = [
        failed_miss(number=number, key=number, stages=stages(), context=(("step", str(number**6)), ("phase", "train")))
        for number in (1, 2, 4, 5)
    ]
    others = [failed_miss(number=number, key=None, function=3, kind=kind, context=(("step", str(number)),))
              for number, kind in ((6, "aot"), (7, "backward"), (8, "call"))]  # fmt: skip
    return (*compiled, *others)


def full_snapshot() -> Snapshot:
    """All of the above, other programs, and something dropped of each kind."""
    others = (
        other(place="train.py:12"),
        other("broadcast_in_dim", "train.py:12", compiles=3, compile_s=0.2, loads=1, load_s=0.01),
    )
    functions = train_step(), *remade(), troubled(), nested_only(), function_stats("idle", id=5)
    return snapshot(*functions, others=others, misses=steps(), faults=1, dropped_misses=4, dropped_functions=2)


PAGES = {
    "full": lambda width: render(full_snapshot(), width=width),
    "cut": lambda width: render(full_snapshot(), width=width, max_functions=1, max_keys=2),
    "one": lambda width: render_function(train_step(), steps()[:2], judge_function(train_step()), width=width),
    "small": lambda width: render(snapshot(function_stats("step", keys=[key_stats()])), width=width),
    "empty": lambda width: render(snapshot(), width=width),
}


@pytest.mark.parametrize("width", [80, 140])
def test_end_of_a_run_is_as_expected(width: int, check_golden: Callable[[str, str], None]) -> None:
    check_golden(f"run_end_{width}.txt", render(small(), width=width, processes=[PROCESS], recorded=True))


@pytest.mark.parametrize(("page", "width"), [*itertools.product(PAGES, (60, 100)), ("full", 80), ("full", 140)])
def test_page_is_as_expected(page: str, width: int, check_golden: Callable[[str, str], None]) -> None:
    check_golden(f"report_{page}_{width}.txt", PAGES[page](width))


def test_colored_page_says_the_same_as_the_plain_one() -> None:
    colored = render(full_snapshot(), width=100, color=True)

    plain = re.sub(r"\x1b\[[\d;]*m", "", colored)
    assert plain != colored
    assert [line.rstrip() for line in plain.split("\n")] == render(full_snapshot(), width=100).split("\n")


@pytest.mark.parametrize("variables", [{"COLUMNS": "50"}, {"COLUMNS": "50", "FORCE_COLOR": "1", "TERM": "dumb"}])
def test_width_is_that_of_the_terminal(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert render(full_snapshot()) == render(full_snapshot(), width=50)


def test_no_terminal_means_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", None)

    assert render(full_snapshot()) == render(full_snapshot(), width=100)


def test_markup_and_control_characters_are_shown_and_not_obeyed() -> None:
    name = "[bold]f[/bold] :smile: \x1b[31m\n"

    page = render(snapshot(function_stats(name, defined_at=f"{name}:1", keys=[key_stats()])), width=120)

    assert page.count("[bold]f[/bold] :smile: \\x1b[31m\\n") == 2


def test_huge_texts_are_cut() -> None:
    huge = "x" * 5_000_000
    of = key({huge: leaf((1,) * 10_000)}, statics={huge: huge}, context={huge: huge}, transform=[huge] * 100)

    page = render(
        snapshot(
            function_stats(
                huge,
                defined_at=huge,
                options=((huge, huge),),
                keys=[key_stats(1, of)],
                call_sites=call_sites(**{huge: 1}),
                last_failure=failed_miss(failed=huge, failed_at=huge, failed_argument=huge),
                failures=1,
            ),
            others=(other(huge),),
            misses=(failed_miss(key=1, context=((huge, huge),) * 1000),) * 1000,
        )
    )

    assert len(page) < 9000


def test_wide_characters_keep_the_width() -> None:
    from rich.cells import cell_len

    stats = function_stats("日本" * 30, defined_at="日" * 80, keys=[key_stats(1, key({"日本" * 40: leaf()}))])

    for width in (30, 60, 100):
        assert max(map(cell_len, render_function(stats, width=width).split("\n"))) <= width


def test_other_programs_are_cut_and_the_rest_counted() -> None:
    lines = tuple(other(f"op{i}", f"a.py:{i}") for i in range(10))
    one_line = tuple(other(f"op{i}") for i in range(10))

    assert "… 2 more lines" in render(snapshot(others=lines), width=200)
    assert "… 4 more programs" in render(snapshot(others=one_line), width=200)


def test_failure_without_details_is_counted() -> None:
    page = render_function(function_stats(failures=2, last_failure=None))

    assert "failed   2 calls" in page


def test_jax_is_not_imported() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import jitwatch._report.recording.text as t; assert 'rich' not in sys.modules;"
        "from builders import snapshot; t.render(snapshot()); assert 'jax' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code, *sys.path], check=True, timeout=60)


def functions() -> st.SearchStrategy[FunctionStats]:
    counts = st.integers(0, 10**12)
    seconds = st.floats(allow_nan=True, allow_infinity=True)
    some_stages = st.builds(Stages, counts, counts, counts, counts, seconds, seconds, seconds, seconds)
    stats = st.builds(
        key_stats, counts, keys(), hits=counts, misses=counts, stages=some_stages, slow_path=st.booleans()
    )
    return st.builds(
        function_stats,
        text,
        keys=st.lists(stats, max_size=3),
        id=st.integers(0, 2),
        defined_at=text,
        options=st.lists(st.tuples(text, text), max_size=2).map(tuple),
        call_sites=text.map(lambda place: call_sites(**{place: 1})),
        last_failure=st.builds(failed_miss, failed=text, failed_at=text, failed_argument=text),
        failures=counts,
        stages=some_stages,
        helpers=some_stages,
    )


@given(
    st.lists(functions(), max_size=3),
    st.lists(st.builds(other, text), max_size=3),
    text,
    st.integers(-5, 200),
)
def test_any_names_make_a_page_without_control_characters(
    several: list[FunctionStats], others: list[FunctionStats], version: str, width: int
) -> None:
    misses = (failed_miss(context=((version, version),)),)
    page = render(snapshot(*several, others=tuple(others), misses=misses, jax_version=version), width=width, max_keys=2)

    assert all(line.isprintable() for line in page.split("\n"))
