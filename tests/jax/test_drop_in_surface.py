"""A watched function looks like a plain jitted one: type, name, signature, attributes, equality, lifetime."""

from __future__ import annotations

import functools
import inspect
import typing
import weakref

import jax
import pytest
from side_by_side import outcome, same, without_addresses

import jitwatch
from jitwatch import watched_jit

OURS = {
    "cache_info", "cache_stats", "cache_report", "cache_keys", "cache_key", "diff_keys", "check", "heal", "warm_up",
}  # fmt: skip


def documented(x: jax.Array, *, scale: float = 2.0) -> jax.Array:
    """Scale x."""
    return x * scale


documented.mark = "an attribute of the user's"


class Callable_:
    """A callable object."""

    def __call__(self, x):
        return x

    def method(self, x):
        """A method."""
        return x


CALLABLES = {
    "function": lambda: documented, "lambda": lambda: lambda x: x, "object": Callable_, "builtin": lambda: len,
    "partial": lambda: functools.partial(documented, scale=3), "method": lambda: Callable_().method,
    "class": lambda: Callable_, "custom_jvp": lambda: jax.custom_jvp(documented), "vmap": lambda: jax.vmap(documented),
}  # fmt: skip


def test_type_is_jaxs_own() -> None:
    f = watched_jit(documented)

    assert type(f) is type(jax.jit(documented))
    assert isinstance(f, jax.stages.Wrapped)
    assert callable(f) and not inspect.isfunction(f)


@pytest.mark.parametrize("kind", CALLABLES)
@pytest.mark.parametrize("name", [
    "__name__", "__qualname__", "__module__", "__doc__", "__annotations__", "__wrapped__", "__signature__", "mark",
    "__defaults__", "__code__", "func", "undefined",
])  # fmt: skip
def test_attribute_is_that_of_plain_jit(kind, name) -> None:
    same(lambda jit: outcome(lambda: without_addresses(repr(getattr(jit(CALLABLES[kind]()), name)))))


@pytest.mark.parametrize("kind", CALLABLES)
def test_repr_and_signature_are_those_of_plain_jit(kind) -> None:
    def observe(jit):
        f = jit(CALLABLES[kind]())
        return without_addresses(repr(f)), outcome(lambda: str(inspect.signature(f)))

    same(observe)


def test_repr_names_the_users_function() -> None:
    assert repr(watched_jit(documented)) == f"<PjitFunction of {documented!r}>"


def test_introspection_finds_the_users_function() -> None:
    f = watched_jit(documented)

    assert f.__wrapped__ is inspect.unwrap(f) is documented
    assert typing.get_type_hints(f) == typing.get_type_hints(documented)
    assert inspect.getsource(f) == inspect.getsource(documented)
    assert inspect.getdoc(f) == "Scale x."


def test_attributes_are_plain_jits_and_jitwatchs() -> None:
    plain, watched = jax.jit(documented), watched_jit(documented)

    assert set(dir(watched)) - set(dir(plain)) == OURS
    assert set(dir(plain)) - set(dir(watched)) == {"_fun"}  # there, but kept from wrappers
    assert set(plain.__getstate__()) == set(watched.__getstate__())
    assert watched.__getstate__()["fun"] is documented


def test_attributes_can_be_set_and_deleted() -> None:
    f = watched_jit(documented)

    f.note = 1
    assert f.note == f.__dict__["note"] == 1
    del f.note
    assert not hasattr(f, "note")


def test_equality_and_hash_go_by_identity() -> None:
    f, g = watched_jit(documented), watched_jit(documented)

    assert f == f and f != g and len({f, g, f}) == 2
    assert f != documented and {f: 1}[f] == 1


def test_methods_of_jax_have_their_documentation() -> None:
    same(lambda jit: [getattr(jit(documented), name).__doc__ for name in ("lower", "trace", "eval_shape")])


def test_methods_bind_as_functions_do() -> None:
    class Net:
        step = watched_jit(lambda self, x: x + 1, static_argnums=0)

    net = Net()

    assert net.step.__self__ is net and net.step.__func__ is Net.step
    assert net.step(1) == Net.step(net, 1) == 2
    assert net.step.cache_info().hits == 1


