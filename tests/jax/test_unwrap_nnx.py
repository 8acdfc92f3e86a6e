"""Modules of `flax.nnx` are shown as the user wrote them: attribute paths, static fields by name."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from watched_keys import Watching, change, keys_of, paths, same_leaf_count, statics


class TestNnx:
    @pytest.fixture
    def nnx(self) -> Any:
        pytest.importorskip("flax")
        return pytest.importorskip("flax.nnx")

    @pytest.fixture
    def counter(self, nnx: Any) -> Any:
        class Layer(nnx.Module):
            def __init__(self, mode: str) -> None:
                self.kernel = nnx.Param(jnp.ones(2))
                self.mode = mode

        class Counter(nnx.Module):
            def __init__(self, calls: int = 0, mode: str = "a") -> None:
                self.w = nnx.Param(jnp.ones(3))
                self.calls = calls
                self.layers = nnx.List([Layer("first"), Layer(mode)])
                self.first = self.layers[0]
                self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

        return Counter

    LEAVES = (
        "model.drop.rngs.count", "model.drop.rngs.key", "model.first.kernel", "model.layers[1].kernel", "model.w", "x",
    )  # fmt: skip

    @pytest.mark.parametrize("options", [{}, {"graph_updates": False}])
    def test_paths_and_attributes(self, options: Any, nnx: Any, counter: Any, watching: Watching) -> None:
        def forward(model: Any, x: Any) -> Any:
            return model.w[...] * x

        jitted = nnx.jit(forward, **options)
        jitted(counter(), jnp.ones(3))
        jitted(counter(calls=1, mode="b"), jnp.ones(3))
        jitted(counter(calls=-1), jnp.ones(3))
        jitted(counter(calls=-2), jnp.ones(3))
        before, after, *negative = keys_of(watching("forward"))

        assert sorted(paths(before)) == sorted(self.LEAVES)
        assert same_leaf_count(before)
        expected = {"model.calls": "0", "model.layers[1].mode": "'a'", "model.drop.rate": "0.5"}
        assert expected.items() <= statics(before).items()
        assert sorted(change(before, after)) == [
            ("static_value", "model.calls"),
            ("static_value", "model.layers[1].mode"),
        ]
        assert change(*negative) == [("static_value", "model.calls")]

    def test_shapes_go_with_their_paths(self, nnx: Any, counter: Any, watching: Watching) -> None:
        @nnx.jit
        def forward(model: Any, x: Any) -> Any:
            return x

        forward(counter(), jnp.ones(7))
        (key,) = keys_of(watching("forward"))
        shapes = [leaf.shape for chunk in key.leaf_chunks for leaf in chunk]

        found = dict(zip(paths(key), shapes, strict=True))
        assert {"model.w": (3,), "model.layers[1].kernel": (2,), "x": (7,)}.items() <= found.items()

    def test_optimizer(self, nnx: Any, watching: Watching) -> None:
        optax = pytest.importorskip("optax")

        @nnx.jit
        def step(optimizer: Any, x: Any) -> Any:
            return x

        model = nnx.Linear(2, 2, rngs=nnx.Rngs(0))
        step(nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param), jnp.ones(2))
        (key,) = keys_of(watching("step"))

        assert {"optimizer.opt_state[0].count", "optimizer.opt_state[0].mu.kernel", "optimizer.step"} <= set(paths(key))

    def test_tree_mode_shardings_and_split(self, nnx: Any, watching: Watching) -> None:
        class Small(nnx.Module):
            def __init__(self) -> None:
                self.w = nnx.Param(jnp.ones(3))
                self.calls = 0

        def forward(model: Any, x: Any) -> Any:
            return model.w[...] * x

        def merged(definition: Any, state: Any) -> Any:
            return nnx.merge(definition, state).w[...]

        sharding = nnx.StateSharding({nnx.Param: None, ...: None})
        nnx.jit(forward, graph=False)(Small(), jnp.ones(3))
        tree = keys_of(watching("forward"))[0]
        nnx.jit(forward, in_shardings=(sharding, None))(Small(), jnp.ones(3))
        sharded = keys_of(watching("forward"))[0]
        jax.jit(merged)(*nnx.split(Small()))
        split = keys_of(watching("merged"))[0]

        assert paths(tree) == paths(sharded) == ["model.w", "x"]
        assert statics(tree)["model.calls"] == statics(sharded)["model.calls"] == "0"
        assert paths(split) == ["state['w']"] and statics(split)["definition.calls"] == "0"
