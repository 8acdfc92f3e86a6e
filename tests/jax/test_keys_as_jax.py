"""Keys as JAX keeps them: what is two to JAX is two to jitwatch, over shardings and transforms of all kinds.

The judges are JAX's own dispatch cache, by its size, and JAX's own compilations.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

from jitwatch import watched_jit
from jitwatch._capture.jax_internals import placement
from jitwatch._capture.keys.key_maker import KeyMaker
from jitwatch._capture.keys.shardings import MAX_DEVICES, mesh_text, sharding_text
from jitwatch._explain.explain import changes

AXIS_TYPES = getattr(jax.sharding, "AxisType", None)
MEMORY_KINDS = (None, *sorted({memory.kind for memory in jax.devices()[0].addressable_memories()}))
SPECS = (
    P(),
    P(None),
    P(None, None),
    P("a"),
    P(("a",)),
    P("a", None),
    P(("a", "b")),
    P(("b", "a")),
    P("a", "b"),
    P("b"),
)


def meshes() -> st.SearchStrategy[Mesh]:
    """All orders of the four devices, as squares and as lines, with names and types of axes."""
    types = (
        [None] if AXIS_TYPES is None else [None, *itertools.product((AXIS_TYPES.Auto, AXIS_TYPES.Explicit), repeat=2)]
    )
    return st.builds(
        lambda order, shape, names, kinds: Mesh(
            np.array([jax.devices()[i] for i in order]).reshape(shape), names, **({} if kinds is None else {"axis_types": kinds})
        ),
        st.permutations(range(4)), st.sampled_from([(2, 2), (4, 1), (1, 4)]), st.sampled_from(["ab", "ba"]).map(tuple),
        st.sampled_from(types),
    )  # fmt: skip


@functools.cache  # JAX 0.6.1 takes each GSPMDSharding for another one, though it says that they are equal
def on_devices_in_order(kind: str, order: tuple[int, ...]) -> Any:
    """Shardings of the kinds that are on their way out, where this JAX has them."""
    devices = [jax.devices()[i] for i in order]
    if kind == "positional" and hasattr(jax.sharding, "PositionalSharding"):
        return jax.sharding.PositionalSharding(devices).reshape(4, 1).replicate(order[0] % 2)
    internal = pytest.importorskip("jax._src.sharding_impls")
    return internal.GSPMDSharding.get_replicated(tuple(devices))


def shardings() -> st.SearchStrategy[Any]:
    named = st.tuples(meshes(), st.sampled_from(SPECS), st.sampled_from(MEMORY_KINDS))
    single = st.builds(
        lambda i, kind: SingleDeviceSharding(jax.devices()[i], memory_kind=kind),
        st.integers(0, 3), st.sampled_from(MEMORY_KINDS),
    )  # fmt: skip
    by_devices = st.tuples(st.sampled_from(["positional", "gspmd"]), st.permutations(range(4)).map(tuple))
    return st.one_of(
        named.map(lambda parts: _or_none(lambda: NamedSharding(parts[0], parts[1], memory_kind=parts[2]))),
        single,
        by_devices.map(lambda parts: on_devices_in_order(*parts)),
    ).filter(lambda sharding: sharding is not None)


def _or_none(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ValueError:  # axes of two types in one place
        return None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=60, deadline=None)
@given(st.lists(shardings(), min_size=2, max_size=8))
def test_shardings_are_one_exactly_where_they_are_to_jax(found: list[Any]) -> None:
    jitted, maker = jax.jit(lambda x: x), KeyMaker(lambda x: x, (), ())
    keys, size = set(), 0
    for sharding in found:
        array = jax.device_put(np.ones((4, 4), np.float32), sharding)
        jitted(array)
        keys.add(maker.call((array,), {}).key)

        size = jitted._cache_size()

        assert len(keys) == size, sharding


class Around(NamedTuple):
    """One transform around a function of two arrays."""

    kind: str
    size: int = 0
    axes: tuple[int | None, int | None] = (0, 0)
    name: str | None = None
    argnums: int | tuple[int, ...] = 0


Stack = tuple[Around, ...]


def stacks() -> st.SearchStrategy[Stack]:
    """Transforms, innermost first."""
    maps = st.builds(
        Around, st.just("vmap"), st.integers(2, 3), st.sampled_from([(0, 0), (0, None), (None, 0), (1, 0), (0, 1), (1, None)]),
        st.sampled_from([None, None, "i", "j"]),
    )  # fmt: skip
    grads = st.builds(lambda argnums: Around("grad", argnums=argnums), st.sampled_from([0, 1, (0, 1)]))
    return st.lists(st.one_of(maps, grads, st.just(Around("jvp"))), max_size=2).map(tuple).filter(_has_own_names)


def _has_own_names(stack: Stack) -> bool:
    names = [one.name for one in stack if one.name]
    return len(names) == len(set(names))


def call(function: Any, stack: Stack, committed: bool) -> None:
    """Call `function` of two vectors under transforms."""
    shapes: list[tuple[int, ...]] = [(3,), (3,)]
    for one in stack:
        function = _transformed(function, one)
        if one.kind == "vmap":
            shapes = [
                shape if axis is None else (*shape[:axis], one.size, *shape[axis:])
                for shape, axis in zip(shapes, one.axes, strict=True)
            ]
    arrays = [jnp.ones(shape) for shape in shapes]
    function(*(jax.device_put(array, jax.devices()[0]) if committed else array for array in arrays))


def _transformed(function: Any, one: Around) -> Any:
    if one.kind == "vmap":
        return jax.vmap(function, one.axes, **({} if one.name is None else {"axis_name": one.name}))
    if one.kind == "grad":
        return jax.grad(lambda *args: sum(leaf.sum() for leaf in jax.tree.leaves(function(*args))), one.argnums)
    return lambda *args: jax.jvp(function, args, args)


@settings(max_examples=40, deadline=None)
@given(calls=st.lists(st.tuples(stacks(), st.booleans()), min_size=2, max_size=6))
def test_no_key_under_transforms_stands_for_two_programs(calls: list[tuple[Stack, bool]]) -> None:
    @watched_jit
    def told_by_its_transforms(x, y):
        return (x * jnp.sin(y)).sum()

    for stack, committed in calls:
        before = _programs(told_by_its_transforms)
        call(told_by_its_transforms, stack, committed)
        after = _programs(told_by_its_transforms)

        again = {number for number, programs in after.items() if programs > before.get(number, 0) > 0}

        assert not again, [key.key.transform for key in told_by_its_transforms.cache_stats().keys]


def _programs(function: Any) -> dict[int, int]:
    return {key.number: key.stages.compiles + key.stages.loads for key in function.cache_stats().keys}


@pytest.mark.parametrize(("stack", "transform"), [
    ((Around("vmap", 2),), ("vmap[2]",)),
    ((Around("vmap", 2, (0, None)),), ("vmap[2]",)),
    ((Around("vmap", 2, (1, 0)),), ("vmap[2, over 1 0]",)),
    ((Around("vmap", 2, name="i"),), ("vmap[2, axis_name='i']",)),
    ((Around("vmap", 2), Around("vmap", 3)), ("vmap[2]", "vmap[3]")),
    ((Around("vmap", 2, (0, None)), Around("vmap", 3, (None, 0))), ("vmap[2, over 0 -]", "vmap[3, over - 0]")),
    ((Around("grad"), Around("vmap", 2)), ("grad[over 0 -]", "vmap[2]")),
    ((Around("grad", argnums=(0, 1)), Around("vmap", 2)), ("grad", "vmap[2]")),
    ((Around("jvp"),), ("jvp",)),
])  # fmt: skip
def test_transforms_are_named(stack: Stack, transform: tuple[str, ...]) -> None:
    f = watched_jit(lambda x, y: (x * y).sum())

    call(f, stack, committed=False)

    assert [key.key.transform for key in f.cache_stats().keys] == [transform]


def test_mapped_size_is_a_shape_in_explanations() -> None:
    f = watched_jit(lambda x: x * 2)
    for size in (8, 16):
        jax.vmap(f)(jnp.ones((size, 3)))

    (change,) = changes(*(stats.key for stats in f.cache_stats().keys))

    assert (change.cause, change.where, change.before, change.after) == ("shape", "x", "vmap[8]", "vmap[16]")


def test_placement_counts_under_transforms() -> None:
    f = watched_jit(lambda x: x * 2)
    for device in (None, *jax.devices()[:2]):
        x = jnp.ones((4, 3))
        jax.vmap(f)(x if device is None else jax.device_put(x, device))

    assert len(f.cache_stats().keys) == 3


def test_long_orders_of_devices_are_told_apart() -> None:
    class Device(NamedTuple):
        platform: str
        id: int

    class Sharding:
        memory_kind = None

        def __init__(self, devices: tuple[Device, ...]) -> None:
            self._device_assignment = devices

        def __str__(self) -> str:
            return "{devices=[4096]<=[4096]}" * 100

    devices = tuple(Device("tpu", i) for i in range(MAX_DEVICES * 2))
    swapped = (*devices[:-2], devices[-1], devices[-2])
    other = tuple(Device("gpu", i) for i in range(MAX_DEVICES * 2))

    texts = {sharding_text(Sharding(each)) for each in (devices, swapped, other)}

    assert len(texts) == 3
    assert max(map(len, texts)) < 1_000


def test_meshes_say_their_platform_and_order() -> None:
    forth, back = (Mesh(np.array(jax.devices()[:2][::step]), ("a",)) for step in (1, -1))

    assert "cpu devices [0, 1]" in mesh_text(forth)
    assert "cpu devices [1, 0]" in mesh_text(back)


def test_placement_of_jax_is_as_assumed() -> None:
    """The contract of `jax_internals.placement`."""
    mesh = Mesh(np.array(jax.devices()[:2][::-1]), ("a",))

    assert list(placement.devices_in_order(NamedSharding(mesh, P()))) == jax.devices()[:2][::-1]
    assert placement.logical_ids(NamedSharding(mesh, P())) == ()
    assert not placement.has_explicit_axes(mesh)
    if AXIS_TYPES is not None:
        assert placement.has_explicit_axes(Mesh(np.array(jax.devices()), ("a",), axis_types=(AXIS_TYPES.Explicit,)))
