"""What is recorded of a static value: parts by path, texts without addresses, and nothing of the user's kept alive."""

from __future__ import annotations

import dataclasses
import functools
import gc
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jitwatch._capture.keys import static_parts, static_table
from jitwatch._capture.keys.key_maker import KeyMaker
from jitwatch._capture.keys.trace_context import remember_initial_context
from jitwatch._explain.explain import changes
from jitwatch._model import CacheKey, Static

remember_initial_context()


class Size(NamedTuple):
    rows: int
    columns: int


@dataclasses.dataclass(frozen=True)
class Frozen:
    width: int
    names: tuple[str, ...] = ("a",)
    note: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass
class Mutable:
    width: int


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def method(self, x: Any) -> Any:
        return x


class Slotted:
    __slots__ = ("width",)

    def __init__(self, width: int) -> None:
        self.width = width


class Chatty:
    """Fails the test if its own code runs."""

    @property
    def secret(self) -> Any:
        raise AssertionError("a property ran")

    def __init__(self) -> None:
        self.inner = jnp.ones(3)

    def __repr__(self) -> str:
        raise AssertionError("repr of an object with arrays ran")


def of(value: Any) -> Static:
    return static_table.StaticTable().static(value)


def parts(value: Any) -> dict[str, str]:
    """The parts with their texts, nested ones by whole path."""

    def walk(static: Static, path: str) -> Any:
        for name, part in static.parts:
            yield path + name, part.text
            yield from walk(part, path + name)

    return dict(walk(of(value), ""))


def static_key(value: Any) -> CacheKey:
    return KeyMaker(lambda n, x: x, (0,), ()).call((value, 1.0), {}).key


def only_change(before: Any, after: Any) -> tuple[str, str]:
    (change,) = changes(static_key(before), static_key(after))
    return change.cause, change.where


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, "a"), {"[0]": "1", "[1]": "'a'"}),
        (Size(2, 3), {".rows": "2", ".columns": "3"}),
        (frozenset({3, 1}), {"{1}": "1", "{3}": "3"}),
        (Frozen(4), {".width": "4", ".names": "('a',)", ".names[0]": "'a'"}),
        (Plain(width=8, act="tanh"), {".width": "8", ".act": "'tanh'"}),
        (Slotted(5), {".width": "5"}),
        (((1, (2,)),), {"[0]": "(1, (2,))", "[0][0]": "1", "[0][1]": "(2,)", "[0][1][0]": "2"}),
        (Plain(names={"b": [1]}), {".names": "{'b': [1]}", ".names['b']": "[1]", ".names['b'][0]": "1"}),
    ],
)
def test_parts_by_path(value: Any, expected: dict[str, str]) -> None:
    assert parts(value) == expected


def test_partial_and_bound_method() -> None:
    inner = Plain(gain=2)
    found = parts(functools.partial(max, 1, key=inner.method))

    assert (found[".args[0]"], found[".keywords['key'].__self__.gain"]) == ("1", "2")
    assert found[".func"] == "max"
    assert of(inner.method).by_identity and parts(inner.method)[".__self__.gain"] == "2"


def test_texts_of_functions_and_jitted_functions_name_the_line() -> None:
    function = lambda x: x
    place = f"{__file__}:{function.__code__.co_firstlineno}:26"

    assert of(function).text.endswith(f"<lambda> at {place}")
    assert of(jax.jit(function)).text == f"jit of {of(function).text}"
    assert of(jax.jit(function)).by_identity


class Fit:
    def loss(self, x: object) -> object:
        return x


def test_a_transformed_method_is_told_by_its_own_line_and_a_library_function_by_its_package() -> None:
    line = Fit.loss.__code__.co_firstlineno
    in_package = jnp.linalg.norm

    assert of(jax.grad(Fit().loss)).text == f"Fit.loss at {__file__}:{line}"
    assert "site-packages" not in of(in_package.__wrapped__).text


class Addressed:
    def __repr__(self) -> str:
        return f"<Addressed at {hex(id(self))}>"


def test_no_text_has_an_address() -> None:
    for value in (Addressed(), Plain(), (Plain(), Addressed()), functools.partial(Addressed), Plain().method):
        assert "0x" not in str(of(value))


def test_parts_of_a_treedef() -> None:
    treedef = jax.tree_util.tree_structure({"a": (1, Size(1, 2)), "b": None})

    assert {"['a']": "tuple", "['a'][1]": "Size", "['b']": "NoneType"}.items() <= parts(treedef).items()
    assert of(treedef).text == "PyTreeDef({'a': tuple(*, Size(*, *)), 'b': None})"


def node(number: Any) -> Any:
    @jax.tree_util.register_pytree_node_class
    class Node:
        def tree_flatten(self) -> Any:
            return (0,), self.number

        @classmethod
        def tree_unflatten(cls, aux: Any, _: Any) -> Any:
            return cls()

        def __init__(self, number: Any = 0) -> None:
            self.number = number

    return Node, number


def test_treedefs_that_hash_alike_are_told_apart() -> None:
    kind, _ = node(0)
    long = "x" * 500
    one, same, other = (jax.tree_util.tree_structure(kind(aux)) for aux in (long + "a", long + "a", long + "b"))
    table = static_table.StaticTable()

    assert hash(one) == hash(other)
    assert table.static(one).token == table.static(same).token != table.static(other).token


def test_slotted_values_that_hash_alike_are_told_apart() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Axis:
        name: str
        axis: int

    long = "x" * 500
    table = static_table.StaticTable()

    assert hash(Axis(long, -1)) == hash(Axis(long, -2))
    assert table.static(Axis(long, -1)).token == table.static(Axis(long, -1)).token
    assert table.static(Axis(long, -1)).token != table.static(Axis(long, -2)).token


