"""Functions that were renamed or moved between two recordings are recognised, and budgets follow them."""

from __future__ import annotations

from typing import Any

from builders import build, function_stats, key, key_stats, leaf, snapshot

from jitwatch._compare import budget
from jitwatch._compare.budget_update import update_budget
from jitwatch._compare.comparison import compare
from jitwatch._judge.compiled import FunctionName, file_of
from jitwatch._model import Snapshot


def recorded(*functions: tuple[str, str, tuple[str, ...]]) -> Snapshot:
    """A snapshot of functions by name, file and ids of their programs."""

    def stats(number: int, name: str, file: str, programs: tuple[str, ...]) -> Any:
        keys = [key_stats(at, key({"x": leaf((at,))})) for at in range(1, len(programs) + 1)]
        builds = tuple(build(at, program, key=at) for at, program in enumerate(programs, 1))
        return function_stats(name, id=number, defined_at=f"{file}:1", keys=keys, builds=builds)

    return snapshot(*(stats(number, *each) for number, each in enumerate(functions, 1)))


def pairs(before: Snapshot, after: Snapshot) -> dict[str, tuple[str, FunctionName | None]]:
    """Status, and the earlier name, of each function."""
    found = compare(before, after, file_of)
    return {pair.name: (pair.status, pair.was) for pair in (*found.functions, *found.unchanged)}


def test_a_renamed_function_is_no_new_one() -> None:
    before = recorded(("step", "a.py", ("p", "q")), ("loss", "a.py", ("r",)))
    after = recorded(("train_step", "b.py", ("p", "q", "s")), ("loss", "a.py", ("r",)))

    assert pairs(before, after) == {"train_step": ("more", FunctionName("step", "a.py")), "loss": ("same", None)}


def test_where_several_could_be_meant_none_is() -> None:
    before = recorded(("step", "a.py", ("p",)))
    after = recorded(("one", "b.py", ("p",)), ("other", "b.py", ("p",)))

    assert {name: status for name, (status, _) in pairs(before, after).items()} == {
        "step": "gone", "one": "new", "other": "new",
    }  # fmt: skip


def test_each_has_the_most_in_common_with_the_other() -> None:
    before = recorded(("a", "a.py", ("p",)), ("b", "a.py", ("p", "q")))
    after = recorded(("x", "b.py", ("p", "q")))

    there, back = pairs(before, after), pairs(after, before)

    assert (there["x"][1], there["a"]) == (FunctionName("b", "a.py"), ("gone", None))
    assert (back["b"][1], back["a"]) == (FunctionName("x", "b.py"), ("new", None))


def test_programs_with_callbacks_tell_nothing_elsewhere() -> None:
    assert pairs(recorded(("f", "a.py", ("p~",))), recorded(("g", "b.py", ("p~",))))["g"] == ("new", None)


LIMITS = """\
[functions."a.py"]
step = { max_compiles = 2 }
free = { max_compiles = "allow" }
"""


def test_a_budget_follows_a_function_to_another_file() -> None:
    moved = recorded(("step", "b.py", ("p", "q")), ("free", "b.py", ("r", "s", "t")))

    found = budget.check(budget.read_budget(LIMITS, "b.toml"), moved, file_of)
    update = update_budget(LIMITS, "b.toml", budget.needed_limits(moved, file_of))
    of_a_part = update_budget(LIMITS, "b.toml", budget.needed_limits(moved, file_of), only_raise=True)

    assert (found.over, found.unseen) == ((), ())
    assert [(was.file, now.file) for was, now in found.moved] == [("a.py", "b.py")] * 2
    assert update.moved == (FunctionName("step", "b.py"),) and not (update.added or update.removed)
    assert budget.read_budget(update.text, "b.toml").limits == {
        FunctionName("free", "a.py"): None, FunctionName("step", "b.py"): 2,
    }  # fmt: skip
    assert of_a_part.text == LIMITS


def test_a_name_in_two_files_follows_nowhere() -> None:
    both = recorded(("step", "b.py", ("p",)), ("step", "c.py", ("q",)))

    assert budget.check(budget.read_budget(LIMITS, "b.toml"), both, file_of).moved == ()
