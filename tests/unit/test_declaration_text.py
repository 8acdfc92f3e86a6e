"""A recording's calls as Python source: valid, complete, and made of nothing that the recording could smuggle in."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from builders import function_stats, key, key_stats, leaf, snapshot, static
from hypothesis import given
from hypothesis import strategies as st
from key_strategies import keys

from jitwatch._model import CacheKey, Leaf
from jitwatch._report.recording.declarations import declarations
from jitwatch._report.recording.literals import leaf_source, static_source

CALLED = {"jitwatch.spec", "jax.ShapeDtypeStruct", "np.zeros", "jax.random.key"}


def printed(*of: CacheKey, name: str = "step", **changes: Any) -> str:
    found = [key_stats(number, one, hits=10 * number) for number, one in enumerate(of, 1)]
    return declarations(snapshot(function_stats(name, keys=found, **changes)))


def lists(text: str) -> dict[str, list[str]]:
    """The entries of each list in the source."""
    assigned = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {ast.unparse(each.targets[0]): [ast.unparse(entry) for entry in each.value.elts] for each in assigned}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("one", "source"), [
    (leaf((8, 3)), 'jax.ShapeDtypeStruct((8, 3), "float32")'),
    (leaf((8,), weak_type=True), 'jax.ShapeDtypeStruct((8,), "float32", weak_type=True)'),
    (leaf((), "bfloat16", source="numpy", sharding=None), 'np.zeros((), "bfloat16")'),
    (leaf((2,), "key<fry>"), "jax.ShapeDtypeStruct((2,), jax.random.key(0, impl='threefry2x32').dtype)"),
    (leaf((), "int32", weak_type=True, source="python", sharding=None), "0"),
    (leaf((), "bool", source="python"), "False"), (leaf((), "complex64", source="python"), "0j"),
    (leaf((3, 2), layout="{1,0}"), 'jax.ShapeDtypeStruct((3, 2), "float32")'),
    (leaf((3, 2), layout="{1,0:T(8,128)}"), 'jax.ShapeDtypeStruct((3, 2), "float32")'),
    (leaf((), layout="{}"), 'jax.ShapeDtypeStruct((), "float32")'),
    (leaf((3,), sharding="TPU_0(process=0,(0,0,0,0))"), 'jax.ShapeDtypeStruct((3,), "float32")'),
    (leaf((3, 2), layout="{0,1}"), None), (leaf((3,), committed=True), None), (leaf((3,), source="tracer"), None),
    (leaf((3,), sharding="NamedSharding(mesh('x': 4), P())"), None), (leaf((3,), 'f"); x("'), None),
    (leaf((3,), "key<mine>"), None), (leaf((), "str", source="python"), None), (leaf((3,), "float0"), None),
])  # fmt: skip
def test_leaf_is_written_as_what_makes_the_same(one: Leaf, source: str | None) -> None:
    assert leaf_source(one) == source


@pytest.mark.parametrize("value", [4, -1, True, None, "a'\"\n", b"x", 1.5, 2j])
def test_static_value_is_a_literal_of_its_type(value: object) -> None:
    text = static_source(static(value))

    assert text is not None
    assert ast.literal_eval(text) == value


@pytest.mark.parametrize("one", [
    static("x", text="'aaa…"), static(object(), text="object object"), static(4, type="Size"), static(4, text="04"),
    static((1,) * 12), static((1, 2), parts=(("[0]", static(1)), ("[1]", static(2, type="Size")))),
    static([1]), static("x", text="__import__('os')"), static(float("nan")), static({}, text="{}"),
], ids=lambda one: one.text)  # fmt: skip
def test_static_value_of_which_the_text_is_not_all_is_no_literal(one: Any) -> None:
    assert static_source(one) is None


def test_tuple_is_a_literal() -> None:
    whole = static((1, ("a",)), parts=(("[0]", static(1)), ("[1]", static(("a",), parts=(("[0]", static("a")),)))))

    assert static_source(whole) == "(1, ('a',))"


def test_whole_calls_come_with_what_hits_most_first() -> None:
    one = key({"batch": {"x": leaf((8,)), "y": (leaf((), source="numpy"), None)}}, statics={"n": 4}, by_keyword=["n"])
    two = key({"batch": {"x": leaf((9,)), "y": (leaf((), source="numpy"), None)}}, statics={"n": 4}, by_keyword=["n"])

    text = printed(one, two)

    assert "# step (train.py:41): 2 keys in 32 calls" in text
    assert "# step.warm_up(STEP)\n" in text
    assert "\nimport jax\nimport jitwatch\nimport numpy as np\n\n# step" in text
    arguments = [
        f"{{'x': jax.ShapeDtypeStruct(({n},), 'float32'), 'y': (np.zeros((), 'float32'), None)}}" for n in (9, 8)
    ]
    assert lists(text) == {"STEP": [f"jitwatch.spec({each}, n=4)" for each in arguments]}
    assert "),  # 20 hits\n" in text


def test_what_cannot_be_written_and_does_not_vary_is_left_to_the_example() -> None:
    text = printed(*(key({"state": [leaf((3,), committed=True)], "x": leaf((n,))}) for n in (8, 9)))

    assert lists(text) == {
        "STEP": [f"jitwatch.spec(..., jax.ShapeDtypeStruct(({n},), 'float32'))" for n in (9, 8)]
    }  # fmt: skip
    assert "# `...` is as in the example call given by like=.\n" in text
    assert "# step.warm_up(STEP, like=jitwatch.spec(state, x))\n" in text


def test_what_cannot_be_written_and_varies_is_declared_by_path() -> None:
    text = printed(*(key({"state": [leaf((n,), committed=True), leaf((2,))], "x": leaf((n,), "int32")}, statics={"n": n}, by_keyword=["n"]) for n in (8, 9)))  # fmt: skip

    assert lists(text) == {"STEP": [f"{{'state[0]': ({n},), 'x': ({n},), 'n': {n}}}" for n in (9, 8)]}
    assert "# What the dicts do not name is as in the example call given by like=.\n" in text
    assert "# step.warm_up(STEP, like=jitwatch.spec(state, x, n=n))\n" in text


def test_shape_of_another_rank_is_a_shape_too() -> None:
    leaves = leaf((8,), committed=True, layout="{0}"), leaf((8, 2), committed=True, layout="{1,0}")

    text = printed(*(key({"x": one}) for one in leaves))

    assert lists(text) == {"STEP": ["{'x': (8, 2)}", "{'x': (8,)}"]}


def test_calls_of_different_structure_are_lists_of_their_own() -> None:
    text = printed(*(key({"state": [leaf((3,), committed=True)] * n, "x": leaf((n,))}) for n in (1, 2)))

    assert list(lists(text)) == ["STEP", "STEP_2"]


def test_static_positions_come_from_the_options() -> None:
    of = key({"x": leaf(), "y": leaf((1,))}, statics={"n": 4})

    known = printed(of, options=(("static_argnums", "(-2,)"),))
    unknown = printed(of, options=(("static_argnames", "'n'"),))

    assert lists(known)["STEP"] == [
        "jitwatch.spec(jax.ShapeDtypeStruct((), 'float32'), 4, jax.ShapeDtypeStruct((1,), 'float32'))"
    ]
    assert lists(unknown)["STEP"] == [
        "{'x': jax.ShapeDtypeStruct((), 'float32'), 'y': jax.ShapeDtypeStruct((1,), 'float32'), 'n': 4}"
    ]
    assert "in the order of the signature" in unknown


def test_nothing_is_dropped_silently() -> None:
    varying = [key({"x": leaf((3,), dtype, committed=True)}) for dtype in ("float32", "int32")]
    found = [key_stats(1, varying[0]), key_stats(2, varying[1]), key_stats(3, key({"x": leaf()}, transform=["vmap[8]"])),
             key_stats(4, key({"x": leaf((4,))}), hits=0, failures=1)]  # fmt: skip

    text = declarations(snapshot(function_stats(keys=found, dropped_keys=7)))

    assert text.count("# Not declared: x is ") == 2
    assert "# Left out: 1 key, only used under a transform or within other programs." in text
    assert "# Left out: 1 key, all calls failed." in text
    assert "# Left out: 7 misses with keys beyond the bound on keys." in text
    assert "2 keys in 20 calls" in text
    assert lists(text) == {"STEP": []}


def test_calls_under_other_settings_are_lists_of_their_own() -> None:
    text = printed(key({"x": leaf()}), key({"x": leaf()}, context={"jax_enable_x64": "True"}))

    assert len(lists(text)) == 2
    assert "# Under jax_enable_x64=True: warm up under the same settings." in text


def test_keywords_that_are_no_names_are_passed_too() -> None:
    text = printed(key({"a-b": leaf(), "if": leaf(), "x": leaf()}, by_keyword=["a-b", "if", "x"]))

    (entry,) = lists(text)["STEP"]
    assert entry.startswith("jitwatch.spec(x=jax.") and "**{'a-b': jax." in entry and "'if': jax." in entry


@pytest.mark.parametrize(("name", "constant"), [
    ("step", "STEP"), ("<lambda>", "LAMBDA"), ("2fast", "F_2FAST"), ("日本", "FUNCTION"), ("a\nimport os", "A_IMPORT_OS"),
])  # fmt: skip
def test_function_name_becomes_an_identifier(name: str, constant: str) -> None:
    assert list(lists(printed(key({"x": leaf()}), name=name))) == [constant]


def test_functions_of_one_name_have_lists_of_their_own() -> None:
    places = ("a.py:1", "b.py:1", "b.py:2", "c.py:1")
    named = zip(("f", "f", "F_2", "f"), places, strict=True)
    functions = [function_stats(name, keys=[key_stats()], defined_at=place) for name, place in named]

    assert len(lists(declarations(snapshot(*functions)))) == 4


def test_empty_recording_is_said() -> None:
    assert "# No call of a function was recorded." in declarations(snapshot())


@given(st.lists(keys(), min_size=1, max_size=4), st.text(max_size=12), st.text(max_size=12))
def test_source_is_valid_and_calls_only_what_it_should(of: list[CacheKey], name: str, place: str) -> None:
    tree = ast.parse(printed(*of, name=name, defined_at=place))

    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls <= CALLED
    assert {type(node) for node in tree.body} <= {ast.Assign, ast.Import}
    assert all(isinstance(node.value, ast.List) for node in tree.body if isinstance(node, ast.Assign))


def test_function_objects_of_one_definition_have_one_list_with_each_call_once() -> None:
    small, large = key({"x": leaf((3,))}), key({"x": leaf((9,))})
    objects = [
        function_stats("step", id=number, keys=[key_stats(1, one, hits=4) for one in of])
        for number, of in enumerate([(small,), (small, large), (small,)], 1)
    ]
    text = declarations(snapshot(*objects))

    assert {name: len(entries) for name, entries in lists(text).items()} == {"STEP": 2}
    assert "# 12 hits" in text and "# 4 hits" in text


def test_calls_that_were_warmed_up_are_held_against_the_run() -> None:
    used, unused, lacking = (key({"x": leaf((size,))}) for size in (3, 5, 9))
    keys = [
        key_stats(1, used, hits=7, misses=1, warmed=1), key_stats(2, unused, hits=0, misses=1, warmed=1),
        key_stats(3, lacking, hits=2, misses=1),
    ]  # fmt: skip
    text = declarations(snapshot(function_stats("step", keys=keys)))

    assert "# Warmed up: 2 keys, of which 1 never used; 1 key lacking." in text
    assert "# 7 hits\n" in text and "# 2 hits; not warmed up" in text
    assert "# 0 hits; warmed up and never used" in text
    quiet = declarations(snapshot(function_stats("step", keys=keys, hits_counted=False)))
    assert "# Warmed up: 2 keys; 1 key lacking." in quiet and "never used" not in quiet
