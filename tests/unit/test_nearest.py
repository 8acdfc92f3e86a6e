"""The nearest earlier key: which of them a miss is explained against."""

from __future__ import annotations

from builders import key, leaf

from jitwatch._explain.explain import MAX_CHANGES, History, explain
from jitwatch._model import CacheKey, Change, Explanation

X = leaf((32, 8))


def numbered(*keys: CacheKey) -> list[tuple[int, CacheKey]]:
    return list(enumerate(keys, 1))


def test_first_call_has_no_changes() -> None:
    assert explain(key({"x": X}), []) == Explanation(None, ())


def test_nearest_has_the_fewest_differing_parts() -> None:
    earlier = numbered(key({"x": X, "y": X}), key({"x": leaf((4, 8)), "y": X}, statics={"n": 1}), key({"x": [X]}))

    explanation = explain(key({"x": leaf((4, 8)), "y": X}, statics={"n": 2}), earlier)

    assert explanation.nearest == 2
    assert [(change.cause, change.where) for change in explanation.changes] == [("static_value", "static n")]


def test_of_equally_near_keys_the_most_recent_is_nearest() -> None:
    earlier = numbered(*(key({"x": leaf((size,))}) for size in (32, 64, 128)))

    assert explain(key({"x": leaf((4,))}), earlier).nearest == 3


def test_an_equal_key_is_nearest() -> None:
    numpy = key({"x": leaf((3,), source="numpy", sharding=None)})

    explanation = explain(key({"x": leaf((3,))}), numbered(key({"x": leaf((3,))}), numpy))

    assert explanation == Explanation(1, ())


def test_another_transform_is_never_nearest() -> None:
    plain, other = key({"x": X}), key({"x": leaf((9, 9), "int32")}, transform=["vmap[8]"])
    call = key({"x": X}, transform=["vmap[8]"])

    assert explain(call, numbered(other, plain)).nearest == 1
    assert explain(call, numbered(plain)) == Explanation(None, (Change("transform", "transform", "none", "vmap[8]"),))


def test_changes_are_cut_and_counted() -> None:
    earlier, call = (key({"x": {f"a{i}": leaf((size,)) for i in range(70)}}) for size in (1, 2))

    explanation = explain(call, numbered(earlier))

    assert (len(explanation.changes), explanation.more) == (MAX_CHANGES, 20)
    assert explanation.changes[0].where == "x['a0']"


def test_history_grows() -> None:
    history = History()
    assert (len(history), history.nearest(key()), history.latest()) == (0, None, None)

    history.add(1, key({"x": X}))
    assert explain(key({"x": leaf()}), history).nearest == 1

    history.add(2, key({"x": leaf()}))
    assert explain(key({"x": leaf((1,))}), history).nearest == 2
    assert history.latest() == (2, key({"x": leaf()}))
    assert len(history) == 2
