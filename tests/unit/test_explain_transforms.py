"""What explain says of the transforms that calls run under."""

from __future__ import annotations

import msgspec
import pytest
from builders import key, leaf

from jitwatch._explain.explain import changes, explain
from jitwatch._model import CacheKey

X = leaf((8, 3))


def _told(before: CacheKey, after: CacheKey) -> list[tuple[str, ...]]:
    return [msgspec.structs.astuple(change) for change in changes(before, after)]


def test_transform() -> None:
    assert _told(key(), key(transform=["grad", "vmap[8]"])) == [("transform", "transform", "none", "vmap[8] of grad")]


@pytest.mark.parametrize(("before", "after", "expected"), [
    (["vmap[8]"], ["vmap[16]"], ("shape", "vmap", "vmap[8]", "vmap[16]")),
    (["vmap[8, over 0 1]"], ["vmap[9, over 0 1]"], ("shape", "vmap", "vmap[8, over 0 1]", "vmap[9, over 0 1]")),
    (["vmap[8]"], ["vmap[8, over 0 1]"], ("transform", "vmap", "vmap[8]", "vmap[8, over 0 1]")),
    (["vmap[8]"], ["vmap[9, axis_name='i']"], ("transform", "vmap", "vmap[8]", "vmap[9, axis_name='i']")),
    (["vmap[8]", "vmap[2]"], ["vmap[9]", "vmap[2]"], ("shape", "vmap #2", "vmap[8]", "vmap[9]")),
])  # fmt: skip
def test_size_that_is_mapped_is_a_shape(before: list[str], after: list[str], expected: tuple[str, ...]) -> None:
    assert _told(key({"x": X}, transform=before), key({"x": X}, transform=after)) == [expected]


def test_nearest_under_the_same_transforms_whatever_they_map() -> None:
    call = key({"x": X, "y": X}, transform=["vmap[8]"])
    near = key({"x": X, "y": X}, transform=["vmap[9]"])
    far = key({"x": leaf((9, 9)), "y": leaf((9, 9))}, transform=["vmap[8]"])

    assert explain(call, [(1, near), (2, far)]).nearest == 1
