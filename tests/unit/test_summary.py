"""The view model: sums, order, groups and cuts."""

from __future__ import annotations

import msgspec
import pytest
from builders import (
    UNIX_S,
    call_sites,
    captured,
    failed_miss,
    function_stats,
    key,
    key_stats,
    leaf,
    other,
    snapshot,
    stages,
)

from jitwatch._model import CallSite, Stages
from jitwatch._record.sums import lost_s
from jitwatch._report.summary import Cut, Moment, Summary, add_stages, cut_list, function_row, summarize

SAME = key({"x": leaf((3,))})


def test_headline_of_an_empty_snapshot_is_all_nothing() -> None:
    headline = summarize(snapshot()).headline

    assert (headline.lost_s, headline.functions, headline.recompiles, headline.worst) == (0, 0, 0, None)


def test_headline_adds_functions_and_names_the_worst() -> None:
    cheap = function_stats("cheap", id=1, keys=[key_stats(stages=stages(1, 0.5))])
    dear = function_stats("dear", id=2, keys=[key_stats(0, stages=stages(3, 2.0, trace_s=0, lower_s=0))])

    headline = summarize(snapshot(cheap, dear, others=(other(), other(compile_s=1.0)))).headline

    assert headline.lost_s == pytest.approx(lost_s(cheap.stages) + 2.0)
    assert headline.others_s == pytest.approx(lost_s(stages()) + lost_s(stages(1, 1.0)))
    assert (headline.functions, headline.compiles, headline.recompiles) == (2, 4, 2)
    assert headline.worst is not None and headline.worst.name == "dear"


def test_worst_is_none_where_no_time_was_spent() -> None:
    assert summarize(snapshot(function_stats())).headline.worst is None


def test_functions_come_by_seconds_then_name() -> None:
    functions = [
        function_stats("b", id=1, keys=[key_stats()]),
        function_stats("a", id=2, keys=[key_stats()]),
        function_stats("z", id=3, keys=[key_stats(stages=stages(1, 5.0))]),
    ]

    assert [row.name for row in summarize(snapshot(*functions)).functions.shown] == ["z", "a", "b"]


def test_lists_are_cut_and_the_rest_counted() -> None:
    functions = [function_stats(f"f{i}", id=i, keys=[key_stats(j) for j in range(5)]) for i in range(4)]

    summary = summarize(
        snapshot(*functions, others=(other("a", "a.py:1"), other("b", "a.py:2"))),
        max_functions=3,
        max_keys=2,
        max_others=1,
    )

    assert (len(summary.functions.shown), summary.functions.more) == (3, 1)
    assert (len(summary.functions.shown[0].keys.shown), summary.functions.shown[0].keys.more) == (2, 3)
    assert (len(summary.others.shown), summary.others.more) == (1, 1)
    assert summary.headline.functions == 4


@pytest.mark.parametrize(("limit", "shown", "more"), [(None, 3, 0), (5, 3, 0), (2, 2, 1), (0, 0, 3), (-1, 0, 3)])
def test_cut_list_keeps_the_head(limit: int | None, shown: int, more: int) -> None:
    assert cut_list([1, 2, 3], limit) == Cut((1, 2, 3)[:shown], more)


def test_others_come_by_line_with_the_most_costly_first() -> None:
    others = (other("b", "a.py:1"), other("a", "a.py:2"), other("c", "a.py:2", compile_s=9.0), other("d"))

    rows = summarize(snapshot(others=others)).others.shown

    assert [row.place for row in rows] == ["a.py:2", "", "a.py:1"]
    assert [name for name, _ in rows[0].programs] == ["c", "a"]


def test_keys_come_by_seconds_then_number() -> None:
    keys = [key_stats(0), key_stats(1), key_stats(2, stages=stages(1, 9.0))]

    row = function_row([function_stats(keys=keys)])

    assert [shown.number for shown in row.keys.shown] == [2, 0, 1]


def test_one_function_keeps_the_numbers_of_its_keys_and_executables() -> None:
    row = function_row([function_stats(keys=[key_stats(7, executable=3)])])

    assert [(shown.number, shown.executable, shown.objects) for shown in row.keys.shown] == [(7, 3, 1)]


def test_objects_of_one_line_are_one_row() -> None:
    objects = [function_stats("step", id=i, keys=[key_stats(1, SAME)]) for i in range(5)]

    (row,) = summarize(snapshot(*objects)).functions.shown

    assert (row.objects, row.ids, row.calls, row.hits, row.misses) == (5, (0, 1, 2, 3, 4), 50, 45, 5)
    assert (row.stages.compiles, row.recompiles) == (5, 4)
    assert row.lost_s == pytest.approx(5 * lost_s(stages()))
    (shown,) = row.keys.shown
    assert (shown.objects, shown.hits, shown.stages.compiles, shown.executable) == (5, 45, 5, None)
    assert row.call_sites == (CallSite("train.py:88", 5, 0.0),)


def test_keys_of_several_objects_are_counted_anew() -> None:
    first = function_stats(id=1, keys=[key_stats(1, SAME), key_stats(2)])
    second = function_stats(id=2, keys=[key_stats(1), key_stats(2, SAME, stages=stages(1, 5.0))])

    row = function_row([first, second])

    assert [(shown.number, shown.objects) for shown in row.keys.shown] == [(1, 2), (2, 1), (3, 1)]


def test_objects_share_no_executables_with_each_other() -> None:
    shapes = [key({"x": leaf((n,))}) for n in (1, 2, 3)]
    first = function_stats(id=1, keys=[key_stats(1, shapes[0], executable=1), key_stats(2, shapes[1], executable=1)])
    second = function_stats(id=2, keys=[key_stats(1, shapes[2], executable=1)])

    row = function_row([first, second])

    assert row.shared == ((1, 2),)
    assert [shown.executable for shown in row.keys.shown] == [None, None, None]


