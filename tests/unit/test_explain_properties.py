"""What holds for the changes and the nearest key of any keys at all."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from builders import key, leaf, static
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from key_strategies import keys, leaves

from jitwatch._explain import nearest
from jitwatch._explain.explain import History, changes, explain
from jitwatch._explain.key_changes import first_changes
from jitwatch._model import Argument, CacheKey, Change, Leaf, Static, Tree
from jitwatch._words.safe_text import clean

QUICK = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
Parts = dict[tuple[str, ...], Any]
FIELDS = {
    "shape": ("shape", "layout"),
    "dtype": ("dtype", "weak_type", "layout"),
    "key_impl": ("dtype", "shape", "weak_type", "layout"),
    "weak_type": ("weak_type",),
    "committed": ("committed",),
    "sharding": ("sharding", "layout"),
    "layout": ("layout",),
    "other": Leaf.__struct_fields__,
}
"""What a change of each cause says of a leaf."""


def statics() -> st.SearchStrategy[Static]:
    """Static values of all sorts, with parts."""
    plain = st.builds(
        static,
        st.sampled_from([1, 2, "a"]),
        type=st.sampled_from(["int", "Config"]),
        text=st.sampled_from(["1", "f at a.py:1", "f at a.py:2", "Config object", "long…"]),
        token=st.integers(0, 3),
        by_identity=st.booleans(),
    )
    paths = st.sampled_from([".a", ".b", "[0]"])
    return st.recursive(
        plain,
        lambda inner: st.builds(
            lambda value, parts: msgspec.structs.replace(value, parts=tuple(parts.items())),
            plain,
            st.dictionaries(paths, inner, max_size=3),
        ),
        max_leaves=5,
    )


@st.composite
def telling_keys(draw: Any) -> CacheKey:
    """Keys with static arguments and nodes that have parts."""
    of = draw(keys())
    value = draw(st.none() | statics())
    if value is not None and of.statics:
        of = msgspec.structs.replace(of, statics=(msgspec.structs.replace(of.statics[0], value=value),))
    value = draw(st.none() | statics())
    if value is not None and of.arguments and of.arguments[0].tree.kind != "*":
        first = of.arguments[0]
        first = msgspec.structs.replace(first, tree=msgspec.structs.replace(first.tree, static=value))
        of = msgspec.structs.replace(of, arguments=(first, *of.arguments[1:]))
    return of


@st.composite
def pairs(draw: Any) -> tuple[CacheKey, CacheKey]:
    """Two keys that have much in common: the second takes only some of its parts from a third."""
    before, other = draw(telling_keys()), draw(telling_keys())
    if not draw(st.booleans()):
        return before, other
    ours, theirs = (dict(arguments_with_leaves(of)) for of in (before, other))
    mixed = {name: draw(st.sampled_from([ours.get(name), theirs.get(name)])) for name in {**ours, **theirs}}
    chosen = [(argument, [draw(st.one_of(st.just(one), leaves())) for one in found])
              for argument, found in filter(None, mixed.values())]  # fmt: skip
    fields = {field: getattr(draw(st.sampled_from([before, other])), field)
              for field in ("statics", "omitted", "context", "transform")}  # fmt: skip
    after = CacheKey(
        arguments=tuple(argument for argument, _ in chosen),
        leaf_chunks=tuple(tuple(found) for _, found in chosen),
        **fields,
    )
    return before, after


def arguments_with_leaves(of: CacheKey) -> Iterator[tuple[str, tuple[Argument, list[Leaf]]]]:
    found = iter([one for chunk in of.leaf_chunks for one in chunk])
    for argument in of.arguments:
        yield argument.name, (argument, [next(found) for _ in argument.paths])


def parts(of: CacheKey) -> Parts:
    """A key taken apart: every leaf and node by path, every static, form, default and setting by name."""
    found: Parts = {("transform",): of.transform}
    found_leaves = iter([one for chunk in of.leaf_chunks for one in chunk])
    for argument in of.arguments:
        found["form", clean(argument.name)] = argument.by_keyword
        for path in argument.paths:
            found["leaf", clean(path)] = next(found_leaves)
        for path, node in nodes(argument.name, argument.tree):
            found["node", clean(path)] = node.kind, node.static
    for one in of.statics:
        found["static form", clean(one.name)] = one.by_keyword
        found["static", clean(one.name)] = one.value
    found |= {("omitted", clean(name)): True for name in of.omitted}
    return found | {("config", clean(name)): text for name, text in of.context}


def nodes(path: str, tree: Tree) -> Iterator[tuple[str, Tree]]:
    yield path, tree
    for step, child in zip(tree.keys, tree.children, strict=True):
        yield from nodes(path + step, child)


def is_below(path: str, top: str) -> bool:
    return path == top or (path.startswith(top) and path[len(top)] in "[.")


def applied(found: Sequence[Change], before: Parts, after: Parts) -> Parts:
    """The earlier key's parts with what the changes name, and nothing else, taken from the later key."""
    result = dict(before)
    for change in found:
        for place in named(change, {**before, **after}):
            result.pop(place, None)
            if place in after:
                result[place] = after[place]
        if change.cause in FIELDS:
            place = "leaf", change.where
            if place in before:
                fields = {field: getattr(after[place], field) for field in FIELDS[change.cause]}
                result[place] = msgspec.structs.replace(result[place], **fields)
    return result


