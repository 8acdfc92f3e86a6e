"""What libraries wrap is shown as the user wrote it: argument names, attribute paths, static fields by name."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from watched_keys import Watching, change, keys_of, paths, same_leaf_count, statics

from jitwatch._model import Argument


class TestEquinox:
    @pytest.fixture
    def eqx(self) -> Any:
        return pytest.importorskip("equinox")

    @pytest.fixture
    def net(self, eqx: Any) -> Any:
        class Net(eqx.Module):
            w: jax.Array
            temperature: Any
            forward: Any
            name: str = eqx.field(static=True)

            def __call__(self, x: Any, scale: Any = 1.0) -> Any:
                return self.forward(self.w * x)

        identity = lambda y: y
        return lambda w=None, temperature=1.0, forward=identity, name="net": Net(
            jnp.ones(3) if w is None else w, temperature, forward, name
        )

    def test_paths_and_statics(self, eqx: Any, net: Any, watching: Watching) -> None:
        @eqx.filter_jit
        def loss(model: Any, batch: Any, mode: Any = "train", *rest: Any, **options: Any) -> Any:
            return model(batch["x"]).sum()

        loss(net(), {"x": jnp.ones(3), "n": 2}, "eval", jnp.ones(1), flag=True, y=jnp.ones(2))
        stats = watching("loss")
        (key,) = keys_of(stats)

        assert paths(key) == ["model.w", "batch['x']", "rest[0]", "y"]
        assert same_leaf_count(key)
        assert {"model.temperature": "1.0", "model.name": "'net'", "batch['n']": "2"}.items() <= statics(key).items()
        assert [(one.name, one.by_keyword, one.value.text) for one in key.statics] == [
            ("mode", False, "'eval'"),
            ("flag", True, "True"),
        ]
        assert [one.by_keyword for one in key.arguments] == [False, False, False, True]
        assert stats.defined_at.startswith(__file__)

    @pytest.mark.parametrize(
        ("other", "expected"),
        [
            ({"temperature": 2.0}, ("static_value", "model.temperature")),
            ({"name": "other"}, ("static_value", "model.name")),
            ({"forward": lambda y: y}, ("static_value", "model.forward")),
            ({"temperature": jnp.ones(())}, ("tree_structure", "model.temperature")),
            ({"w": jnp.ones(4)}, ("shape", "model.w")),
        ],
    )
    def test_changes(self, other: Any, expected: Any, eqx: Any, net: Any, watching: Watching) -> None:
        @eqx.filter_jit
        def loss(model: Any, x: Any) -> Any:
            return model.w.sum()

        loss(net(), jnp.ones(3))
        loss(net(**other), jnp.ones(3))

        assert change(*keys_of(watching("loss"))) == [expected]

    def test_function_made_anew_is_an_identity(self, eqx: Any, net: Any, watching: Watching) -> None:
        @eqx.filter_jit
        def loss(model: Any, x: Any) -> Any:
            return model(x).sum()

        for _ in range(2):
            loss(net(forward=lambda y: 2 * y), jnp.ones(3))

        assert change(*keys_of(watching("loss"))) == [("static_identity", "model.forward")]

    def test_methods_modules_and_functions_without_arguments(self, eqx: Any, net: Any, watching: Watching) -> None:
        class Model(eqx.Module):
            w: Any

            @eqx.filter_jit
            def decorated(self, x: Any) -> Any:
                return self.w * x

            def plain(self, x: Any) -> Any:
                return self.w + x

        @eqx.filter_jit
        def nothing() -> Any:
            return jnp.ones(3)

        Model(jnp.ones(3)).decorated(x=jnp.ones(3))
        eqx.filter_jit(Model(jnp.ones(3)).plain)(jnp.ones(3))
        eqx.filter_jit(net())(jnp.ones(3))
        nothing()

        assert paths(keys_of(watching("decorated"))[0]) == ["self.w", "x"]
        assert set(paths(keys_of(watching("plain"))[0])) == {"self.w", "x"}
        assert set(paths(keys_of(watching("Net"))[0])) == {"self.w", "x"}
        assert keys_of(watching("Net"))[0].omitted == ("scale",)
        assert paths(keys_of(watching("nothing"))[0]) == []

    @pytest.mark.parametrize("donate", ["all", "all-except-first", "warn", "warn-except-first", "none"])
    @pytest.mark.filterwarnings("ignore:Some donated buffers")
    def test_donation_changes_the_order_only(self, donate: Any, eqx: Any, net: Any, watching: Watching) -> None:
        def step(model: Any, x: Any, y: Any) -> Any:
            return model.w + x.sum() + y.sum()

        eqx.filter_jit(step, donate=donate)(net(), jnp.ones(4), jnp.ones(5))
        (key,) = keys_of(watching("step"))
        shapes = [leaf.shape for chunk in key.leaf_chunks for leaf in chunk]

        assert dict(zip(paths(key), shapes, strict=True)) == {"model.w": (3,), "x": (4,), "y": (5,)}

    def test_keys_are_equal_exactly_where_those_of_jax_are(self, eqx: Any, net: Any, watching: Watching) -> None:
        traced: list[int] = []

        @eqx.filter_jit
        def counted(model: Any, *args: Any) -> Any:
            traced.append(1)
            return model.w.sum()

        # 1, 1.0 and True are equal to JAX within equinox's static argument; -1 and -2 hash alike.
        fields = [1, 1.0, True, 2, -1, -2, "a", "a" * 300, "a" * 300 + "b", None, (1,), [1], np.float32(1)]
        for temperature, name in itertools.product(fields, ["n" * 200 + "a", "n" * 200 + "b"]):
            counted(net(temperature=temperature, name=name))
        counted(net(), jnp.ones(1))
        counted(net(), 1)
        stats = watching("counted")

        assert len(traced) == len(stats.keys) == stats.stages.traces
        assert len(set(keys_of(stats))) == len(stats.keys)

    def test_a_module_under_plain_jit(self, net: Any, watching: Watching) -> None:
        @jax.jit
        def plain(model: Any) -> Any:
            return model.w

        net(name="other", forward=jnp.ones(2))
        plain(net(name="a", forward=jnp.ones(2)))
        plain(net(name="b", forward=jnp.ones(2)))

        assert change(*keys_of(watching("plain"))) == [("static_value", "model.name")]

    def test_lowering_again(self, eqx: Any, net: Any, watching: Watching) -> None:
        from jitwatch._capture.keys.key_maker import KeyMaker

        @eqx.filter_jit
        def loss(model: Any, x: Any) -> Any:
            return model.w * x

        seen: list[Any] = []
        inner = loss._cached
        maker = KeyMaker(inner.__wrapped__, (2,), ())
        object.__setattr__(loss, "_cached", lambda *args: (seen.append(maker.call(args, {})), inner(*args))[1])
        loss(net(), jnp.ones(3))
        args, kwargs = maker.abstract_arguments(seen[0])

        assert paths(seen[0].key) == ["model.w", "x"]
        assert "3xf32" in inner.lower(*args, **kwargs).as_text()


def test_linen_module_as_a_static_argument(watching: Watching) -> None:
    linen = pytest.importorskip("flax.linen")

    class Net(linen.Module):
        width: int
        act: Any

        @linen.compact
        def __call__(self, x: Any) -> Any:
            return self.act(linen.Dense(self.width)(x))

    def apply(model: Any, x: Any) -> Any:
        return x

    jitted = jax.jit(apply, static_argnums=0)
    for width in (1, 1, 2):
        jitted(Net(width, lambda x: x), jnp.ones(2))
    first, second, third = keys_of(watching("apply"))

    assert statics(first)["model.width"] == "1"
    assert change(first, second) == [("static_identity", "static model.act")]
    assert ("static_value", "static model.width") in change(second, third)


def test_train_state_names_its_static_fields(watching: Watching) -> None:
    train_state = pytest.importorskip("flax.training.train_state")
    optax = pytest.importorskip("optax")

    @jax.jit
    def step(state: Any) -> Any:
        return state.step

    def apply(params: Any) -> Any:
        return params

    for _ in range(2):
        step(train_state.TrainState.create(apply_fn=apply, params={"w": jnp.ones(2)}, tx=optax.sgd(0.1)))
    before, after = keys_of(watching("step"))

    assert paths(before)[:2] == ["state.step", "state.params['w']"]
    assert statics(before)["state.apply_fn"].startswith("test_train_state_names_its_static_fields.<locals>.apply at")
    assert set(change(before, after)) == {("static_identity", "state.tx.init"), ("static_identity", "state.tx.update")}


def test_dataclasses_registered_with_jax(watching: Watching) -> None:
    @dataclasses.dataclass
    class Config:
        w: Any
        b: Any
        width: int
        depth: int

    jax.tree_util.register_dataclass(Config, data_fields=["w", "b"], meta_fields=["width", "depth"])

    @jax.jit
    def run(config: Any) -> Any:
        return config.w

    for depth in (1, 2):
        run(Config(jnp.ones(2), {"inner": jnp.ones(2)}, 8, depth))

    assert change(*keys_of(watching("run"))) == [("static_value", "config.depth")]


def test_states_of_optax_have_their_paths(watching: Watching) -> None:
    optax = pytest.importorskip("optax")

    @jax.jit
    def step(state: Any) -> Any:
        return state

    state = optax.lbfgs().init(jnp.zeros(3))
    step(state)
    step(jax.tree.map(lambda a: jnp.asarray(a, a.dtype), state))

    assert {
        ("weak_type", "state[2].info.num_linesearch_steps"),
        ("weak_type", "state[2].info.decrease_error"),
        ("weak_type", "state[2].info.curvature_error"),
    } <= set(change(*keys_of(watching("step"))))


def test_parameters_of_haiku_have_their_paths(watching: Watching) -> None:
    hk = pytest.importorskip("haiku")

    def forward(x: Any) -> Any:
        return hk.Linear(2, name="out")(x)

    transformed = hk.transform(forward)
    params = transformed.init(jax.random.key(0), jnp.ones((1, 3)))
    jax.jit(transformed.apply)(params, None, jnp.ones((1, 3)))
    key = keys_of(watching("apply_fn"))[-1]

    assert paths(key) == ["params['out']['b']", "params['out']['w']", "x"]


def test_an_unknown_version_of_a_library_changes_nothing(watching: Watching) -> None:
    class NodeStates(NamedTuple):
        first: Any
        second: Any

    NodeStates.__module__, NodeStates.__qualname__ = "flax.nnx.extract", "NodeStates"

    @jax.jit
    def run(model: Any) -> Any:
        return model.first

    run(NodeStates(jnp.ones(2), jnp.ones(3)))

    (argument,) = keys_of(watching("run"))[0].arguments
    assert isinstance(argument, Argument) and argument.paths == ("model.first", "model.second")
