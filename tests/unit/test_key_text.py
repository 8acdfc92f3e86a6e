"""Text forms of keys and of their differences."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from builders import key, leaf, static
from hypothesis import given
from hypothesis import strategies as st
from key_strategies import keys

from jitwatch._model import CacheKey, Tree
from jitwatch._words.key_text import differing_lines, distinct_lines, dtype_text, key_line, key_lines, leaf_text

WIDE = 200
PARAMS = {f"layer{i}": {"b": leaf((10,)), "w": leaf((784, 10))} for i in range(6)}


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", "f32"),
        ("bfloat16", "bf16"),
        ("float8_e4m3fn", "f8_e4m3fn"),
        ("int32", "i32"),
        ("uint8", "u8"),
        ("complex64", "c64"),
        ("bool", "bool"),
        ("float0", "f0"),
        ("key<fry>", "key<fry>"),
        ("int\x1b", "int\\x1b"),
    ],
)
def test_dtypes_are_abbreviated_as_in_jax(dtype: str, expected: str) -> None:
    assert dtype_text(dtype) == expected


def test_leaf_says_aval_and_more_on_request() -> None:
    placed = leaf((2,), committed=True, sharding="cpu:1", layout="(0,)", weak_type=True, source="numpy")

    assert leaf_text(leaf((64, 784))) == "f32[64,784]"
    assert leaf_text(leaf((), "int32", weak_type=True)) == "i32[] weak"
    assert leaf_text(placed, source=True) == "f32[2] weak numpy"
    assert leaf_text(placed, placement=True) == "f32[2] weak committed on cpu:1 layout (0,)"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (key(), "no arguments"),
        (key({"x": leaf((3,)), "y": leaf((), "int32")}, statics={"n": 2}), "x f32[3], y i32[], n=2"),
        (key({"x": leaf((3,))}, by_keyword=["x"]), "x=f32[3]"),
        (key({"x": {"w": leaf((3,))}}), "x {['w'] f32[3]}"),
        (key({"x": None, "y": [], "z": (leaf(),)}), "x None, y {0 leaves}, z {[0] f32[]}"),
        (key({"x": leaf()}, transform=["vmap[8]"]), "vmap[8]: x f32[]"),
        (key({"x": leaf()}, transform=["vmap[8]", "grad"]), "grad of vmap[8]: x f32[]"),
        (key({"x": leaf()}, transform=["NewTracer"]), "NewTracer: x f32[]"),
        (key({"x": leaf()}, context={"jax_enable_x64": "True"}), "x f32[] with jax_enable_x64=True"),
        (key(context={f"c{i}": "1" for i in range(6)}), "no arguments with c0=1, c1=1, c2=1, c3=1, … 2 more"),
    ],
)
def test_key_line_says_arguments_statics_and_context(of: CacheKey, expected: str) -> None:
    assert key_line(of, WIDE) == expected


def test_key_line_gives_up_detail_until_it_fits() -> None:
    of = key({"params": PARAMS, "x": leaf((64, 784)), "y": leaf((64,))}, statics={"n": 2})
    tail = "x f32[64,784], y f32[64], n=2"

    assert key_line(of, 90) == f"params {{12 leaves: ['layer0']['b'] f32[10], …}}, {tail}"
    assert key_line(of, 60) == f"params {{12 leaves}}, {tail}"
    assert key_line(of, 40) == "params {12 leaves}, … 2 more, n=2"
    assert key_line(of, 15) == "… 3 more, n=2"
    assert key_line(of, 9) == "params {…"
    assert key_line(of, 0) == ""


def test_key_line_shortens_long_statics_before_it_leaves_out_arguments() -> None:
    of = key({"x": leaf((3,))}, statics={"f": "y" * 500})

    assert key_line(of, 80) == f"x f32[3], f='{'y' * 58}…"
    assert key_line(of, 40) == f"x f32[3], f='{'y' * 22}…"


def test_key_lines_have_one_line_for_each_fact() -> None:
    node = Tree("Dense", ("['w']",), static("relu"), (Tree("*"),))
    of = key(
        {"m": {"w": leaf((3,))}, "x": leaf((2,), source="numpy"), "mask": None},
        statics={"fn": static("f", type="function", text="<f>", by_identity=True), "n": 2},
        by_keyword=["n"],
        omitted=["scale"],
        context={"jax_enable_x64": "True"},
        transform=["vmap"],
    )
    of = msgspec.structs.replace(of, arguments=(msgspec.structs.replace(of.arguments[0], tree=node), *of.arguments[1:]))

    assert key_lines(of) == [
        "under vmap",
        "m['w']: f32[3]",
        "x: f32[2] numpy",
        "m: Dense of ['w'] with 'relu'",
        "mask: None",
        "fn: static <f> (function, compared by identity)",
        "n: static 2 (int)",
        "n: passed by keyword",
        "scale: left to its default",
        "with jax_enable_x64=True",
    ]
    assert key_lines(key()) == ["no arguments"]


X = leaf((3,))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"x": X}, {"x": leaf((4,))}, ("x", "f32[3]", "f32[4]")),
        ({"x": X}, {"x": leaf((3,), weak_type=True)}, ("x", "f32[3]", "f32[3] weak")),
        ({"x": X}, {"x": leaf((3,), source="numpy", sharding=None)}, ("x", "f32[3] jax.Array", "f32[3] numpy")),
        (
            {"x": X},
            {"x": leaf((3,), committed=True)},
            ("x", "f32[3] uncommitted on cpu:0", "f32[3] committed on cpu:0"),
        ),
        (
            {"x": X},
            {"x": leaf((3,), sharding="cpu:1")},
            ("x", "f32[3] uncommitted on cpu:0", "f32[3] uncommitted on cpu:1"),
        ),
        ({"x": X}, {}, ("x", "f32[3]", "—")),
        ({}, {"x": None}, ("x", "—", "None")),
        ({"x": [X]}, {"x": (X,)}, ("x", "list of 1", "tuple of 1")),
        ({"x": {"a": [X]}}, {"x": {"a": (X,)}}, ("x['a']", "list of 1", "tuple of 1")),
    ],
)
def test_differing_arguments(left: dict[str, Any], right: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert differing_lines(key(left), key(right)) == [expected]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"statics": {"n": 2}}, {"statics": {"n": 3}}, ("n", "2", "3")),
        ({"statics": {"n": 2}}, {}, ("n", "2", "—")),
        ({"statics": {"n": 1}}, {"statics": {"n": static(1.0, text="1")}}, ("n", "1 (int)", "1 (float)")),
        (
            {"statics": {"f": static("f", text="<f>", token=1)}},
            {"statics": {"f": static("f", text="<f>", token=2)}},
            ("f", "<f> (object 1)", "<f> (object 2)"),
        ),
        ({"omitted": ["n"]}, {}, ("n", "left to its default", "given")),
        ({}, {"context": {"jax_enable_x64": "True"}}, ("config jax_enable_x64", "default", "True")),
        ({}, {"transform": ["vmap"]}, ("transform", "—", "vmap")),
    ],
)
def test_differing_rest(left: dict[str, Any], right: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert differing_lines(key(**left), key(**right)) == [expected]


def test_differing_form_of_call() -> None:
    of = {"x": leaf()}

    assert differing_lines(key(of), key(of, by_keyword=["x"])) == [("x", "positional", "by keyword")]


def test_differing_order_is_told_as_such() -> None:
    left, right = key({"x": X, "y": X}), key({"y": X, "x": X})

    assert differing_lines(left, right) == [("order of arguments", "x, y", "y, x")]


def test_static_parts_of_a_tree_that_read_the_same_are_told_apart() -> None:
    of = key({"m": X})
    left, right = (
        msgspec.structs.replace(
            of,
            arguments=(msgspec.structs.replace(of.arguments[0], tree=Tree("M", static=static("f", token=token))),),
        )
        for token in (1, 2)
    )

    assert differing_lines(left, right) == [("m", "'f' (object 1)", "'f' (object 2)")]


def test_chunks_are_no_difference() -> None:
    of = key({"x": {"a": X, "b": X}})

    assert differing_lines(of, msgspec.structs.replace(of, leaf_chunks=((X,), (X,)))) == []


def test_lines_of_keys_that_would_read_alike_say_what_differs() -> None:
    params = {**PARAMS, "layer5": {"b": leaf((10,)), "w": leaf((784, 11))}}
    numbered = [
        (0, key({"params": PARAMS})),
        (4, key({"params": params})),
        (7, key({"params": PARAMS}, omitted=["a", "b", "c", "d"])),
    ]

    assert distinct_lines(numbered, WIDE)[1:] == [
        "as key 0, but params['layer5']['w']: f32[784,11]",
        "as key 0, but a: left to its default, b: left to its default, c: left to its default, … 1 more",
    ]


def test_lines_that_would_not_be_whole_say_what_differs() -> None:
    numbered = [(i, key({f"argument{j}": leaf((i, j)) for j in range(9)}, statics={"n": i})) for i in range(2)]

    first, second = distinct_lines(numbered, 60)

    assert first == "argument0 f32[0,0], argument1 f32[0,1], … 7 more, n=0"
    assert second == "as key 0, but argument0: f32[1,0], argument1: f32[1,1], arg…"


def test_lines_that_would_not_be_whole_may_be_longer() -> None:
    numbered = [(i, key({f"argument{j}": leaf((i,)) for j in range(3)})) for i in range(2)]

    assert distinct_lines(numbered, 20, wrapped_width=60) == [
        "argument0 f32[0], argument1 f32[0], argument2 f32[0]",
        "argument0 f32[1], argument1 f32[1], argument2 f32[1]",
    ]


def test_an_equal_key_keeps_its_line() -> None:
    assert distinct_lines([(0, key()), (1, key())], WIDE) == ["no arguments", "no arguments"]


def test_many_arguments_cost_no_time() -> None:
    of = key({f"a{i}": X for i in range(5000)})

    assert key_line(of, 40) == "a0 f32[3], a1 f32[3], … 4,998 more"


@given(keys())
def test_a_key_does_not_differ_from_itself(of: CacheKey) -> None:
    assert differing_lines(of, of) == []


@given(keys(), keys())
def test_different_keys_differ_in_a_line_both_ways(left: CacheKey, right: CacheKey) -> None:
    lines, back = differing_lines(left, right), differing_lines(right, left)

    assert (lines == []) == (left == right)
    assert len(lines) == len(back)
    assert all(text.isprintable() for line in lines for text in line)


@given(st.lists(keys(), max_size=4), st.integers(0, 120))
def test_lines_are_printable_and_fit(several: list[CacheKey], width: int) -> None:
    lines = [*distinct_lines(list(enumerate(several)), width), *(key_line(of, width) for of in several)]

    assert all(line.isprintable() and len(line) <= width for line in lines)
    assert all(line.isprintable() for of in several for line in key_lines(of))
