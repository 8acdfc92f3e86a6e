"""Notes: what is worth knowing of the compiled programs and is no fault."""

from __future__ import annotations

from builders import build, function_stats, key, key_stats, leaf, program, snapshot

from jitwatch._judge.notes import notes
from jitwatch._model import Finding, Origin, Program


def of_two(first: Program, second: Program) -> list[str]:
    """The codes of the notes on a function that was given two programs."""
    keys = [key_stats(1), key_stats(2, key({"x": leaf((8, 1), committed=True)}))]
    builds = (build(1, first.id, key=1), build(2, second.id, key=2))
    function = function_stats(keys=keys, builds=builds)
    return [note.code for note in notes(snapshot(function, programs=(first, second)))]


def test_one_module_for_two_targets_is_a_note() -> None:
    one = program(1)

    assert of_two(one, program(2, same_up_to="identical", of=one, target="gpu")) == ["JW901"]


def test_other_modules_are_none() -> None:
    one = program(1)

    assert of_two(one, program(2, same_up_to="sizes", of=one)) == []
    assert of_two(one, program(2, same_up_to="constants", of=one, target="gpu")) == []


def eager(origin: Origin, programs: int = 12, wall_s: float = 4.0) -> list[Finding]:
    """The notes on so many operations of a tenth of a second each."""
    others = [
        function_stats(f"op {number}", id=number, defined_at="", builds=(build(number, f"p{number}", origin=origin),))
        for number in range(programs)
    ]
    return list(notes(snapshot(others=others, wall_s=wall_s)))


def test_a_function_that_computes_operation_by_operation_is_a_note_at_the_line_that_called_it() -> None:
    (note,) = eager(Origin("get_data", "train.py:3", "train.py:70"))

    assert (note.code, note.function, note.call_site, note.compiles) == ("JW902", "get_data", "train.py:70", 11)
    assert note.message.startswith("get_data computes operation by operation: 12 small programs, 1.2 s of 4.0 s")


def test_few_operations_and_a_small_share_and_a_scripts_own_lines_are_none() -> None:
    function = Origin("get_data", "train.py:3", "train.py:70")

    assert eager(function, programs=9) == eager(function, wall_s=100.0) == eager(Origin()) == []
