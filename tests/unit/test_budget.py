"""Budgets: what is read, what is over, and that updating keeps what a person wrote."""

from __future__ import annotations

import pytest
from builders import function_stats, key_stats, snapshot, stages
from hypothesis import given
from recorded_pair import FILE, after, batches, before, function
from recording_strategies import snapshots

from jitwatch import JitwatchError
from jitwatch._compare.budget import Budget, check, needed_limits, read_budget
from jitwatch._compare.budget_update import NEW_BUDGET, Update, update_budget
from jitwatch._judge.compiled import FunctionName, file_of
from jitwatch._model import Snapshot

STEP = FunctionName("train_step", FILE)


def updated(text: str, data: Snapshot, *, prune: bool = False) -> Update:
    return update_budget(text, "b.toml", needed_limits(data, file_of), prune=prune)


def test_budget_is_read() -> None:
    text = '[default]\nmax_compiles = "allow"\n[functions."src/train.py"]\ntrain_step = { max_compiles = 2 }\n'

    assert read_budget(text, "b.toml") == Budget(default=None, limits={STEP: 2})


def test_empty_budget_allows_each_function_one_program() -> None:
    assert read_budget("", "b.toml") == Budget(default=1, limits={})


@pytest.mark.parametrize(("text", "message"), [
    ("[default", "b.toml is not valid TOML: "),
    ("max_compiles = 1", "the file has the unknown key 'max_compiles'; valid are default, functions."),
    ("[default]\nmax = 1", "[default] has the unknown key 'max'; valid are max_compiles."),
    ('[default]\nmax_compiles = "many"', "has max_compiles = 'many'; valid is a whole number of at least 0, or 'allow'."),
    ("default = 3", "[default] is 3, where a table"),
    ("[functions]\nstep = 1", "[functions.'step'] is 1, where a table"),
    ('[functions."a.py"]\nstep = 1', "[functions.'a.py'] step is 1, where a table such as { max_compiles = 1 }"),
    ('[functions."a.py"]\nstep = {}', "[functions.'a.py'] step has no max_compiles"),
    ('[functions."a.py"]\nstep = { max_compile = 1 }', "unknown key 'max_compile'; valid are max_compiles."),
    *((f'[functions."a.py"]\nstep = {{ max_compiles = {wrong} }}', f"max_compiles = {shown}; valid is")
      for wrong, shown in (("-1", "-1"), ("true", "True"), ("1.5", "1.5"), ("[]", r"\[\]"))),
    ("a = " + "[" * 5000, "b.toml is not valid TOML: "),
])  # fmt: skip
def test_bad_budget_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(JitwatchError) as error:
        read_budget(text, "b.toml")

    assert message.replace("\\", "") in str(error.value)
    assert "b.toml" in str(error.value)


def test_functions_over_budget_say_what_was_unexpected() -> None:
    budget = Budget(default=1, limits={STEP: 2, FunctionName("old_step", FILE): 1})

    found = check(budget, after(), file_of)

    step, rescale = found.over
    assert (step.function, step.limit, step.listed, step.compiles) == (STEP, 2, True, 4)
    assert [program.changes[0].after for program in step.unexpected] == ["f32[30,8]", "f32[29,8]"]
    assert {program.call_site for program in step.unexpected} == {f"{FILE}:88"}
    assert [finding.code for finding in step.findings] == ["JW101"]
    assert (rescale.function.name, rescale.listed, rescale.unexpected[0].causes) == ("rescale", False, ("weak_type",))
    assert (found.within, found.unseen) == (2, (FunctionName("old_step", FILE),))


def test_limits_are_for_each_process() -> None:
    stats = function_stats(keys=[key_stats(1, batches(32)[0], stages=stages(5))], processes=4)

    (over,) = check(Budget(1, {}), snapshot(stats), file_of).over

    assert (over.compiles, over.processes, over.limit) == (5, 4, 1)
    assert [(program.causes, program.count) for program in over.unexpected] == [(("repeat",), 1)]
    assert check(Budget(2, {}), snapshot(stats), file_of).over == ()


@pytest.mark.parametrize(("default", "limit", "passes"), [
    (1, None, True), (None, 3, False), (0, 4, True), (None, 0, False), (4, 3, False),
])  # fmt: skip
def test_own_limit_goes_before_the_default(default: int | None, limit: int | None, passes: bool) -> None:
    data = snapshot(function("train_step", batches(1, 2, 3, 4)))

    assert (check(Budget(default, {STEP: limit}), data, file_of).over == ()) == passes


def test_function_that_was_used_and_compiled_nothing_is_not_unseen() -> None:
    found = check(Budget(1, {FunctionName("step", "train.py"): 0}), snapshot(function_stats()), file_of)

    assert (found.over, found.within, found.unseen) == ((), 0, ())