def named(change: Change, of: Parts) -> list[tuple[str, ...]]:
    """The parts that a change is about, leaves that change in a field not among them."""
    match change.cause:
        case "transform":
            return [("transform",)]
        case "config_context":
            return [("config", change.where.removeprefix("config "))]
        case "arg_kind" if {change.before, change.after} == {"positional", "by keyword"}:
            return [place for place in of if place[0] in ("form", "static form") and place[1] == change.where]
        case "arg_kind":
            return [place for place in of if len(place) == 2 and is_below(place[1], change.where)]
        case "tree_structure":
            kinds = ("node", "leaf", "form")
            return [place for place in of if place[0] in kinds and is_below(place[1], change.where)]
        case "static_value" | "static_identity" if change.where.startswith("static "):
            where = change.where.removeprefix("static ")
            return [place for place in of if place[0] == "static" and is_below(where, place[1])]
        case "static_value" | "static_identity":
            return [place for place in of if place[0] == "node" and is_below(change.where, place[1])]
    return []


def is_same(before: Parts, after: Parts) -> bool:
    """Whether nothing differs but what needs no new trace."""
    return before.keys() == after.keys() and all(
        same_program(value, after[place]) if isinstance(value, Leaf) else value == after[place]
        for place, value in before.items()
    )


def same_program(one: Leaf, other: Leaf) -> bool:
    unplaced = one.sharding is None or other.sharding is None
    spread = "Sharding(" in f"{one.sharding}{other.sharding}"
    return (
        (one.shape, one.dtype, one.committed) == (other.shape, other.dtype, other.committed)
        and (one.weak_type == other.weak_type or one.dtype == "bool")
        and (one.sharding == other.sharding or (unplaced and not spread))
        and (one.layout == other.layout or unplaced)
    )


@QUICK
@given(telling_keys())
def test_a_key_has_no_change_to_itself(of: CacheKey) -> None:
    assert changes(of, of) == ()
    assert explain(of, [(7, of)]).nearest == 7
    assert explain(of, [(7, of)]).changes == ()


@QUICK
@given(telling_keys())
def test_chunks_are_no_change(of: CacheKey) -> None:
    single = msgspec.structs.replace(of, leaf_chunks=tuple((one,) for chunk in of.leaf_chunks for one in chunk))

    assert changes(of, single) == ()


@QUICK
@given(pairs())
def test_keys_that_differ_have_a_change_and_as_many_both_ways(pair: tuple[CacheKey, CacheKey]) -> None:
    before, after = pair
    there, back = changes(before, after), changes(after, before)

    assert (there == ()) == (with_one_chunk(before) == with_one_chunk(after))
    assert sorted((one.cause, one.where) for one in there) == sorted((one.cause, one.where) for one in back)
    assert all(text.isprintable() for one in there for text in (one.where, one.before, one.after))


def with_one_chunk(of: CacheKey) -> CacheKey:
    return msgspec.structs.replace(of, leaf_chunks=(tuple(one for chunk in of.leaf_chunks for one in chunk),))


@QUICK
@given(pairs())
def test_changes_applied_to_the_earlier_key_give_the_later(pair: tuple[CacheKey, CacheKey]) -> None:
    before, after = pair
    found = changes(before, after)

    assert is_same(applied(found, parts(before), parts(after)), parts(after))


def test_the_check_can_fail() -> None:
    before = key({"x": {"a": leaf((2,)), "b": leaf()}}, statics={"n": 1})
    after = key({"x": {"a": leaf((3,)), "c": leaf()}}, statics={"n": 2})
    found = changes(before, after)

    assert len(found) == 4
    for left_out in found:
        rest = [change for change in found if change != left_out]
        assert not is_same(applied(rest, parts(before), parts(after)), parts(after))


def differing_parts(one: CacheKey, other: CacheKey) -> int:
    """The distance of two keys, by the definition of `History.nearest`."""
    lefts, rights = counted_parts(one), counted_parts(other)
    return sum(lefts.get(place) != rights.get(place) for place in {**lefts, **rights})


def counted_parts(of: CacheKey) -> Parts:
    found = {place: value for place, value in parts(of).items() if place[0] != "node"}
    for place, value in found.items():
        if isinstance(value, Leaf):
            spread = value.committed or "Sharding(" in (value.sharding or "")
            found[place] = (
                *(value.shape, value.dtype, value.weak_type and value.dtype != "bool", value.committed),
                value.sharding if spread else None,
                value.layout if value.committed else None,
            )
    for argument in of.arguments:
        for path, node in nodes(argument.name, argument.tree):
            if node.kind != "*":
                found["node", path] = node.kind, node.keys, node.static, len(node.children)
    return found


