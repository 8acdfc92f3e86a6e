"""The report of a session of tests as text."""

from __future__ import annotations

from builders import function_stats, key_stats, other, snapshot

from jitwatch._report.assertions.session_text import notes_text, render
from jitwatch._testing.costs import Cost, SessionData, row_of


def session(**changes: object) -> SessionData:
    fields = {
        "snapshot": snapshot(), "processes": (), "outside": Cost(), "tests": (), "cleared": 0, "again": 0, "notes": (),
    }  # fmt: skip
    return SessionData(**{**fields, **changes})  # type: ignore[arg-type]


def test_nothing_compiled_is_said() -> None:
    assert render(session(), top=10) == "No jitted function was called."


def test_functions_and_tests_come_with_the_most_costly_first_and_are_cut() -> None:
    functions = [
        function_stats(f"f{number}", id=number, defined_at=f"train.py:{number}", keys=[key_stats()])
        for number in (1, 2, 3)
    ]
    tests = [row_of(f"test_a.py::test_{n}", [("setup", Cost(1, 0.5)), ("call", Cost(n, n))]) for n in (1, 2, 3)]

    text = render(
        session(
            snapshot=snapshot(*functions, others=(other(place="train.py:9"),)), tests=tuple(tests), outside=Cost(2, 0.25)
        ), top=2, width=100,
    )  # fmt: skip

    lines = text.splitlines()
    assert "compiling 3 programs of 3 jitted functions; no recompile." in text
    assert "Of this at import and collection, outside all tests: 250 ms, 2 programs." in lines
    assert "… 1 more function" in lines and "… 1 more test" in lines
    assert [line for line in lines if "test_a.py" in line] == [
        "3.5 s         4  test_a.py::test_3, 500 ms in set-up and teardown",
        "2.5 s         3  test_a.py::test_2, 500 ms in set-up and teardown",
    ]


def test_tests_that_clear_caches_are_counted_and_their_recompiles_are_no_finding() -> None:
    again = key_stats(stages=key_stats().stages.__class__(compiles=2, compile_s=1.0))
    data = snapshot(function_stats(keys=[again]))

    assert "JW502" in render(session(snapshot=data), top=10)
    cleared = session(snapshot=data, cleared=2, again=1, notes=("a note",))
    assert "JW502" not in render(cleared, top=10)
    assert notes_text(cleared).splitlines() == [
        "2 tests cleared JAX's caches (jitwatch_fresh): 1 program compiled again that had been there.", "a note",
    ]  # fmt: skip


def test_runs_of_a_test_are_those_in_which_it_compiled() -> None:
    phases = [("call", Cost(1, 1.0)), ("teardown", Cost()), ("call", Cost(2, 1.0))]

    row = row_of("test_a.py::test_one", phases)

    assert (row.cost, row.outside_call_s, row.runs) == (Cost(3, 2.0), 0.0, 2)
    assert "test_one, in 2 runs" in render(session(tests=(row,)), top=1, width=100)
