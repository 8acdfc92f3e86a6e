"""Hypothesis strategies for keys: small enough to collide, odd enough to break a renderer."""

from __future__ import annotations

from typing import Any

from builders import key, leaf, static
from hypothesis import strategies as st

from jitwatch._model import CacheKey, Leaf

text = st.one_of(st.sampled_from(["x", "[bold]x[/bold]", "\x1b[31m", "a\nb", ":smile:"]), st.text(max_size=8))


def leaves() -> st.SearchStrategy[Leaf]:
    return st.builds(
        leaf,
        st.lists(st.integers(0, 3), max_size=2),
        st.sampled_from(["float32", "int32", "key<fry>", "\x1b"]),
        weak_type=st.booleans(),
        source=st.sampled_from(["jax", "numpy", "python", "tracer"]),
        committed=st.booleans(),
        sharding=st.sampled_from([None, "cpu:0", "NamedSharding\n"]),
        layout=st.sampled_from([None, "(0, 1)"]),
    )


def pytrees() -> st.SearchStrategy[Any]:
    nodes = st.one_of(leaves(), st.none())
    return st.recursive(
        nodes,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(text, inner, max_size=3),
        ),
        max_leaves=6,
    )


def keys() -> st.SearchStrategy[CacheKey]:
    names = st.sampled_from(["x", "y", "n", "\x1b"])
    statics = st.builds(
        static,
        st.sampled_from([1, "a", None]),
        token=st.integers(0, 2),
        by_identity=st.booleans(),
    )
    return st.builds(
        key,
        st.dictionaries(names, pytrees(), max_size=3),
        statics=st.dictionaries(names, statics, max_size=2),
        by_keyword=st.lists(names, max_size=2),
        omitted=st.lists(text, max_size=2, unique=True),
        context=st.dictionaries(text, text, max_size=2),
        transform=st.lists(text, max_size=2),
    )