def nearest_of_all(of: CacheKey, earlier: Sequence[CacheKey]) -> int | None:
    """The nearest key by looking at every one, counted from 0: the fewest parts, then changes, then the most recent."""
    same = [number for number, one in enumerate(earlier) if one == of]
    comparable = [
        (differing_parts(of, one), first_changes(one, of, 0)[1], -number)
        for number, one in enumerate(earlier)
        if transforms_without_sizes(one) == transforms_without_sizes(of)
    ]
    return same[-1] if same else -min(comparable)[2] if comparable else None


def transforms_without_sizes(of: CacheKey) -> list[str]:
    return [name.split("[")[0] for name in of.transform]


@QUICK
@given(st.lists(telling_keys(), min_size=1, max_size=5), st.data())
def test_nearest_is_the_nearest_of_all(several: list[CacheKey], data: Any) -> None:
    of = data.draw(telling_keys() | st.sampled_from(several))
    history = History()
    seen: list[CacheKey] = []
    for number, one in enumerate(several):
        found = history.nearest(one)
        assert (None if found is None else found[0]) == nearest_of_all(one, seen)
        history.add(number, one)
        seen.append(one)

    found = history.nearest(of)

    assert (None if found is None else found[0]) == nearest_of_all(of, several)


def variant(generator: random.Random, *, structure: bool) -> CacheKey:
    """A key of some hundred leaves, a few of them unusual."""
    params = {f"layer{i}": {"b": leaf((10,)), "w": leaf((10, 10))} for i in range(40)}
    for _ in range(generator.randrange(5)):
        params[f"layer{generator.randrange(40)}"]["w"] = leaf((generator.randrange(3),))
    if structure:
        params.update({f"layer{50 + i}": {"b": leaf()} for i in range(generator.randrange(60))})
        params.pop(f"layer{generator.randrange(40)}")
    return key({"params": params, "x": leaf((generator.randrange(3), 2))}, statics={"n": generator.randrange(4)})


@pytest.mark.parametrize("structure", [False, True])
@pytest.mark.parametrize("narrow", [40, 2**16 - 1])
def test_nearest_is_the_nearest_of_all_big_keys(structure: bool, narrow: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_MAX_NARROW", narrow)
    generator = random.Random(structure)
    several = [variant(generator, structure=structure) for _ in range(40)]
    history = History()

    for number, of in enumerate(several):
        found = history.nearest(of)
        assert (None if found is None else found[0]) == nearest_of_all(of, several[:number])
        history.add(number, of)


def test_keys_from_a_file_have_the_same_nearest() -> None:
    generator = random.Random(5)
    several = [variant(generator, structure=True) for _ in range(40)]
    loaded = msgspec.json.decode(msgspec.json.encode(several), type=list[CacheKey])

    for number in range(1, 40):
        live = explain(several[number], list(enumerate(several[:number])))
        assert explain(loaded[number], list(enumerate(loaded[:number]))) == live


LEAVES = 1_000
KEYS = 10_000
LIMIT_S = 0.010


def with_leaves(of: CacheKey, edits: dict[int, Leaf], shared: dict[Any, Any]) -> CacheKey:
    """A key with other leaves at some places, sharing its equal chunks as keys of one process do."""
    found = [one for chunk in of.leaf_chunks for one in chunk]
    for place, value in edits.items():
        found[place] = value
    chunks = (tuple(found[start : start + 32]) for start in range(0, len(found), 32))
    return msgspec.structs.replace(of, leaf_chunks=tuple(shared.setdefault(chunk, chunk) for chunk in chunks))


def unusual_leaves(kind: str, number: int) -> dict[int, Leaf]:
    generator = random.Random(number)
    match kind:
        case "batch size":
            return {LEAVES - 1: leaf((number, 8))}
        case "one leaf anywhere":
            return {number % LEAVES: leaf((number, 9))}
        case _:
            return {place: leaf((generator.randrange(3), place)) for place in generator.sample(range(LEAVES), 100)}


@pytest.mark.benchmark
@pytest.mark.parametrize("kind", ["batch size", "one leaf anywhere", "a hundred leaves"])
def test_explaining_against_ten_thousand_keys_is_quick(kind: str) -> None:
    params = {f"layer{i}": {"b": leaf((10,)), "w": leaf((10, 10)), "z": leaf()} for i in range(LEAVES // 3)}
    base = key({"params": params, "x": leaf((0, 8))})
    assert len(base.arguments[0].paths) + 1 == LEAVES
    shared: dict[Any, Any] = {}
    history = History()
    for number in range(KEYS):
        history.add(number, with_leaves(base, unusual_leaves(kind, number), shared))
    explain(base, history)  # takes the keys in

    times = []
    for number in range(KEYS, KEYS + 20):
        of = with_leaves(base, unusual_leaves(kind, number), shared)
        start = time.process_time()
        explanation = explain(of, history)
        times.append(time.process_time() - start)
        history.add(number, of)
        assert explanation.changes

    print(f"{kind}: {statistics.median(times) * 1e3:.2f} ms")
    assert statistics.median(times) < LIMIT_S
