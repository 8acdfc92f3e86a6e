"""Each cause that two keys can tell: its label, where it is, and the texts on both sides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from builders import key, leaf, model

from jitwatch._explain.explain import axes_text, change_text, changes
from jitwatch._explain.key_changes import CAUSES
from jitwatch._model import CacheKey, Change, Tree

X = leaf((32, 8))
MESH = "NamedSharding(mesh('data': 4 devices [0, 1, 2, 3]), PartitionSpec({}), memory=device)"


def told(before: CacheKey, after: CacheKey) -> list[tuple[str, str, str, str]]:
    return [(change.cause, change.where, change.before, change.after) for change in changes(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (X, leaf((4, 8)), ("shape", "f32[32,8]", "f32[4,8]")),
        (X, leaf((8,)), ("shape", "f32[32,8]", "f32[8]")),
        (X, leaf((32, 8), "int32"), ("dtype", "f32[32,8]", "i32[32,8]")),
        (leaf(weak_type=True), leaf(), ("weak_type", "f32[] weak", "f32[]")),
        (
            leaf((), "int32", weak_type=True, source="python", sharding=None),
            leaf((), "int32"),
            ("weak_type", "i32[] Python int", "i32[] jax.Array"),
        ),
        (leaf((), "int32", weak_type=True), leaf(), ("dtype", "i32[] weak", "f32[]")),
        (leaf((2,), "uint32"), leaf((), "key<fry>"), ("key_impl", "u32[2]", "key<fry>[]")),
        (leaf((7, 4), "uint32"), leaf((7,), "key<rbg>"), ("key_impl", "u32[7,4]", "key<rbg>[7]")),
        (leaf((), "key<fry>"), leaf((), "key<rbg>"), ("key_impl", "key<fry>[]", "key<rbg>[]")),
        (
            X,
            leaf((32, 8), committed=True),
            ("committed", "f32[32,8] uncommitted on cpu:0", "f32[32,8] committed on cpu:0"),
        ),
        (
            leaf((3,), source="numpy", sharding=None),
            leaf((3,), committed=True),
            ("committed", "f32[3] numpy uncommitted", "f32[3] committed on cpu:0"),
        ),
        (
            leaf((3,), committed=True),
            leaf((3,), committed=True, sharding="cpu:1"),
            ("sharding", "cpu:0", "cpu:1"),
        ),
        (
            leaf((3,), committed=True, sharding=MESH.format("")),
            leaf((3,), committed=True, sharding=MESH.format("'data',")),
            (
                "sharding",
                "NamedSharding(mesh('data': 4 devices [0, 1, 2, 3]), PartitionSpec(), memory=device)",
                "NamedSharding(mesh('data': 4 devices [0, 1, 2, 3]), PartitionSpec('data',), memory=device)",
            ),
        ),
        (
            leaf((3,), committed=True, sharding="cpu:0, memory=device"),
            leaf((3,), committed=True, sharding="cpu:0, memory=pinned_host"),
            ("sharding", "cpu:0, memory=device", "cpu:0, memory=pinned_host"),
        ),
        (leaf((8, 4), layout="{1,0}"), leaf((8, 4), layout="{0,1}"), ("layout", "{1,0}", "{0,1}")),
        (
            leaf((3,), source="numpy", sharding=None),
            leaf((3,), layout="{0}"),
            ("other", "f32[3] numpy", "f32[3] jax.Array (needs no new trace)"),
        ),
        (
            leaf((), "bool", weak_type=True, source="python", sharding=None),
            leaf((), "bool"),
            ("other", "bool[] Python bool", "bool[] jax.Array (needs no new trace)"),
        ),
        (leaf(), leaf(source="tracer", sharding=None), ("other", "f32[] jax.Array", "f32[] traced")),
        (leaf(), leaf(layout="{}", sharding=None), ("other", "f32[] jax.Array uncommitted on cpu:0",
                                                    "f32[] jax.Array uncommitted layout {}")),
    ],
)  # fmt: skip
def test_a_leaf_changes_in_one_way(before: Any, after: Any, expected: tuple[str, str, str]) -> None:
    cause, *texts = expected

    assert told(key({"batch": {"x": before}}), key({"batch": {"x": after}})) == [(cause, "batch['x']", *texts)]


def test_a_leaf_changes_in_several_ways() -> None:
    after = leaf((4, 8), "int32", committed=True, sharding="cpu:1", source="numpy", layout="{0,1}")

    assert [cause for cause, *_ in told(key({"x": X}), key({"x": after}))] == [
        "dtype",
        "shape",
        "sharding",
        "committed",
    ]


def test_a_numpy_batch_that_comes_sharded_later_is_a_sharding() -> None:
    before, after = leaf((3,), source="numpy", sharding=None), leaf((3,), committed=True, sharding=MESH.format(""))

    assert told(key({"x": before}), key({"x": after}))[0][:3] == ("sharding", "x", "on no device (numpy)")


def test_of_a_big_mesh_the_spec_is_told() -> None:
    text = MESH.replace("[0, 1, 2, 3]", str(list(range(256))))
    before, after = (
        leaf((3,), committed=True, sharding=text.format(spec)) for spec in ("'data', None", "None, 'data'")
    )

    [(_, _, *texts)] = told(key({"x": before}), key({"x": after}))

    assert texts[0].endswith("same devices), PartitionSpec('data', None), memory=device)")
    assert texts[1].endswith("same devices), PartitionSpec(None, 'data'), memory=device)")


def test_raw_keys_are_known_by_their_name_only() -> None:
    before, after = leaf((2,), "uint32"), leaf((4,), "uint32")

    assert told(key({"rng": before}), key({"rng": after})) == [("key_impl", "rng", "u32[2]", "u32[4]")]
    assert told(key({"x": before}), key({"x": after})) == [("shape", "x", "u32[2]", "u32[4]")]


def test_what_needs_no_new_trace_is_told_only_where_nothing_else_differs() -> None:
    before = key({"x": leaf((3,), source="numpy", sharding=None), "y": X})
    after = key({"x": leaf((3,)), "y": leaf((4, 8))})

    assert told(before, after) == [("shape", "y", "f32[32,8]", "f32[4,8]")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, X, [("b", "None", "f32[32,8]")]),
        ([X], (X,), [("b", "list of 1", "tuple of 1")]),
        ([X], [X, X], [("b", "list of 1", "list of 2")]),
        ({"x": X}, {"x": leaf((4, 8)), "mask": X}, [("b['mask']", "absent", "f32[32,8]")]),
        ({"x": X, "m": X}, {"x": X, "n": X}, [("b['m']", "f32[32,8]", "absent"), ("b['n']", "absent", "f32[32,8]")]),
        ({"x": {"a": [X]}}, {"x": {"a": (leaf(),)}}, [("b['x']['a']", "list of 1", "tuple of 1")]),
        ({"x": X}, [X], [("b", "dict of ['x']", "list of 1")]),
        ({"x": X}, X, [("b", "dict of ['x']", "f32[32,8]")]),
    ],
)
def test_tree_structure_is_the_smallest_subtree_that_differs(before: Any, after: Any, expected: list[Any]) -> None:
    found = [change[1:] for change in told(key({"b": before}), key({"b": after})) if change[0] == "tree_structure"]

    assert found == expected


def test_leaves_below_another_structure_are_not_told_again() -> None:
    before, after = {"a": [X, X], "c": X}, {"a": (leaf(), leaf()), "c": leaf()}

    assert [change[:2] for change in told(key({"b": before}), key({"b": after}))] == [
        ("tree_structure", "b['a']"),
        ("shape", "b['c']"),
    ]


def test_another_order_of_keys_is_another_structure() -> None:
    before, after = model(keys=(".a", ".b"), kinds=("*", "*")), model(keys=(".b", ".a"), kinds=("*", "*"))

    assert told(before, after) == [("tree_structure", "model", "Net of .a, .b", "Net of .b, .a")]


def test_another_class_of_the_same_name_is_told() -> None:
    before = model()
    tree = msgspec.structs.replace(before.arguments[0].tree, kind="Net#2")
    after = msgspec.structs.replace(before, arguments=(msgspec.structs.replace(before.arguments[0], tree=tree),))

    assert told(before, after) == [("tree_structure", "model", "Net of .w", "Net#2 of .w")]


def test_one_more_variadic_argument_is_tree_structure() -> None:
    assert told(key({"args[0]": X}), key({"args[0]": X, "args[1]": X})) == [
        ("tree_structure", "args[1]", "absent", "positional, f32[32,8]")
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"arguments": {"x": X}}, {"arguments": {"x": X}, "by_keyword": ["x"]}, ("x", "positional", "by keyword")),
        ({"statics": {"n": 2}}, {"statics": {"n": 2}, "by_keyword": ["n"]}, ("n", "positional", "by keyword")),
        ({"omitted": ["x"]}, {"arguments": {"x": X}}, ("x", "left to its default", "positional, f32[32,8]")),
        (
            {"statics": {"n": 2}, "by_keyword": ["n"]},
            {"omitted": ["n"]},
            ("n", "by keyword, static 2", "left to its default"),
        ),
        ({}, {"statics": {"n": 2}}, ("n", "absent", "positional, static 2")),
        ({}, {"omitted": ["n"]}, ("n", "absent", "left to its default")),
        ({"statics": {"n": 2}}, {"arguments": {"n": X}}, ("n", "positional, static 2", "positional, f32[32,8]")),
    ],
)
def test_arg_kind(before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert told(key(**before), key(**after)) == [("arg_kind", *expected)]


def test_config_context() -> None:
    before, after = key(context={"jax_enable_x64": "True"}), key(context={"mesh": "mesh('x': 2)"})

    assert told(before, after) == [
        ("config_context", "config mesh", "default", "mesh('x': 2)"),
        ("config_context", "config jax_enable_x64", "True", "default"),
    ]


def test_order_of_arguments() -> None:
    assert told(key({"x": X, "y": X}), key({"y": X, "x": X})) == [("other", "order of arguments", "x, y", "y, x")]


def test_every_label_that_keys_can_tell_has_a_test() -> None:
    """Cause labels that need more than two keys are for judge."""
    assert set(CAUSES) == {
        "transform", "config_context", "arg_kind", "tree_structure", "static_value", "static_identity", "key_impl",
        "dtype", "weak_type", "shape", "sharding", "committed", "layout", "other",
    }  # fmt: skip


def test_what_brings_others_with_it_stands_first_and_short_paths_before_long_ones() -> None:
    before = key({"params": {"a": {"deep": X}, "b": X}, "x": X})
    after = key(
        {"params": {"a": {"deep": leaf()}, "b": leaf()}, "x": leaf((), "int32")}, context={"jax_enable_x64": "True"}
    )

    assert [change[:2] for change in told(before, after)] == [
        ("config_context", "config jax_enable_x64"),
        ("dtype", "x"),
        ("shape", "x"),
        ("shape", "params['b']"),
        ("shape", "params['a']['deep']"),
    ]


def test_very_deep_pytrees_are_compared() -> None:
    def nested(inner: Tree) -> CacheKey:
        tree = inner
        for _ in range(300):
            tree = Tree("list", ("[0]",), None, (tree,))
        of = key({"x": X})
        argument = msgspec.structs.replace(of.arguments[0], tree=tree, paths=("x" + "[0]" * 300,))
        return msgspec.structs.replace(of, arguments=(argument,))

    [change] = changes(nested(Tree("*")), nested(Tree("tuple", ("[0]",), None, (Tree("*"),))))

    assert (change.cause, change.after) == ("tree_structure", "tuple of 1")


def test_axes() -> None:
    assert axes_text((32, 8), (4, 8)) == "axis 0: 32 → 4"
    assert axes_text((32, 8, 3), (4, 8, 5)) == "axis 0: 32 → 4, axis 2: 3 → 5"
    assert axes_text((32, 8), (8,)) == "rank 2 → 1"


def test_change_text_says_the_axis() -> None:
    shape = Change("shape", "batch['x']", "f32[32,8]", "f32[4,8]")

    assert change_text(shape) == "batch['x']: f32[32,8] → f32[4,8] (axis 0: 32 → 4)"
    assert change_text(Change("shape", "x", "f32[2]", "f32[]")) == "x: f32[2] → f32[] (rank 1 → 0)"
    assert change_text(Change("static_value", "static n", "[1]", "[2]")) == "static n: [1] → [2]"