def test_functions_of_one_line_have_rows_with_their_column() -> None:
    functions = [function_stats("<lambda>", id=i, code=f"{9 * i}:abc", nested=1) for i in (1, 2)]

    rows = summarize(snapshot(*functions)).functions.shown

    assert [row.defined_at for row in rows] == ["train.py:41:18", "train.py:41:9"]


def test_programs_beyond_the_first_of_their_kind_are_recompiles() -> None:
    kinds = [
        key({"x": leaf((n,))}, transform=kind) for kind in ((), ("grad",), ("vmap[2]",), ("vmap[3]",)) for n in (1, 2)
    ]
    made = [key_stats(n, each) for n, each in enumerate(kinds, 1)]
    function = function_stats(
        keys=made, backward=stages(2), aot=stages(1), stages=stages(11), captured=captured(lr=0.1)
    )

    assert function_row([function]).recompiles == 1 + 1 + 3 + 1
    assert function_row([function, msgspec.structs.replace(function, id=2, bound="lr=0.2")]).recompiles == 2 * 6
    assert function_row([function, msgspec.structs.replace(function, id=2)]).recompiles == 2 * 6 + 5


@pytest.mark.parametrize("changes", [{"name": "b"}, {"defined_at": "b.py:1"}, {"code": "0:abc"}])
def test_other_names_and_lines_are_rows_of_their_own(changes: dict[str, str]) -> None:
    functions = function_stats("a", nested=1), msgspec.structs.replace(function_stats("a", id=2, nested=1), **changes)

    assert len(summarize(snapshot(*functions)).functions.shown) == 2


def test_objects_of_no_known_line_stand_alone() -> None:
    functions = [function_stats("f", id=i, defined_at="", nested=1) for i in (1, 2)]

    assert [row.objects for row in summarize(snapshot(*functions)).functions.shown] == [1, 1]


def test_slow_keys_are_named_though_cut_away() -> None:
    keys = [key_stats(2, slow_path=True, stages=Stages()), key_stats(0), key_stats(1, slow_path=True)]

    assert function_row([function_stats(keys=keys)], max_keys=1).slow_keys == (1, 2)


def test_keys_of_one_executable_are_named() -> None:
    keys = [key_stats(i, executable=executable) for i, executable in enumerate([7, None, 8, 8, 7, 9, None])]

    assert function_row([function_stats(keys=keys)], max_keys=1).shared == ((0, 4), (2, 3))


def test_call_sites_come_by_misses_then_place() -> None:
    row = function_row([function_stats(call_sites=call_sites(b_1=2, a_1=2, c_1=9))])

    assert [site.place for site in row.call_sites] == ["c.py:1", "a.py:1", "b.py:1"]


def test_last_failure_is_the_latest_of_all_objects() -> None:
    failures = [failed_miss(unix_s=UNIX_S + seconds, number=seconds) for seconds in (2, 3, 1)]

    row = function_row([function_stats(id=miss.number, last_failure=miss) for miss in failures])

    assert row.last_failure == failures[1]
    assert function_row([function_stats()]).last_failure is None


def test_moments_are_those_of_misses_that_ran_a_stage_and_have_a_context_newest_first() -> None:
    context = (("step", "3"),)
    misses = (
        failed_miss(number=1, key=7, context=context),
        failed_miss(number=2, key=7, context=context, stages=Stages()),
        failed_miss(number=3, key=7),
        failed_miss(number=4, key=9, context=context),
        failed_miss(number=5, key=None, kind="aot", context=context),
        failed_miss(number=6, key=7, context=context, function=2),
    )

    (row,) = summarize(snapshot(function_stats(keys=[key_stats(7)]), misses=misses)).functions.shown

    assert row.moments == (Moment(context, "aot", None), Moment(context, "call", None), Moment(context, "call", 7))


def test_moments_of_several_objects_have_the_numbers_of_the_row() -> None:
    first = function_stats(id=1, keys=[key_stats(1, SAME), key_stats(2)])
    second = function_stats(id=2, keys=[key_stats(1), key_stats(2, SAME)])
    misses = [
        failed_miss(number=number, function=function, key=key, context=(("step", str(number)),))
        for number, (function, key) in enumerate([(1, 1), (2, 1), (2, 2)], 1)
    ]

    row = function_row([first, second], misses=misses)

    assert [(moment.context[0][1], moment.key) for moment in row.moments] == [("3", 1), ("2", 3), ("1", 1)]


def test_what_was_dropped_is_handed_on() -> None:
    summary = summarize(snapshot(dropped_misses=1, dropped_functions=2, faults=3))

    assert (summary.dropped_misses, summary.dropped_functions, summary.faults) == (1, 2, 3)


def test_stages_add_up_field_by_field() -> None:
    total = add_stages([stages(1, 2.0), stages(2, 4.0, loads=3, load_s=0.5)])

    assert total == Stages(3, 3, 3, 3, 0.75, 0.375, 6.0, 0.5)
    assert add_stages([]) == Stages()


def test_summary_survives_json() -> None:
    miss = failed_miss(context=(("step", "3"),))
    summary = summarize(snapshot(function_stats(keys=[key_stats(1, SAME)], last_failure=miss), misses=(miss,)))

    assert msgspec.json.decode(msgspec.json.encode(summary), type=Summary) == summary


def test_functions_never_called_have_no_row() -> None:
    summary = summarize(snapshot(function_stats("idle", id=1), function_stats("used", id=2, nested=1)))

    assert [row.name for row in summary.functions.shown] == ["used"]
    assert summary.idle == 1
