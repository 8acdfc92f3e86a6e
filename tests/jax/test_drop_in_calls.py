"""`watched_jit` takes what `jax.jit` takes, in every form, and its result goes wherever JAX's goes."""

from __future__ import annotations

import collections
import functools
import threading
import typing

import jax
import jax.numpy as jnp
import pytest
from side_by_side import outcome, same

from jitwatch import watch, watched_jit


def double(x, n=2):
    return x * n


@jax.custom_jvp
def squared(x):
    return x * x


squared.defjvp(lambda primals, tangents: (squared(*primals), 3 * tangents[0]))


class Scale:
    """Hashable by identity, so that it can be a static `self`."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    def method(self, x):
        return x * self.factor

    @functools.partial(watched_jit, static_argnums=0)
    def with_static_self(self, x, *, n=1):
        return x * self.factor * n

    @classmethod
    @functools.partial(watched_jit, static_argnums=0)
    def of_class(cls, x):
        return x + len(cls.__name__)

    @staticmethod
    @watched_jit
    def of_nobody(x):
        return x + 1


@jax.tree_util.register_pytree_node_class
class Module:
    """A pytree with a watched method whose `self` is traced."""

    def __init__(self, w):
        self.w = w

    def tree_flatten(self):
        return (self.w,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)

    @watched_jit
    def apply(self, x):
        return self.w * x


def test_bare_decorator_gives_the_functions_result() -> None:
    f = watched_jit(double)

    assert f(jnp.float32(3)) == f(3.0, n=2) == f(x=3.0) == 6


@pytest.mark.parametrize("decorate", [
    lambda: watched_jit(static_argnames="n"),
    lambda: watched_jit(static_argnames="n", max_keys=5),
    lambda: functools.partial(watched_jit, static_argnames="n"),
    lambda: functools.partial(watched_jit, max_keys=5)(static_argnames="n"),
], ids=["called", "called with max_keys", "partial", "partial, then called"])  # fmt: skip
def test_decorator_with_options_gives_a_watched_function(decorate) -> None:
    @decorate()
    def f(x, n):
        assert isinstance(n, int)
        return x * n

    assert (f(2.0, n=3), f(2.0, n=3)) == (6, 6)
    assert f.cache_info()[:2] == (1, 1)


def test_decorator_without_arguments_gives_a_watched_function() -> None:
    @watched_jit()
    def f(x):
        return x + 1

    assert f(1) == 2 and f.cache_info().misses == 1


def test_methods_with_static_self_are_cached_for_each_object() -> None:
    one, two = Scale(2.0), Scale(3.0)
    before = Scale.with_static_self.cache_info()

    results = [one.with_static_self(1.0), two.with_static_self(1.0), one.with_static_self(5.0, n=2)]

    assert results == [2, 3, 20]
    assert Scale.with_static_self.cache_info().compiles - before.compiles == 3


def test_method_of_a_pytree_traces_self() -> None:
    assert Module(2.0).apply(3.0) == 6
    assert jax.grad(lambda module: module.apply(3.0))(Module(2.0)).w == 3


def test_classmethod_and_staticmethod_work() -> None:
    assert (Scale.of_class(1), Scale(1).of_class(1), Scale.of_nobody(1), Scale(1).of_nobody(1)) == (6, 6, 2, 2)


@pytest.mark.parametrize("make", [
    lambda: functools.partial(double, n=5), lambda: functools.partial(double, 3.0), lambda: Scale(2.0),
    lambda: Scale(2.0).method, lambda: lambda x: x - 1, lambda: jnp.sin,
    lambda: functools.partial(functools.partial(double), n=4), lambda: jax.tree_util.Partial(double, n=3),
    lambda: jax.vmap(double), lambda: jax.grad(lambda x: (x * x).sum()), lambda: squared,
], ids=["partial", "positional partial", "callable object", "bound method", "lambda", "jnp function",
        "partial of partial", "Partial", "vmap", "grad", "custom_jvp"])  # fmt: skip
def test_kind_of_callable_gives_equal_results_and_names(make) -> None:
    def observe(jit):
        f = jit(make())
        return f(jnp.ones(3)).tolist(), f.__name__, f.lower(jnp.ones(3)).as_text()

    same(observe)


def test_bound_method_made_anew_is_traced_as_often_as_with_plain_jit() -> None:
    def observe(jit):
        traced = []

        class Net:
            def step(self, x):
                traced.append(x)
                return x + 1

        net = Net()
        for _ in range(3):
            jit(net.step)(1.0)
        first, second = jit(net.step), jit(net.step)
        first(1.0), second(1.0)
        return len(traced)

    same(observe)


def test_watch_keeps_the_options_of_a_jitted_function() -> None:
    f = watch(jax.jit(double, static_argnames="n", donate_argnums=0))
    x = jnp.ones(3)

    f(x, n=4)

    assert x.is_deleted()
    assert dict(f.cache_stats().options)["static_argnames"] == "('n',)"


def test_two_watched_jits_of_one_function_share_jaxs_caches() -> None:
    def observe(jit):
        traced = []

        def f(x):
            traced.append(x)
            return x * 2

        first, second = jit(f), jit(f)
        first(1.0), second(1.0), first(1.0)
        third = jit(f, donate_argnums=0)
        third(jnp.float32(1))
        return len(traced), first._cache_size(), second._cache_size(), third._cache_size()

    assert same(observe)[0] == 2


def test_rewrapping_in_a_loop_compiles_once() -> None:
    def f(x):
        return x * 2

    for _ in range(20):
        g = watched_jit(f)
        g(1.0)

    assert g.cache_info()[:2] == (19, 1)


@pytest.mark.parametrize("name", ["self", "fun", "args", "kwargs", "protocol", "cls", "name", "frame", "jit_func"])
def test_keyword_argument_may_have_any_name_that_plain_jit_allows(name) -> None:
    """JAX 0.6.1 itself refuses `fun`, and all refuse `jit_func` ahead of time."""
    function = eval(f"lambda {name}=1: {name} * 2")
    uses = [
        lambda f: f(**{name: 3}), lambda f: f.eval_shape(**{name: 3}), lambda f: f.trace(**{name: 3}).jaxpr,
        lambda f: f.lower(**{name: 3}).as_text(), lambda f: jax.jit(f)(**{name: 3}),
        lambda f: jax.vmap(lambda x: f(**{name: x}))(jnp.ones(1)),
    ]  # fmt: skip

    same(lambda jit: [outcome(lambda use=use: str(use(jit(function)))) for use in uses])
    assert watched_jit(function).cache_key(**{name: 3}).arguments[0].name == name


def sine(x, n=2):
    return jnp.sin(x) * n + x


@pytest.mark.parametrize("transform", [
    lambda f: jax.grad(f)(2.0), lambda f: jax.value_and_grad(f)(2.0), lambda f: jax.hessian(f)(2.0),
    lambda f: jax.vmap(f)(jnp.arange(3.0)), lambda f: jax.jit(f)(2.0), lambda f: jax.jit(jax.grad(f))(2.0),
    lambda f: jax.checkpoint(f)(2.0), lambda f: jax.grad(jax.checkpoint(f))(2.0),
    lambda f: jax.lax.scan(lambda carry, x: (f(carry), f(x)), 1.0, jnp.arange(3.0)),
    lambda f: jax.lax.map(f, jnp.arange(3.0)), lambda f: jax.lax.cond(True, f, f, 2.0),
    lambda f: jax.lax.fori_loop(0, 3, lambda _, x: f(x), 2.0), lambda f: jax.linearize(f, 2.0)[1](1.0),
    lambda f: jax.vjp(f, 2.0)[1](1.0), lambda f: jax.jvp(f, (2.0,), (1.0,)), lambda f: jax.eval_shape(f, 2.0),
    lambda f: jax.make_jaxpr(f)(2.0), lambda f: jax.make_jaxpr(jax.grad(f))(2.0),
    lambda f: jax.tree_util.Partial(f)(2.0), lambda f: functools.partial(f, n=3)(2.0),
    lambda f: jnp.vectorize(f)(jnp.ones((2, 2))),
    lambda f: jax.pure_callback(f, jax.ShapeDtypeStruct((), "float32"), 2.0),
], ids=lambda transform: "-".join(transform.__code__.co_names))  # fmt: skip
def test_transform_of_it_gives_equal_results(transform) -> None:
    same(lambda jit: str(transform(jit(sine))))


class Point(typing.NamedTuple):
    x: typing.Any
    y: typing.Any = None


@pytest.mark.parametrize("output", [
    lambda x: x, lambda x: None, lambda x: (), lambda x: (x,), lambda x: [x, None, (x, [])], lambda x: {"b": x, "a": x},
    lambda x: {2: x, 1: {}}, lambda x: Point(x), lambda x: Module(x), lambda x: (1, True, 2.0, x), lambda x: x == x,
    lambda x: jax.random.key(0), lambda x: {"key": jax.random.key(1), "x": x}, lambda x: jnp.zeros((0,)),
    lambda x: jax.tree_util.Partial(double, x), lambda x: [jax.random.split(jax.random.key(0))],
    lambda x: collections.OrderedDict(b=x, a=x),
])  # fmt: skip
def test_output_is_that_of_plain_jit_on_a_miss_and_on_hits(output) -> None:
    def observe(jit):
        f = jit(output)
        results = [f(2.0) for _ in range(3)]
        leaves, trees = zip(*map(jax.tree_util.tree_flatten, results), strict=True)
        return str(leaves), [str(tree).replace(repr(double), "double") for tree in trees], f._cache_size()

    same(observe)


@pytest.mark.parametrize(("function", "args", "kwargs"), [
    (lambda: 3, (), {}), (lambda *args: sum(args), (1, 2.0, 3), {}), (lambda *args: sum(args), (), {}),
    (lambda **kwargs: kwargs["b"], (), {"b": 1, "a": 2}), (lambda x, /, y, *, z=1: x + y + z, (1,), {"y": 2, "z": 3.0}),
    (lambda x: x["a"] + x[(1, "b")] if (1, "b") in x else x["a"], ({"a": 1.0},), {}),
    (lambda x, y=None: x, (1, None), {}), (lambda x: x, (jax.tree_util.Partial(double, 2),), {}),
    (lambda x: jnp.sum(jax.random.normal(x)), (jax.random.key(0),), {}),
])  # fmt: skip
def test_form_of_call_gives_equal_results(function, args, kwargs) -> None:
    same(lambda jit: [str((f := jit(function))(*args, **kwargs)) for _ in range(3)] + [f._cache_size()])


def test_nested_functions_make_equal_programs() -> None:
    def observe(jit):
        @jit
        def inner(x):
            return x * 2

        @jit
        def outer(x):
            return inner(inner(x)) + 1

        return str(jax.make_jaxpr(outer)(1.0)), outer.lower(1.0).as_text()

    same(observe)


def test_recursion_with_static_argument_works() -> None:
    @functools.partial(watched_jit, static_argnums=1)
    def power(x, n):
        return x * power(x, n - 1) if n else x

    assert power(2.0, 3) == 16


def test_unknown_signature_is_no_obstacle() -> None:
    def observe(jit):
        f = jit(max)  # a builtin without a signature
        return outcome(lambda: f(jnp.ones(()), jnp.zeros(())))

    same(observe)


def test_threads_get_their_own_results() -> None:
    f = watched_jit(lambda x: x * 2)
    results = {}

    def work(size):
        results[size] = [float(f(jnp.ones(size)).sum()) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(size,)) for size in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {size: [2.0 * size] * 20 for size in range(1, 7)}
    assert (f.cache_info().hits + f.cache_info().misses, f.cache_info().compiles) == (120, 6)


def test_disable_jit_calls_the_function_itself() -> None:
    def observe(jit):
        seen = []

        def f(x):
            seen.append(type(x).__name__)
            return x

        with jax.disable_jit():
            jit(f)(1.0), jax.grad(jit(f))(1.0)
        return seen, jit(f).eval_shape(1.0).shape

    same(observe)


def test_jax_jit_replaced_at_run_time_works(monkeypatch) -> None:
    monkeypatch.setattr(jax, "jit", watched_jit)

    f = jax.jit(lambda x, n=2: x * n, static_argnames="n")
    g = jax.jit(jax.grad(f))

    assert (f(2.0, n=3), g(2.0), jax.jit(f)(2.0)) == (6, 2, 4)
    assert f.cache_info().misses == 1 and g.cache_info().misses == 1
    assert watched_jit(double)(1.0) == 2