def test_update_writes_a_new_budget_that_explains_itself() -> None:
    update = updated(NEW_BUDGET, before())

    assert update.text.startswith("# How many programs each jitted function may compile")
    assert update.text.endswith(
        f'[functions."{FILE}"]\nevaluate = {{ max_compiles = 2 }}\nloss = {{ max_compiles = 1 }}\n'
        "old_step = { max_compiles = 1 }\ntrain_step = { max_compiles = 1 }\n"
    )
    assert len(update.added) == 4


HAND_WRITTEN = """\
# ours
[default]
max_compiles = 0   # strict

[functions."src/train.py"]
train_step = { max_compiles = 2 }  # two sizes
old_step = { max_compiles = 7 }
evaluate.max_compiles = 3

# exporting compiles as it likes
[functions."src/export.py"]
export = { max_compiles = "allow" }
"""
UPDATED = """\
# ours
[default]
max_compiles = 0   # strict

[functions."src/train.py"]
train_step = { max_compiles = 4 }  # two sizes
old_step = { max_compiles = 7 }
evaluate.max_compiles = 1
loss = { max_compiles = 1 }
rescale = { max_compiles = 2 }

# exporting compiles as it likes
[functions."src/export.py"]
export = { max_compiles = "allow" }

[functions."lib.py"]
"A.<locals>.f" = { max_compiles = 1 }
"""


def hand_written_case() -> Snapshot:
    exported = function("export", batches(1, 2, 3), id=8, defined_at="src/export.py:3")
    new = function("A.<locals>.f", batches(1), id=9, defined_at="lib.py:3")
    return snapshot(*after().functions, exported, new)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_update_keeps_comments_order_and_layout(end: str) -> None:
    update = updated(HAND_WRITTEN.replace("\n", end), hand_written_case())

    assert update.text == UPDATED.replace("\n", end)
    assert (update.raised, update.lowered) == ((STEP,), (FunctionName("evaluate", FILE),))
    assert {name.name for name in update.added} == {"loss", "rescale", "A.<locals>.f"}
    assert (update.removed, update.unseen) == ((), (FunctionName("old_step", FILE),))


def test_prune_removes_what_was_not_recorded() -> None:
    update = updated(HAND_WRITTEN, snapshot(function("train_step", batches(1, 2))), prune=True)

    assert read_budget(update.text, "b.toml") == Budget(0, {STEP: 2})
    assert "src/export.py" not in update.text
    assert "# two sizes" in update.text
    assert len(update.removed) == 3


LAYOUTS = [
    "", "# only a comment", 'functions."src/train.py".train_step.max_compiles = 9\n',
    'functions."src/train.py".train_step = {max_compiles=1}\n[default]\nmax_compiles=3\n',
    '[functions]\n"src/train.py" = { train_step = { max_compiles = 2 } }\n',
    '[functions."src/train.py".train_step]\nmax_compiles = 2\n# x\n\n[functions."x.py".old]\nmax_compiles = 1',
    '[functions."x.py"]\n[default]\n[functions."src/train.py"]\ntrain_step = { max_compiles = 5 }',
    '[functions."src/train.py".a]\nmax_compiles=1\n[default]\n[functions."src/train.py".train_step]\nmax_compiles=1\n',
]  # fmt: skip


@pytest.mark.parametrize("text", LAYOUTS)
@pytest.mark.parametrize("prune", [False, True])
def test_every_layout_is_updated(text: str, prune: bool) -> None:
    update = updated(text, after(), prune=prune)

    limits = read_budget(update.text, "b.toml").limits
    needed = needed_limits(after(), file_of)
    assert {name: limit for name, limit in limits.items() if name in needed} == needed
    kept = set() if prune else set(read_budget(text, "b.toml").limits)
    assert set(limits) == set(needed) | kept
    assert read_budget(update.text, "b.toml").default == read_budget(text, "b.toml").default
    assert updated(update.text, after(), prune=prune).text == update.text


def test_functions_on_one_line_cannot_be_updated() -> None:
    with pytest.raises(JitwatchError, match=r"b\.toml has its functions on one line; write"):
        updated('functions = { "a.py" = { step = { max_compiles = 2 } } }', after())


@given(snapshots())
def test_budget_made_from_a_recording_lets_it_pass(data: Snapshot) -> None:
    text = updated(NEW_BUDGET, data).text

    found = check(read_budget(text, "b.toml"), data, file_of)

    assert (found.over, found.unseen) == ((), ())


@given(snapshots(), snapshots())
def test_update_is_idempotent_and_the_lowest_that_passes(one: Snapshot, other: Snapshot) -> None:
    text = updated(updated(NEW_BUDGET, one).text, other).text

    again = updated(text, other)

    assert again.text == text
    assert (again.added, again.raised, again.lowered, again.removed) == ((), (), (), ())
    limits = read_budget(text, "b.toml").limits
    lower = {name: max((limits[name] or 0) - 1, 0) for name in needed_limits(other, file_of) if name in limits}
    exceeding = {one.function for one in check(Budget(0, lower), other, file_of).over}
    assert exceeding == {name for name, limit in needed_limits(other, file_of).items() if limit}
