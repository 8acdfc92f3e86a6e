"""What is a finding and, as much, what is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from builders import build, call_sites, function_stats, key, key_stats, leaf, snapshot, stages, static

from jitwatch._judge.eager import places
from jitwatch._judge.judge import judge, judge_function
from jitwatch._model import CacheKey, Change, Finding, FunctionStats, KeyStats
from jitwatch._words.quantity_text import seconds_text

LOOP = call_sites(train_88=1)


def sizes(hits: Mapping[int, int], outlived: int = 0, **changes: Any) -> FunctionStats:
    """A function called with vectors of these lengths, each so often again."""
    keys = [
        key_stats(number, key({"x": leaf((size,))}), hits=again, call_sites=LOOP)
        for number, (size, again) in enumerate(hits.items(), 1)
    ]
    keys[0] = msgspec.structs.replace(keys[0], outlived=outlived)
    return function_stats(keys=keys, **changes)


def two(first: CacheKey, second: CacheKey, hits: Sequence[int] = (0, 5), places: Sequence[str] = "ab") -> FunctionStats:
    """A function with two keys, from two lines unless they are told the same."""
    pairs = zip((first, second), hits, places, strict=True)
    return function_stats(
        keys=[
            key_stats(number, of, hits=again, call_sites=call_sites(**{f"{place}_1": 1}))
            for number, (of, again, place) in enumerate(pairs, 1)
        ]
    )


def causes(function: FunctionStats) -> list[str]:
    return [finding.cause for finding in judge_function(function)]


def all_findings(*functions: FunctionStats, **changes: Any) -> list[Finding]:
    return [finding for each in judge(snapshot(*functions, **changes)).values() for finding in each]


def test_first_compile_is_no_finding() -> None:
    assert judge_function(function_stats(keys=[key_stats(hits=0)])) == []


@pytest.mark.parametrize("hits", [
    {8: 3, 16: 2, 32: 3},  # buckets, warmed up and used
    {4: 9, 8: 9, 16: 9},  # three model sizes
    {32: 90, 64: 30},  # a larger eval batch
    {10: 0, 100: 0},  # two sizes, once each
])  # fmt: skip
def test_sizes_that_are_worth_their_program_are_quiet(hits: dict[int, int]) -> None:
    assert causes(sizes(hits)) == []


@pytest.mark.parametrize("hits", [
    {5: 1, 7: 1, 3: 0, 9: 0},  # every sentence its own length
    {2: 0, 3: 0, 4: 0},  # data that grows
    {32: 5, 4: 1},  # the last batch
    {1: 0, 32: 9},  # a warm-up of another size, in the same loop
])  # fmt: skip
def test_sizes_that_churn_are_found(hits: dict[int, int]) -> None:
    (finding,) = judge_function(sizes(hits, outlived=1))

    assert (finding.code, finding.cause, finding.where) == ("JW101", "shape", ("x",))
    assert finding.compiles == len(hits) - 1
    assert finding.call_site == "train.py:88"


def test_without_hits_only_clear_churn_is_found() -> None:
    assert causes(sizes({32: 0, 4: 0}, hits_counted=False)) == []
    assert causes(sizes({1: 0, 2: 0, 3: 0, 4: 0}, hits_counted=False)) == ["shape"]


@pytest.mark.parametrize(("cause", "first", "second"), [
    ("dtype", {"x": leaf((3,))}, {"x": leaf((3,), "int32")}),
    ("weak_type", {"x": leaf(weak_type=True)}, {"x": leaf()}),
    ("committed", {"x": leaf()}, {"x": leaf(committed=True)}),
    ("sharding", {"x": leaf((4,), sharding="P()")}, {"x": leaf((4,), sharding="P('data')")}),
    ("layout", {"x": leaf((4, 2), layout="{1,0}")}, {"x": leaf((4, 2), layout="{0,1}")}),
    ("tree_structure", {"x": [leaf(), leaf()]}, {"x": (leaf(), leaf())}),
    ("key_impl", {"x": leaf((2,), "uint32")}, {"x": leaf((), "key<fry>")}),
])  # fmt: skip
def test_argument_that_settles_after_the_first_call_is_found(
    cause: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    (finding,) = judge_function(two(key(first), key(second)))

    assert finding.cause == cause
    assert finding.where == ("x",)


def test_program_used_through_another_key_is_used() -> None:
    keys = [
        key_stats(1, key({"x": leaf((3,), source="numpy", sharding=None)}), hits=0),
        key_stats(2, key({"x": leaf((3,))}), hits=50, stages=stages(0), dispatch_only=1, executable=1),
        key_stats(3, key({"x": leaf((3,), "bfloat16")}), hits=9),
    ]

    assert causes(function_stats(keys=keys)) == []


def test_optional_key_in_one_loop_is_found_and_two_uses_from_two_lines_are_not() -> None:
    bare, masked = key({"batch": {"x": leaf()}}), key({"batch": {"x": leaf(), "mask": leaf()}})

    assert causes(two(bare, masked, hits=(1, 1), places="aa")) == ["tree_structure"]
    assert causes(two(bare, masked, hits=(3, 3), places="ab")) == []


@pytest.mark.parametrize(("cause", "dummy", "real"), [
    ("dtype", {"x": leaf((3,))}, {"x": leaf((3,), "float64")}),
    ("tree_structure", {"batch": {"x": leaf(), "mask": leaf()}}, {"batch": {"x": leaf()}}),
    ("sharding", {"x": leaf((4,), sharding="P()")}, {"x": leaf((4,), sharding="P('data')")}),
])  # fmt: skip
def test_dummy_called_once_before_the_loop_is_found_however_often_both_come_back(
    cause: str, dummy: dict[str, Any], real: dict[str, Any]
) -> None:
    function = two(key(dummy), key(real), hits=(4, 14))
    first, second = function.keys
    rehearsed, evaluated = (
        msgspec.structs.replace(first, outlived=1, hits=hits, single_start=True) for hits in (4, 9)
    )  # a dummy before each loop of three calls, and an evaluation as long as the training

    assert causes(msgspec.structs.replace(function, keys=(rehearsed, second))) == [cause]
    assert causes(msgspec.structs.replace(function, keys=(evaluated, second))) == []
    assert causes(msgspec.structs.replace(function, keys=(msgspec.structs.replace(first, outlived=1), second))) == []


def test_list_that_grows_by_one_is_found_and_models_of_a_few_depths_are_not() -> None:
    def lists(*lengths: int) -> FunctionStats:
        keys = [
            key_stats(n, key({"history": [leaf((3,))] * length}), hits=5, call_sites=LOOP)
            for n, length in enumerate(lengths, 1)
        ]
        return function_stats(keys=keys)

    (finding,) = judge_function(lists(1, 2, 3, 4, 5, 6, 7))

    assert (finding.cause, finding.where, finding.compiles) == ("tree_structure", ("history",), 6)
    assert "one array of the final size" in finding.advice
    assert causes(lists(2, 3, 4, 5)) == []
    assert causes(lists(2, 4, 8, 16, 32, 64, 128)) == []


def test_images_of_two_free_axes_are_found_where_parameters_stay() -> None:
    def called(*shapes: tuple[int, int], weights: Sequence[tuple[int, ...]] = ()) -> FunctionStats:
        found = weights or [(3, 8)] * len(shapes)
        keys = [
            key_stats(n, key({"w": leaf(weight), "image": leaf(shape)}), hits=2, call_sites=LOOP)
            for n, (shape, weight) in enumerate(zip(shapes, found, strict=True), 1)
        ]
        return function_stats(keys=keys)

    sizes = [(41, 59), (38, 44), (50, 43), (57, 40), (20, 51), (33, 29)]
    (finding,) = judge_function(called(*sizes))

    assert (finding.cause, finding.where) == ("shape", ("image",))
    assert "axis 0 of image padded to" in finding.advice and "axis 1 of image to" in finding.advice
    assert causes(called(*sizes, weights=sizes)) == [], "layers"


def test_state_that_has_another_size_than_its_batches_is_another_model() -> None:
    def step(*widths: int, state: tuple[str, ...]) -> FunctionStats:
        keys = [
            key_stats(
                n, key({"params": leaf((width, 4)), "obs": leaf((64, width))}), hits=50, call_sites=LOOP, state=state
            )
            for n, width in enumerate(widths, 1)
        ]
        return function_stats(keys=keys)

    assert causes(step(3, 5, 11, 17, state=("params",))) == []
    assert causes(step(3, 5, 11, 17, state=())) == ["shape"]


def test_program_of_numpy_arrays_that_was_dropped_is_accounted_once() -> None:
    first = key_stats(1, key({"w": leaf((3,), source="numpy", sharding=None)}), hits=0)
    later = key_stats(2, key({"w": leaf((3,))}), hits=300, misses=10, stages=stages(9), executable=1)
    builds = (build(1, "p", key=1), build(2, "p", key=2, count=9, lost_s=9.0))
    (finding,) = judge_function(function_stats(keys=[first, later], builds=builds))

    assert (finding.cause, finding.compiles, finding.lost_s) == ("cache_cleared", 9, 9.0)


def test_flag_with_two_values_is_quiet_and_a_counter_is_not() -> None:
    def steps(*values: object, hits: int) -> FunctionStats:
        return function_stats(
            keys=[key_stats(i, key(statics={"n": value}), hits=hits) for i, value in enumerate(values, 1)]
        )

    assert causes(steps(True, False, hits=3)) == []
    assert causes(steps(0, 1, 2, 3, hits=0)) == ["static_value"]
    assert causes(steps((0, "a"), (1, "b"), (3, "c"), (7, "d"), hits=0)) == ["static_value"]
    assert causes(steps("relu", "gelu", "tanh", "silu", "elu", hits=0)) == []


def test_static_of_another_type_is_found() -> None:
    plain, numpy = static(4), static(4, type="int64", text="np.int64(4)", token=9)

    assert causes(two(key(statics={"n": plain}), key(statics={"n": numpy}), hits=(0, 2))) == ["static_value"]


def test_lambda_made_anew_is_found() -> None:
    made = [static("f", type="function", text="<lambda> at a.py:3", token=token, by_identity=True) for token in (1, 2)]

    assert causes(two(*(key(statics={"f": each}) for each in made), hits=(0, 0))) == ["static_identity"]


def test_default_passed_and_omitted_is_found() -> None:
    left, given = key({"x": leaf()}, omitted=("scale",)), key({"x": leaf(), "scale": leaf(weak_type=True)})

    assert causes(two(left, given, hits=(1, 1))) == ["arg_kind"]


def test_optional_array_of_two_lines_is_quiet() -> None:
    left, given = key({"x": leaf()}, omitted=("mask",)), key({"x": leaf(), "mask": leaf((3,))})

    assert causes(two(left, given, hits=(3, 3))) == []
    assert causes(two(left, given, hits=(3, 3), places="aa")) == ["arg_kind"]


def test_setting_is_found_by_name() -> None:
    (finding,) = judge_function(two(key({"x": leaf()}), key({"x": leaf()}, context={"jax_enable_x64": "True"})))

    assert finding.where == ("config jax_enable_x64",)


def test_transforms_of_one_function_are_quiet() -> None:
    function = two(key({"x": leaf()}), key({"x": leaf()}, transform=("vmap[8]",)), hits=(0, 0))

    assert judge_function(function) == []


def made_at_one_line(count: int, *, hits: int, bound: Sequence[str] = ()) -> list[FunctionStats]:
    one: list[KeyStats] = [key_stats(1, key({"x": leaf((3,))}), hits=hits)]
    return [
        function_stats("<lambda>", id=i, keys=one, defined_at="loop.py:7", bound=bound[i] if bound else "")
        for i in range(count)
    ]


def test_function_made_anew_is_found_once() -> None:
    (finding,) = all_findings(*made_at_one_line(4, hits=0))

    assert (finding.cause, finding.compiles) == ("function_identity", 3)


def test_functions_that_bring_along_different_values_are_quiet() -> None:
    assert all_findings(*made_at_one_line(3, hits=0, bound=("k=1", "k=2", "k=3"))) == []


def test_use_of_functions_made_anew_does_not_make_them_needed() -> None:
    assert [finding.cause for finding in all_findings(*made_at_one_line(3, hits=400))] == ["function_identity"]


def test_functions_of_one_name_in_two_places_are_quiet() -> None:
    first, second = made_at_one_line(2, hits=0)

    assert all_findings(first, msgspec.structs.replace(second, defined_at="other.py:9")) == []


def test_other_options_are_found_by_name() -> None:
    first, second = made_at_one_line(2, hits=0)
    (finding,) = all_findings(first, msgspec.structs.replace(second, options=(("donate_argnums", "0"),)))

    assert (finding.cause, finding.where) == ("other", ("jit option donate_argnums",))


def test_key_compiled_again_is_found() -> None:
    assert causes(function_stats(keys=[key_stats(stages=stages(3))])) == ["cache_cleared"]


def test_old_value_is_found() -> None:
    changed = Change("stale_capture", "scale at a.py:3", "1.0", "2.0")
    (finding,) = judge_function(function_stats(keys=[key_stats()], stale=(changed,)))

    assert (finding.code, finding.compiles) == ("JW701", 0)
    assert "scale at a.py:3: 1.0 -> 2.0" in finding.message


def test_advice_on_sizes_has_numbers() -> None:
    (finding,) = judge_function(sizes({5: 1, 7: 1, 3: 0, 9: 0}))

    each_s = finding.lost_s / finding.compiles
    saved = [seconds_text(count * each_s) for count in (3, 2)]  # of what the finding says, so that the sums agree
    assert f"axis 0 of x padded to 9 (3 compiles and {saved[0]} less" in finding.advice
    assert f"to 5 or 9 (2 compiles and {saved[1]} less" in finding.advice


def test_function_that_is_not_watched_is_judged_as_one_and_not_as_an_eager_operation() -> None:
    shapes = [key_stats(n, key({"x": leaf((n,))}), hits=0, call_sites=LOOP) for n in range(1, 6)]
    eager = function_stats("add", defined_at="", keys=shapes, hits_counted=False, id=7)
    function = function_stats("step", defined_at="train.py:41", keys=shapes, hits_counted=False, id=8)

    made = snapshot(others=(eager, function))

    assert [(place.finding.cause, place.most_costly) for place in places(made)] == [("eager_shape", 7)]
    assert [finding.cause for finding in judge(made)[8]] == ["shape"]
