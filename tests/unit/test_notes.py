"""Notes: what is worth knowing of the compiled programs and is no fault."""

from __future__ import annotations

from builders import build, function_stats, key, key_stats, leaf, program, snapshot

from jitwatch._judge.notes import notes
from jitwatch._model import Program


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
