"""Static values that differ: each cause of theirs, its label, where it is, and the texts on both sides."""

from __future__ import annotations

from typing import Any

import pytest
from builders import key, model, static

from jitwatch._explain.explain import changes
from jitwatch._model import CacheKey, Static


def told(before: CacheKey, after: CacheKey) -> list[tuple[str, str, str, str]]:
    return [(change.cause, change.where, change.before, change.after) for change in changes(before, after)]


OBJECT = {"type": "Config", "text": "Config object", "by_identity": True}


def function(token: int, line: int = 3, **more: Any) -> Static:
    return static("f", type="function", text=f"<lambda> at train.py:{line}", token=token, by_identity=True, **more)


def config(token: int, *, by_identity: bool = False, **parts: Any) -> Static:
    known = tuple((f".{name}", part if isinstance(part, Static) else static(part)) for name, part in parts.items())
    text = f"Config({', '.join(f'{name[1:]}={part.text}' for name, part in known)})"
    return static("c", type="Config", text=text, token=token, by_identity=by_identity, parts=known)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (static(2), static(3), ("static_value", "static n", "2", "3")),
        (
            static(4),
            static(4, type="int64", text="np.int64(4)", token=9),
            ("static_value", "static n", "4 (int)", "np.int64(4) (int64)"),
        ),
        (
            function(1),
            function(2),
            (
                "static_identity",
                "static n",
                "<lambda> at train.py:3 (object 1)",
                "<lambda> at train.py:3 (object 2)",
            ),
        ),
        (
            function(1),
            function(2, line=9),
            ("static_value", "static n", "<lambda> at train.py:3", "<lambda> at train.py:9"),
        ),
        (
            static("c", **OBJECT, token=1),
            static("c", **OBJECT, token=2),
            ("static_identity", "static n", "Config object (object 1)", "Config object (object 2)"),
        ),
        (config(1, width=3, depth=2), config(2, width=4, depth=2), ("static_value", "static n.width", "3", "4")),
        (config(1, width=3), config(2, width=3, depth=2), ("static_value", "static n.depth", "absent", "2")),
        (
            config(1, act=function(1)),
            config(2, act=function(2)),
            (
                "static_identity",
                "static n.act",
                "<lambda> at train.py:3 (object 1)",
                "<lambda> at train.py:3 (object 2)",
            ),
        ),
        (
            config(1, by_identity=True, act=function(1)),
            config(2, by_identity=True, act=function(2)),
            (
                "static_identity",
                "static n",
                "Config(act=<lambda> at train.py:3) (object 1)",
                "Config(act=<lambda> at train.py:3) (object 2)",
            ),
        ),
        (
            config(1, by_identity=True, width=3),
            config(2, by_identity=True, width=4),
            ("static_value", "static n.width", "3", "4"),
        ),
        (
            config(1, inner=config(3, act=function(1), k=1), k=2),
            config(2, inner=config(4, act=function(2), k=1), k=2),
            (
                "static_identity",
                "static n.inner.act",
                "<lambda> at train.py:3 (object 1)",
                "<lambda> at train.py:3 (object 2)",
            ),
        ),
        (
            function(1, parts=((".gain", static(1)),)),
            function(2, line=4, parts=((".gain", static(2)),)),
            ("static_value", "static n", "<lambda> at train.py:3", "<lambda> at train.py:4"),
        ),
        (
            function(1, parts=((".gain", static(1)),)),
            function(2, parts=((".gain", static(2)),)),
            ("static_value", "static n.gain", "1", "2"),
        ),
        (
            static("m", type="method", text="bound method Net.loss", token=1),
            static("m", type="method", text="bound method Net.loss", token=2),
            ("static_identity", "static n", "bound method Net.loss (object 1)", "bound method Net.loss (object 2)"),
        ),
        (
            static("m", type="Table", text="Table([1, 2, 3…", token=1),
            static("m", type="Table", text="Table([1, 2, 3…", token=2),
            ("static_value", "static n", "Table([1, 2, 3… (object 1)", "Table([1, 2, 3… (object 2)"),
        ),
    ],
)
def test_static_arguments(before: Static, after: Static, expected: tuple[str, str, str, str]) -> None:
    assert told(key(statics={"n": before}), key(statics={"n": after})) == [expected]


def test_static_parts_that_read_the_same_are_left_to_the_whole() -> None:
    before, after = (
        config(token, by_identity=True, table=static("t", text="Table object", token=token)) for token in (1, 2)
    )

    assert [change[:2] for change in told(key(statics={"n": before}), key(statics={"n": after}))] == [
        ("static_identity", "static n")
    ]


def test_static_fields_of_a_pytree_are_named() -> None:
    before, after = model(of=config(1, temperature=1.0)), model(of=config(2, temperature=0.5))

    assert told(before, after) == [("static_value", "model.temperature", "1.0", "0.5")]


def test_callable_field_of_a_pytree_is_named() -> None:
    found = told(model(of=config(1, forward=function(1))), model(of=config(2, forward=function(2))))

    assert [change[:2] for change in found] == [("static_identity", "model.forward")]


def test_aux_data_without_parts_is_named_by_its_node() -> None:
    before, after = (model(of=static("d", **OBJECT, token=token)) for token in (1, 2))

    assert told(before, after) == [("static_identity", "model", "Config object (object 1)", "Config object (object 2)")]
    assert told(model(), before) == [("static_value", "model", "absent", "Config object")]


def test_a_static_field_that_became_an_array_is_one_change() -> None:
    before = model(keys=(".t", ".w"), kinds=("None", "*"), of=config(1, t=1.0))
    after = model(keys=(".t", ".w"), kinds=("*", "*"), of=config(2))

    assert told(before, after) == [("tree_structure", "model.t", "static 1.0", "f32[32,8]")]
