"""Watched functions copy and pickle: by name where they have one, with their options by cloudpickle elsewhere."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import cloudpickle
import jax
import jax.numpy as jnp
import pytest
from side_by_side import same

from jitwatch import watch, watched_jit


@watched_jit
def by_name(x):
    """A function of this module."""
    return x + 1


@functools.partial(watched_jit, static_argnames="n")
def with_options(x, n=2):
    return x * n


class Net:
    @functools.partial(watched_jit, static_argnums=0)
    def step(self, x):
        return x + 1


def not_the_name(x):
    return x - 1


renamed = watched_jit(not_the_name)


def in_new_process(pickled: bytes, use: str, folder: Path) -> str:
    """What `use`, with `f` for the unpickled object, prints in a process that has nothing else."""
    (folder / "pickled").write_bytes(pickled)
    code = f"import pickle\nf = pickle.load(open({str(folder / 'pickled')!r}, 'rb'))\n{textwrap.dedent(use)}"
    paths = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    code = f"import sys\nsys.path[:0] = {paths!r}\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("function", [by_name, with_options, Net.step])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_function_of_a_module_pickles_by_name(function, protocol) -> None:
    pickled = pickle.dumps(function, protocol)

    assert pickle.loads(pickled) is function
    assert len(pickled) < 150


@pytest.mark.parametrize("function", [by_name, Net.step, watched_jit(lambda x: x)])
def test_copy_is_the_function_itself(function) -> None:
    assert copy.copy(function) is copy.deepcopy(function) is function
    assert copy.deepcopy({"f": [function]})["f"][0] is function


def test_object_that_holds_it_copies_and_pickles() -> None:
    holder = {"f": by_name, "partial": functools.partial(with_options, n=3), "method": Net().step.__func__}

    again = pickle.loads(pickle.dumps(holder))

    assert again["f"] is by_name and again["partial"](2) == 6 and again["method"] is Net.step
    assert copy.deepcopy(holder)["partial"](2) == 6


def test_bound_method_pickles() -> None:
    assert pickle.loads(pickle.dumps(Net().step))(1) == 2


def test_function_under_another_name_pickles_by_its_parts() -> None:
    again = pickle.loads(pickle.dumps(renamed))

    assert again is renamed


def test_function_under_another_name_works_in_a_new_process(tmp_path) -> None:
    out = in_new_process(pickle.dumps(renamed), "print(f(3), f.cache_info().misses, type(f).__name__)", tmp_path)

    assert out == "2 1 PjitFunction"


def test_function_by_name_works_in_a_new_process(tmp_path) -> None:
    out = in_new_process(pickle.dumps(with_options), "print(f(3, n=4), f.cache_info().misses, f.__name__)", tmp_path)

    assert out == "12 1 with_options"


def test_local_function_pickles_as_plain_jit_does() -> None:
    """Not at all: the function inside has no name to find it by."""

    def local(x):
        return x

    def observe(jit):
        with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
            pickle.dumps(jit(local))

    same(observe)


@pytest.mark.parametrize("make", [
    lambda: watched_jit(lambda x, n=2: x * n, static_argnames="n", max_keys=7),
    lambda: watch(jax.jit(lambda x, n=2: x * n, static_argnames="n")),
    lambda: functools.partial(watched_jit, static_argnums=1)(lambda x, n=2: x * n),
], ids=["options", "jitted", "partial"])  # fmt: skip
def test_lambda_keeps_its_options_in_a_new_process(make, tmp_path) -> None:
    use = "print(f(3, n=4), f(3, n=5), f.cache_info().compiles, f.lower(3, n=6).as_text().count('x6'), f.__name__)"

    out = in_new_process(cloudpickle.dumps(make()), use, tmp_path)

    assert out == "12 15 2 0 <lambda>"


def test_nested_functions_work_in_a_new_process(tmp_path) -> None:
    offset = jnp.float32(2)

    @watched_jit
    def inner(x):
        return x + offset

    @watched_jit
    def outer(x):
        return inner(x) * 2

    use = "import jax\nprint(f(1.0), jax.grad(f)(1.0), f.__wrapped__.__name__, f.cache_info().misses)"
    assert in_new_process(cloudpickle.dumps(outer), use, tmp_path) == "6.0 2.0 outer 1"


def test_wrapper_around_it_works_in_a_new_process(tmp_path) -> None:
    @watched_jit
    def inner(x):
        return x + 1

    @functools.wraps(inner)
    def wrapper(x):
        return inner(x) * 2

    use = "print(f(1), f.__name__, f.cache_info().misses)"
    assert in_new_process(cloudpickle.dumps(wrapper), use, tmp_path) == "4 inner 1"


def test_function_of_main_works_by_value_in_a_new_process(tmp_path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(Path(__file__).parents[2])!r}]
        import cloudpickle
        from jitwatch import watched_jit

        @watched_jit
        def f(x):
            return x + 1

        assert cloudpickle.loads(cloudpickle.dumps(f)) is f
        open({str(tmp_path / "main")!r}, "wb").write(cloudpickle.dumps(f))
    """)
    )
    subprocess.run([sys.executable, str(script)], check=True)

    assert in_new_process((tmp_path / "main").read_bytes(), "print(f(1), f.__name__)", tmp_path) == "2 f"


def test_plain_jitted_function_is_copied_as_without_jitwatch() -> None:
    plain = jax.jit(lambda x: x * 2)
    watched_jit(lambda x: x)(1)

    assert copy.copy(plain) is not plain
    assert copy.copy(plain)(2) == copy.deepcopy(plain)(2) == pickle.loads(cloudpickle.dumps(plain))(2) == 4


def test_copy_of_a_plain_jitted_function_can_be_watched() -> None:
    f = watched_jit(copy.copy(jax.jit(lambda x: x * 2)))

    assert f(2) == 4 and f.cache_info().misses == 1