def test_wrapper_of_it_has_no_lower_of_the_wrapped_function() -> None:
    """`functools.wraps` copies attributes: with `lower` among them, the wrapper would lower another function."""

    def observe(jit):
        f = jit(documented)

        @functools.wraps(f)
        def negative(x):
            return -f(x)

        again = jax.jit(negative)
        return hasattr(negative, "lower"), isinstance(negative, jax.stages.Wrapped), again.lower(1.0).as_text()

    assert same(observe)[:2] == (False, False)


def test_plain_jit_of_it_lowers_with_its_own_options() -> None:
    same(lambda jit: jax.jit(jit(documented), donate_argnums=0).lower(1.0).as_text())


def test_wrapper_of_it_has_its_counts() -> None:
    f = watched_jit(documented)
    wrapper = functools.wraps(f)(lambda x: f(x))

    wrapper(1.0), wrapper(1.0)

    assert wrapper.cache_info() == f.cache_info()
    assert f.cache_info().hits == 1


def test_function_with_an_attribute_of_the_same_name_is_no_obstacle() -> None:
    def f(x):
        return x + 1

    f.cache_info = f.lower = "the user's"
    watched = watched_jit(f)

    assert watched(1) == 2
    assert watched.cache_info().misses == 1 and watched.lower(1).as_text()


def test_weak_reference_follows_its_life() -> None:
    f = watched_jit(lambda x: x)
    reference = weakref.ref(f)
    assert reference() is f

    del f
    assert reference() is None


@pytest.mark.parametrize(("arguments", "options"), [
    ((3,), {}), ((None,), {}), (("f",), {}), ((documented, 1), {}), ((documented, 1, 2), {}), ((len, len), {}),
    ((documented,), {"foo": 1}), ((documented,), {"fun": documented}), ((documented,), {"static_argnums": "a"}),
    ((documented,), {"static_argnums": 9}), ((documented,), {"static_argnums": 1.5}),
    ((documented,), {"static_argnames": 3}), ((documented,), {"static_argnames": "absent"}),
    ((documented,), {"donate_argnums": 9}), ((documented,), {"static_argnums": 0, "donate_argnums": 0}),
    ((documented,), {"in_shardings": 3}), ((documented,), {"compiler_options": {"no_such_flag": 1}}),
    ((documented,), {"inline": 3}), ((documented,), {"keep_unused": 3}), ((3,), {"static_argnums": 0}),
])  # fmt: skip
def test_bad_argument_fails_as_with_plain_jit(arguments, options, recwarn) -> None:
    same(lambda jit: outcome(lambda: float(jit(*arguments, **options)(1.0))))


@pytest.mark.parametrize("options", [{"foo": 1}, {"static_argnum": 0}, {"fun": documented}, {"fun": 3}])
def test_unknown_option_fails_at_the_decorator(options, recwarn) -> None:
    same(lambda jit: outcome(lambda: float(jit(**options)(1.0))))


def test_generator_function_fails_as_with_plain_jit() -> None:
    def generate(x):
        yield x

    same(lambda jit: outcome(lambda: jit(generate)(1.0)))


def test_unhashable_function_fails_as_with_plain_jit() -> None:
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x

    same(lambda jit: outcome(lambda: float(jit(Unhashable())(1.0))))


@pytest.mark.parametrize("value", [0, -1, "many", 1.5, True, [3]])
def test_bad_max_keys_says_what_is_valid(value) -> None:
    for use in (lambda: watched_jit(documented, max_keys=value), lambda: watched_jit(max_keys=value)):
        kind, message = outcome(use)

        assert kind == "JitwatchError"
        assert f"the argument max_keys has the value {value!r}" in message
        assert "a whole number of at least 1" in message


OWN = {"check", "diff_keys", "heal", "warm_up", "_repr_html_"}


def test_mode_off_gives_the_plain_jitted_function(monkeypatch) -> None:
    monkeypatch.setenv("JITWATCH_MODE", "off")
    jitted = jax.jit(documented)

    f = watched_jit(documented, static_argnames="scale")

    assert type(f) is type(jitted)
    assert jitwatch.watch(jitted) is jitted
    assert all(name.startswith("cache_") or name in OWN for name in set(dir(f)) - set(dir(jax.jit(documented))))


def test_bad_mode_says_what_is_valid(monkeypatch) -> None:
    monkeypatch.setenv("JITWATCH_MODE", "loud")

    kind, message = outcome(lambda: watched_jit(documented))

    assert kind == "JitwatchError"
    assert "JITWATCH_MODE has the value 'loud'" in message and "'warn', 'error', 'off'" in message