def test_no_code_of_the_object_runs_and_no_array_is_read() -> None:
    assert parts(Chatty()) == {".inner": "float32[3]"}
    assert parts(Plain(deep=Chatty())) == {".deep": "Chatty object", ".deep.inner": "float32[3]"}


def test_content_of_numpy_arrays_tells_them_apart() -> None:
    small, large = np.arange(3), np.arange(1000.0)

    assert parts(Plain(a=small)) == {".a": "int64[3] [0, 1, 2]"}
    assert parts(Plain(a=large)) == parts(Plain(a=large.copy())) != parts(Plain(a=large + 1))


def test_a_cycle_and_a_large_object_have_a_bounded_number_of_parts() -> None:
    def count(static: Static) -> int:
        return 1 + sum(count(part) for _, part in static.parts)

    cycle = Plain()
    cycle.me = cycle

    assert count(of(cycle)) <= static_table.MAX_DEPTH + 1
    assert count(of(Plain(many=[list(range(100)) for _ in range(100)]))) <= static_table.MAX_PARTS + 1


def test_nothing_of_the_user_is_kept_alive() -> None:
    table = static_table.StaticTable()
    config = Plain(inner=Plain(), array=np.ones(3), function=lambda: None)
    references = [weakref.ref(each) for each in (config, config.inner, config.array, config.function)]
    table.static(config)
    table.part([config], "Node")
    del config
    gc.collect()

    assert [reference() for reference in references] == [None] * 4
    assert len(table) == 0 or all(isinstance(key, tuple) for key in table._known)


def test_equal_unhashable_parts_are_equal() -> None:
    table = static_table.StaticTable()
    objects = [Plain(a=Mutable(1), b=[1, {2}]) for _ in range(2)]
    one, other = map(table.static, objects)

    assert one.token != other.token
    assert one.parts == other.parts


def test_objects_in_slots_and_defaults_of_dataclasses() -> None:
    assert static_parts.stored_attributes(Slotted(3)) == {"width": 3}
    assert static_parts.stored_attributes(Frozen(1)) == {"width": 1, "names": ("a",), "note": ""}


def made_anew(make: Callable[[], Any]) -> tuple[Any, Any]:
    return make(), make()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (4, np.int64(4), ("static_value", "static n")),
        (*made_anew(lambda: lambda x: x), ("static_identity", "static n")),
        (*made_anew(lambda: Plain(width=8)), ("static_identity", "static n")),
        (*made_anew(lambda: jax.jit(Plain.method)), ("static_identity", "static n")),
        (*made_anew(lambda: functools.partial(max, 1)), ("static_identity", "static n")),
        (*made_anew(lambda: Plain(width=8).method), ("static_identity", "static n")),
        (Plain(width=8), Plain(width=9), ("static_value", "static n.width")),
        (functools.partial(max, 1), functools.partial(max, 2), ("static_value", "static n.args[0]")),
        (Frozen(1), Frozen(2), ("static_value", "static n.width")),
        ((1, Plain()), (1, Plain()), ("static_identity", "static n[1]")),
    ],
)
def test_changes_name_value_or_identity(before: Any, after: Any, change: tuple[str, str]) -> None:
    assert only_change(before, after) == change


def test_aux_data_without_eq_is_an_identity() -> None:
    kind, _ = node(0)
    maker = KeyMaker(lambda model: model, (), ())
    before, after, other = (maker.call((kind(Plain(name=name)),), {}).key for name in ("arm", "arm", "leg"))

    assert [(one.cause, one.where) for one in changes(before, after)] == [("static_identity", "model")]
    assert [(one.cause, one.where) for one in changes(before, other)] == [("static_value", "model.name")]


def test_bound_arguments_of_a_partial_pytree() -> None:
    maker = KeyMaker(lambda fn: fn, (), ())
    one, other = (maker.call((jax.tree_util.Partial(max, jnp.ones(size), key={"w": 1}),), {}).key for size in (2, 3))

    assert one.arguments[0].paths == ("fn.args[0]", "fn.keywords['key']['w']")
    assert [(change.cause, change.where) for change in changes(one, other)] == [("shape", "fn.args[0]")]


def test_a_pulled_back_function_is_an_identity() -> None:
    maker = KeyMaker(lambda vjp_fn: vjp_fn, (), ())
    keys = [maker.call((jax.vjp(jax.jit(jnp.sin), jnp.ones(3) * i)[1],), {}).key for i in range(2)]

    found = changes(*keys)
    assert {change.cause for change in found} == {"static_identity"}
    assert all(change.where.startswith("vjp_fn") for change in found)


@pytest.mark.parametrize("make", [lambda: Frozen(1), lambda: (Frozen(1), 2), lambda: {"a": Frozen(1)}])
def test_a_value_keeps_its_number_as_long_as_one_that_equals_it_lives(make) -> None:
    table = static_table.StaticTable()
    first, second = make(), make()
    number = table.part(first, "Node").token
    assert table.part(second, "Node").token == number

    del first
    gc.collect()
    third = make()
    assert table.part(third, "Node").token == number

    del second, third
    gc.collect()
    assert len(table) == 0


def test_few_of_many_equal_values_are_remembered() -> None:
    table = static_table.StaticTable()
    objects = [Frozen(1) for _ in range(100)]

    assert len({table.static(each).token for each in objects}) == 1

    (reference,) = table._references.values()
    assert len(reference._held) == static_table.MAX_HELD
    del objects[1:], reference
    gc.collect()
    assert len(table) == 1
