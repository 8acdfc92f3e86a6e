"""Eager work that compiles too often: what is one place, what is a finding there, and what is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from builders import build, function_stats, key, key_stats, leaf, program, snapshot, static

from jitwatch._judge.eager import places
from jitwatch._judge.notes import notes
from jitwatch._model import Build, CacheKey, Finding, FunctionStats, Origin, Place, Program

PLOT = Origin(function="Plot.draw", defined_at="plot.py:3")


def eager(name: str, *made: tuple[Build, CacheKey], number: int = 7) -> FunctionStats:
    """An operation with one key for each program."""
    keys = [key_stats(position, each, hits=0) for position, (_, each) in enumerate(made, 1)]
    builds = [msgspec.structs.replace(one, key=position) for position, (one, _) in enumerate(made, 1)]
    return function_stats(name, defined_at="", keys=keys, builds=tuple(builds), hits_counted=False, id=number)


def of_sizes(name: str, sizes: Any, *, first: int = 1, number: int = 7, **changes: Any) -> FunctionStats:
    """An operation on vectors of these lengths, or arrays of these shapes, each compiled once, every tenth miss."""
    shapes = [size if isinstance(size, tuple) else (size,) for size in sizes]
    fields: dict[str, Any] = {"call_site": "plot.py:5", "origin": PLOT, **changes}
    made = [
        (build(first + 10 * position, f"{name} {shape}", **fields), key({"x": leaf(shape)}))
        for position, shape in enumerate(shapes)
    ]
    return eager(name, *made, number=number)


def found(*others: FunctionStats, programs: tuple[Program, ...] = ()) -> tuple[Place, ...]:
    return places(snapshot(others=others, programs=programs))


def test_many_sizes_are_found_at_the_line_and_in_its_function() -> None:
    (place,) = found(of_sizes("append", range(4)))

    finding = place.finding
    assert (finding.cause, finding.call_site, finding.function) == ("eager_shape", "plot.py:5", "Plot.draw")
    assert (finding.compiles, place.programs, place.sizes) == (3, 4, ("f32[0]", "f32[1]", "f32[2]", "f32[3]"))
    assert found(of_sizes("append", range(3))) == ()


def test_operations_of_a_statement_and_lines_of_a_loop_are_one_place() -> None:
    sizes = (5, 9, 13, 17)
    one = of_sizes("sub", sizes)
    other = of_sizes("tanh", sizes, first=2, number=8)
    third = of_sizes("sort", sizes, first=3, number=9, call_site="plot.py:6", lost_s=0.4)
    (place,) = found(one, other, third)

    assert place.operations == ("sort", "sub", "tanh")
    assert [site.place for site in place.lines] == ["plot.py:6", "plot.py:5"]
    assert (place.finding.compiles, place.most_costly, place.part.compiles) == (9, 9, 3)


def test_lines_that_do_not_take_turns_are_places_of_their_own() -> None:
    one = of_sizes("sort", (5, 9, 13, 17))
    later = of_sizes("sort", (6, 10, 14, 18), first=100, number=8, call_site="plot.py:9")

    assert len(found(one, later)) == 2


def test_one_pass_over_layers_is_no_finding() -> None:
    weights = of_sizes("dot", [(5, 17), (17, 11), (11, 9), (9, 6)])
    biases = of_sizes("add", (17, 11, 9, 6), first=2, number=8, call_site="plot.py:6")

    assert found(weights, biases) == ()


def test_sizes_that_look_chosen_are_no_finding_unless_they_grow() -> None:
    assert found(of_sizes("sort", (16, 128, 32, 64))) == ()
    assert found(of_sizes("sort", (300, 100, 50, 200))) == ()
    assert found(of_sizes("sort", range(100, 700, 100)))


def test_sizes_of_an_initialiser_are_no_finding() -> None:
    origin = Origin(function="f", under="Net.__init__", under_at="train.py:9", initialises=True)

    assert found(of_sizes("zeros", range(4, 12), origin=origin)) == ()
    assert found(of_sizes("zeros", range(4, 12), library="optax"))


def test_each_process_is_judged_alone() -> None:
    made = [(build(number, f"sort {number}", process=f"{number}"), key({"x": leaf((number,))})) for number in range(6)]

    assert found(eager("sort", *made)) == ()


def test_many_static_values_are_found() -> None:
    rolled = [(build(n, f"roll {n}"), key({"a": leaf((8,))}, statics={"shift": n})) for n in range(4)]

    assert [place.finding.cause for place in found(eager("_roll_static", *rolled))] == ["static_value"]


def body(token: int) -> CacheKey:
    traced = static("", type="ClosedJaxpr", text="step at solve.py:4", token=token, by_identity=True)
    return key({"xs": leaf()}, statics={"jaxpr": traced, "length": 8})


def test_new_body_is_found_also_where_programs_are_not_known() -> None:
    for name in ("scan 1", ""):
        (place,) = found(eager("scan", *((build(n, name), body(n)) for n in range(3))))

        assert (place.finding.cause, place.finding.compiles) == ("function_identity", 2)
        assert "step (solve.py:4)" in place.finding.message


def test_loops_of_two_kinds_that_take_turns_are_both_named() -> None:
    loops = [(build(n, "loop", call_site="fit.py:3", lost_s=2.0), body(n)) for n in range(0, 12, 2)]
    branches = [(build(n, "branch", call_site="fit.py:4"), body(n)) for n in range(1, 12, 2)]
    (place,) = found(eager("while", *loops), eager("cond", *branches, number=8))

    assert place.finding.message.startswith("while and cond compiled 12 programs")
    assert place.finding.call_site == "fit.py:3"


def test_new_body_is_found_whatever_sizes_alternate() -> None:
    (place,) = found(eager("scan", *((build(n, f"scan {n % 3}"), body(n)) for n in range(6))))

    assert (place.finding.compiles, place.finding.evidence) == (3, "proved")


def test_two_problems_of_one_helper_are_no_waste_and_three_constants_are() -> None:
    first = program(1)
    others = [program(n, same_up_to="constants", of=first) for n in (2, 3)]
    solved = [(build(n, f"program {n}"), body(n)) for n in (1, 2, 3)]

    assert found(eager("while", *solved[:2]), programs=(first, others[0])) == ()
    (place,) = found(eager("while", *solved), programs=(first, *others))
    assert (place.finding.cause, place.finding.compiles) == ("function_identity", 2)


def test_number_of_steps_is_told_from_a_new_body() -> None:
    same = static("", type="ClosedJaxpr", text="step at solve.py:4", token=1, by_identity=True)
    keys = [key({"x": leaf()}, statics={"jaxpr": same, "length": n}) for n in (3, 4, 5)]
    origin = Origin(function="run", defined_at="solve.py:1", called="fori_loop")
    (place,) = found(eager("scan", *((build(n, f"scan {n}", origin=origin), each) for n, each in enumerate(keys))))

    assert (place.finding.cause, place.sizes) == ("static_value", ("3", "4", "5"))
    assert place.finding.message.startswith("fori_loop compiled 3 programs")


def test_transform_outside_jit_is_found_where_it_is_called() -> None:
    origin = Origin(function="f", defined_at="a.py:1", under="vmap", under_at="a.py:9")
    (place,) = found(of_sizes("sort", (5, 9, 13, 17), origin=origin))

    assert place.finding.call_site == "a.py:9"
    assert "jax.jit(jax.vmap(f))" in place.finding.advice


def initialised(count: int, lost_s: float) -> list[Finding]:
    origin = Origin(function="forward", under="init_fn", under_at="train.py:9", initialises=True)
    made = of_sizes("zeros", range(count), origin=origin, lost_s=lost_s)
    return list(notes(snapshot(others=(made,), wall_s=10.0)))


def test_a_note_claims_what_any_program_costs_and_not_what_the_large_ones_compute() -> None:
    origin = Origin(function="forward", under="init_fn", under_at="train.py:9", initialises=True)
    small, large = (of_sizes(name, range(10), origin=origin, lost_s=s) for name, s in (("zeros", 0.1), ("normal", 2.0)))
    (note,) = notes(snapshot(others=(small, large), wall_s=30.0))

    assert "20 small programs, 21.0 s of 30.0 s" in note.message
    assert note.lost_s == pytest.approx(1.9)


def test_initialisation_is_a_note_where_it_is_a_share_of_the_run() -> None:
    (note,) = initialised(20, 0.2)

    assert (note.code, note.call_site, note.compiles) == ("JW902", "train.py:9", 19)
    assert "20 small programs, 4.0 s of 10.0 s" in note.message
    assert initialised(20, 0.01) == initialised(9, 1.0) == []
