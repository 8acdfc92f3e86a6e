"""What a declaration covers, and what is no declaration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from builders import key, leaf, static
from hypothesis import given
from hypothesis import strategies as st
from key_strategies import pytrees

import jitwatch
from jitwatch import JitwatchError
from jitwatch._model import CacheKey, Leaf
from jitwatch._policy.declared import Spec, declared


def array(shape: tuple[Any, ...], dtype: Any) -> Any:
    return SimpleNamespace(shape=shape, dtype=dtype)


class Callee:
    """A function of which every declared call has one key."""

    def __init__(self, of: CacheKey | None = None, *, x64: bool = False, parameters: Any = None) -> None:
        self.key, self.x64, self.parameters = of, x64, parameters

    def key_of(self, args: Any, kwargs: Any) -> CacheKey:
        if self.key is None:
            raise JitwatchError("f cannot be called like this")
        return self.key

    def static_of(self, value: Any) -> Any:
        return static(value)


CALL = key({"batch": {"x": leaf((8, 3)), "y": leaf((8,), "int32", source="numpy")}, "s": leaf((), "int32", weak_type=True, source="python")}, statics={"n": 4})  # fmt: skip


@pytest.mark.parametrize(("entry", "covered"), [
    ({"batch['x']": (8, 3)}, True), ({"batch['x']": (None, 3)}, True), ({"batch['x']": (8, 4)}, False),
    ({"batch['x']": (8,)}, False), ({"batch['x']": array((8, 3), "float32")}, True),
    ({"batch['x']": array((8, 3), "float16")}, False), ({"batch['x']": array((8, 3), "float64")}, True),
    ({"batch['y']": array((8,), "int64")}, True), ({"batch['y']": array((8,), "float64")}, False),
    ({"batch['y']": array((8,), "int16")}, False),
    ({"n": 4}, True), ({"n": 5}, False), ({"n": 4.0}, False), ({"n": True}, False), ({"n": ...}, True),
    ({"s": 7}, True), ({"s": 7.0}, False), ({"s": ()}, True), ({"s": (1,)}, False), ({"batch['y']": 3}, False),
    ({"batch['z']": (8,)}, False), ({"batch": ...}, True),
    ({"batch['x']": (8, 3), "n": 4}, True), ({"batch['x']": (8, 3), "n": 5}, False),
])  # fmt: skip
def test_dict_covers_keys_with_that_at_its_paths(entry: dict[str, Any], covered: bool) -> None:
    assert declared(entry).covers(CALL) is covered
    assert declared([{"n": "none"}, entry]).covers(CALL) is covered


def test_static_tuple_is_a_value_and_no_shape() -> None:
    sizes = key({"x": leaf((3, 4))}, statics={"sizes": (3, 4)})

    assert declared({"sizes": (3, 4)}).covers(sizes)
    assert not declared({"sizes": (3, 5)}).covers(sizes)
    assert declared({"x": (3, 4)}).covers(sizes)


def test_nothing_is_covered_by_no_declaration() -> None:
    assert not declared([]).covers(CALL)


@pytest.mark.parametrize(("x64", "context", "covered"), [
    (False, {}, True), (True, {}, False), (False, {"jax_enable_x64": "True"}, False),
    (True, {"jax_enable_x64": "False"}, True),
])  # fmt: skip
def test_64_bits_stand_for_32_while_x64_is_off(x64: bool, context: dict[str, str], covered: bool) -> None:
    callee = Callee(x64=x64)

    found = declared({"x": array((3,), "int64")}, callee)

    assert found.covers(key({"x": leaf((3,), "int32")}, context=context)) is covered
    assert found.covers(key({"x": leaf((3,), "int64")}, context=context))


DIFFERENT = {
    "shape": key({"x": leaf((9,)), "y": [leaf()]}, statics={"n": 1}),
    "dtype": key({"x": leaf((8,), "int32"), "y": [leaf()]}, statics={"n": 1}),
    "structure": key({"x": leaf((8,)), "y": (leaf(),)}, statics={"n": 1}),
    "leaves": key({"x": leaf((8,)), "y": [leaf(), leaf()]}, statics={"n": 1}),
    "static": key({"x": leaf((8,)), "y": [leaf()]}, statics={"n": 2}),
    "static type": key({"x": leaf((8,)), "y": [leaf()]}, statics={"n": static(1, type="Size")}),
    "keyword": key({"x": leaf((8,)), "y": [leaf()]}, statics={"n": 1}, by_keyword=["n"]),
    "omitted": key({"x": leaf((8,)), "y": [leaf()]}, omitted=["n"]),
    "more": key({"x": leaf((8,)), "y": [leaf()], "z": leaf()}, statics={"n": 1}),
}
SAME = {
    "weak type": key({"x": leaf((8,), weak_type=True), "y": [leaf()]}, statics={"n": 1}),
    "source": key({"x": leaf((8,), source="numpy"), "y": [leaf()]}, statics={"n": 1}),
    "placement": key({"x": leaf((8,), committed=True, sharding="cpu:1"), "y": [leaf()]}, statics={"n": 1}),
    "context": key({"x": leaf((8,)), "y": [leaf()]}, statics={"n": 1}, context={"jax_debug_nans": "True"}),
    "token": key({"x": leaf((8,)), "y": [leaf()]}, statics={"n": static(1, token=12345)}),
}
MINE = key({"x": leaf((8,)), "y": [leaf()]}, statics={"n": 1})


@pytest.mark.parametrize("name", [*DIFFERENT, *SAME])
def test_spec_compares_what_the_call_is_and_not_where_its_arrays_are(name: str) -> None:
    covers = declared(jitwatch.spec(), Callee(MINE)).covers

    assert covers(MINE)
    assert covers({**DIFFERENT, **SAME}[name]) is (name in SAME)


def test_open_argument_covers_anything() -> None:
    anything = leaf((), "ellipsis", source="python")
    mine = key({"x": anything, "y": [leaf()]}, statics={"n": static(..., type="ellipsis")})

    covers = declared(jitwatch.spec(...), Callee(mine)).covers

    assert covers(MINE) and covers(DIFFERENT["shape"]) and covers(DIFFERENT["static"])
    assert not covers(DIFFERENT["structure"]) and not covers(DIFFERENT["more"])


@pytest.mark.parametrize("changes", [{"by_identity": True}, {"text": "a" * 119 + "…"}])
def test_static_of_which_the_text_is_not_all_is_told_by_the_object(changes: dict[str, Any]) -> None:
    one, same, other = (key(statics={"f": static("f", token=token, **changes)}) for token in (1, 1, 2))

    covers = declared(jitwatch.spec("f"), Callee(one)).covers

    assert covers(same) and not covers(other)


@pytest.mark.parametrize(("expect", "message"), [
    ("x", "expect is 'x'; valid are"), (3, "expect is 3; valid are"),
    ([(8, 3)], "expect, entry 1 is (8, 3); valid are"), ([{"x": (1,)}, {3: (1,)}], "expect, entry 2 is {3: (1,)}"),
    ({"z": (1,)}, "expect, entry 1: 'z' is no argument or leaf of the function; valid are: n, x"),
    ({"": (1,)}, "'' is no argument"), ({"['x']": (1,)}, "no argument or leaf"),
    ({"x['a']": "abc"}, "\"x['a']\" is declared as 'abc'; valid are a shape"),
    ({"x['a']": (1, -1)}, "is declared as (1, -1); valid are a shape"),
    ({"x['a']": (True,)}, "is declared as (True,); valid are a shape"),
    ({}, "covers every call"), (jitwatch.spec(1), "expect, entry 1: f cannot be called like this"),
    ({"\x1b[31m": (1,)}, "'\\x1b[31m' is no argument"),
])  # fmt: skip
def test_nonsense_is_one_clear_error(expect: Any, message: str) -> None:
    with pytest.raises(JitwatchError) as error:
        declared(expect, Callee(parameters=frozenset(("x", "n"))))

    assert message in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(("dtype", "problem"), [("ellipsis", "`...` stands for a whole argument"), ("str", "type str")])
def test_leaf_that_no_call_can_have_is_an_error(dtype: str, problem: str) -> None:
    mine = key({"x": [leaf((), dtype, source="python"), leaf()]})

    with pytest.raises(JitwatchError, match=problem):
        declared(jitwatch.spec(), Callee(mine))


def test_spec_says_what_it_is_on_one_line() -> None:
    made = jitwatch.spec(array((8, 3), "int32"), {"a": [1, None]}, ..., n=4, name="a\nb", f=len)

    assert repr(made) == "jitwatch.spec(int32[8,3], {'a': [1, None]}, ..., n=4, name='a\\nb', f=len)"
    assert isinstance(made, Spec)
    assert repr(jitwatch.spec(10**5000, "a" * 500)).startswith("jitwatch.spec(int object, 'aaa")
    assert len(repr(jitwatch.spec(*range(1000)))) == 200
    assert declared({"x": (8, None)}).texts == ("{'x': (8, None)}",)


arrays = st.builds(
    leaf, st.lists(st.integers(0, 3), max_size=2), st.sampled_from(["float32", "int32", "key<fry>"]),
    source=st.sampled_from(["jax", "numpy"]), committed=st.booleans(),
)  # fmt: skip


def own_paths(of: CacheKey) -> dict[str, Any]:
    leaves = [one for chunk in of.leaf_chunks for one in chunk]
    return {path: one.shape for path, one in zip((p for a in of.arguments for p in a.paths), leaves, strict=True)}


@given(st.dictionaries(st.sampled_from("xyz"), pytrees(), min_size=1), st.booleans())
def test_declaration_of_a_keys_own_shapes_covers_it(arguments: dict[str, Any], with_static: bool) -> None:
    mine = key(arguments, statics={"n": 1} if with_static else {})
    paths = own_paths(mine) | ({"n": 1} if with_static else {}) or {"x": ...}

    assert declared(paths).covers(mine)


@given(st.dictionaries(st.sampled_from("xyz"), st.lists(arrays, min_size=1), min_size=1), st.data())
def test_key_with_another_shape_is_not_covered(arguments: dict[str, list[Leaf]], data: st.DataObject) -> None:
    mine = key(arguments)
    name = data.draw(st.sampled_from(sorted(arguments)))
    at = data.draw(st.integers(0, len(arguments[name]) - 1))
    arguments[name][at] = leaf((*arguments[name][at].shape, 7), arguments[name][at].dtype)
    other = key(arguments)

    assert declared(jitwatch.spec(), Callee(mine)).covers(mine)
    assert not declared(jitwatch.spec(), Callee(mine)).covers(other)
    assert not declared(own_paths(mine)).covers(other)
