"""What a function object brings along, value by value, as the user would name it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jitwatch
from jitwatch import watched_jit
from jitwatch._capture.functions.brought import MAX_CAPTURED, captured_by
from jitwatch._model import Captured

BATCH = jnp.ones(3)


def make(lr: float, batch: Any = BATCH) -> Any:
    def penalty(w):
        return (w * lr).sum()

    def loss(w, n=3, *, k=2.0):
        return penalty(w) + batch.sum()

    return loss


@dataclasses.dataclass
class Config:
    lr: float
    width: int = 3


class Trainer:
    scale = 3.0

    def __init__(self, lr: float = 0.1) -> None:
        self.cfg = Config(lr)
        self.noise = np.ones(3)
        self.unread = object()

    @property
    def twice(self):
        return self.noise * 2

    def scaled(self, x):
        return x * self.scale

    def step(self, x):
        return self.scaled(x) * self.cfg.lr + self.twice.sum()

    def made(self):
        return lambda x: self.scaled(x) * self.cfg.lr

    def __call__(self, x):
        return x * self.cfg.lr


def texts(fun: Any) -> dict[str, str]:
    return {one.name: one.value for one in captured_by(fun)}


def kinds(fun: Any) -> dict[str, str]:
    return {one.name: one.kind for one in captured_by(fun)}


WITH_RULES = jax.custom_vjp(make(0.1))
WITH_RULES.defvjp(lambda w: (w.sum(), w), lambda w, g: (g * w,))
AROUND = {
    "itself": lambda f: f,
    "grad": jax.grad,
    "value_and_grad": jax.value_and_grad,
    "vmap": jax.vmap,
    "vmap of grad": lambda f: jax.vmap(jax.grad(f)),
    "checkpoint": jax.checkpoint,
    "jit": jax.jit,
    "watched": watched_jit,
    "hessian": jax.hessian,
    "pmap": jax.pmap,
    "custom_jvp": jax.custom_jvp,
    "custom_vjp": lambda f: WITH_RULES,
    "partial": lambda f: functools.partial(f, jnp.ones(2)),
    "wraps": lambda f: functools.wraps(f)(lambda *args: BATCH),
    "closure": lambda f: lambda x: f(x),
}


@pytest.mark.parametrize("around", AROUND)
def test_closures_are_seen_through_what_is_around(around: str) -> None:
    found = texts(AROUND[around](make(0.1)))

    assert found.items() >= {"lr": "0.1", "batch": "float32[3]", "default n": "3", "default k": "2.0"}.items()


def test_transforms_say_what_they_were_given() -> None:
    assert texts(jax.grad(lambda a, b: a * b, argnums=1)) == {"argnums of grad": "1"}
    assert texts(jax.vmap(lambda a, b: a * b, in_axes=(0, None))) == {"in_axes of vmap": "(0, None)"}
    assert texts(jax.vmap(lambda a: a)) == {}


def test_arguments_of_partials_are_named_as_given() -> None:
    def step(cfg, lr, x):
        return x * cfg.lr * lr

    found = texts(functools.partial(functools.partial(step, Config(0.5)), lr=2))

    assert found.items() >= {"partial args[0].lr": "0.5", "partial lr": "2"}.items()
    assert found["partial args[0]"] == "Config(lr=0.5, width=3)"


@pytest.mark.parametrize(
    "fun", [Trainer().step, jax.jit(Trainer().step), Trainer().made()], ids=["method", "jit", "closure"]
)
def test_attributes_that_the_code_reads_are_named(fun: Any) -> None:
    found = texts(fun)

    assert found.items() >= {"self.cfg.lr": "0.1", "self.scale": "3.0", "self": "Trainer object"}.items()
    assert "self.unread" not in found


def test_properties_are_read_and_not_run() -> None:
    assert texts(Trainer().step)["self.noise"] == "float64[3] [1.0, 1.0, 1.0]"


def test_objects_that_are_called_are_looked_into() -> None:
    model = Trainer()

    assert texts(lambda x: model(x))["model.cfg.lr"] == "0.1"
    assert texts(model)["self.cfg.lr"] == "0.1"


def test_arrays_in_containers_have_their_path() -> None:
    params = {"w": [jnp.ones(2), 3], "b": np.zeros(20)}

    found = captured_by(lambda x: x @ params["w"][0])

    assert [(one.name, one.kind) for one in found] == [
        ("params", "object"), ("params['b']", "array"), ("params['w'][0]", "array")
    ]  # fmt: skip
    assert "crc" in found[1].value
    assert 0 not in (found[1].identity, found[2].identity)


def test_kinds() -> None:
    values = [
        1,
        2.5,
        np.float32(1),
        True,
        None,
        "a",
        jnp.ones(2),
        np.ones(2),
        make(1),
        Trainer(),
        Trainer,
        Trainer().step,
    ]

    found = [kinds(lambda x, value=value: x)["default value"] for value in values]

    assert found == ["number"] * 3 + ["object"] * 3 + ["array"] * 2 + ["function", "object", "object", "function"]


def test_numbers_of_objects_last_as_long_as_the_objects() -> None:
    array, other = jnp.ones(3), jnp.ones(3)

    def identity(value: Any) -> int:
        return next(one.identity for one in captured_by(lambda x: x + value) if one.name == "value")

    assert identity(array) == identity(array) != identity(other)
    assert identity({}) == identity(1) == 0
    trainer = Trainer()
    assert identity(trainer.step) == identity(trainer) == identity(trainer.scaled)


def test_content_that_is_not_shown_is_told_apart() -> None:
    def text(value: Any) -> str:
        return texts(lambda x: (x, value))["value"]

    assert text(list(range(40))) != text([*range(39), 0])
    assert text("a" * 200) != text("a" * 199 + "b")
    assert text([[0] * 40]) != text([[0] * 39])
    assert text(2**5000) == text(2**5000)
    assert text(np.arange(100)) != text(np.zeros(100, int))


def test_variables_of_one_name_stay_apart() -> None:
    def outer(lr, inner):
        return lambda x: inner(x) * lr

    found = texts(outer(0.5, make(0.1)))

    assert (found["lr"], found["lr of inner"]) == ("0.5", "0.1")


def test_functions_of_vjp_bring_their_arrays() -> None:
    _, vjp = jax.vjp(lambda x: x * jnp.sin(x), jnp.ones(4))

    assert {one.kind for one in captured_by(vjp)} == {"array"}


def test_much_is_cut_and_cycles_end() -> None:
    layers = {f"layer{i}": {f"w{j}": np.ones(j) for j in range(30)} for i in range(30)}
    again: list[Any] = [layers]
    again.append(again)

    def call_itself(x):
        return call_itself(x) if again else layers

    assert len(captured_by(call_itself)) == MAX_CAPTURED


def test_what_a_library_made_is_told_as_the_users_variable() -> None:
    optax = pytest.importorskip("optax")
    tx = optax.adam(0.01)

    found = texts(lambda params, state: tx.update(params, state))

    assert found["step_size of tx.update"] == "-0.01"
    assert found["b1 of tx.update"] == "0.9"


class Hostile:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)

    def __repr__(self) -> str:
        raise ValueError("no")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None  # type: ignore[assignment]


def test_objects_of_the_users_are_left_alone() -> None:
    value = Hostile()

    assert texts(lambda x: (value.anything, x)) == {"value": "Hostile object"}


def test_recorded_as_of_the_first_trace() -> None:
    lr = 0.1
    f = watched_jit(lambda x: x * lr)
    lr = 0.2
    f(1.0)
    lr = 0.3
    f(np.ones(3))

    assert jitwatch.snapshot().functions[-1].captured == (Captured("lr", "number", "0.2"),)
