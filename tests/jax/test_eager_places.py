"""Small programs whose work is not under jit, and what is to be said of each: place, cause, saving; or nothing."""

from __future__ import annotations

import functools
import textwrap
from typing import Any

import jax
import numpy as np
import pytest

import jitwatch
from jitwatch._judge.eager import places
from jitwatch._judge.notes import notes
from jitwatch._model import Place, Snapshot
from jitwatch._state import State, use


def run(source: str) -> Snapshot:
    """What is counted while a program runs that nothing ran before."""
    jax.clear_caches()
    code = compile(textwrap.dedent(source), "program.py", "exec")
    with use(State()), jitwatch.watching(count_hits=True):
        exec(code, {"__name__": "__main__", "jax": jax, "jnp": jax.numpy, "np": np})
        return jitwatch.snapshot()


def told(source: str) -> list[tuple[str, str, str]]:
    """Cause, the function around, and the line, of each place."""
    return [(each.finding.cause, each.finding.function, each.finding.call_site) for each in places(run(source))]


INNOCENT = {
    "one pass over layers": """
        x = jnp.ones((4, 5))
        widths = (5, 17, 11, 9, 6, 3)
        for n, m in zip(widths, widths[1:]):
            w = jnp.full((n, m), 0.1)
            x = jnp.tanh(x @ w)
            x = x + 1.0
        """,
    "leaves of a model": """
        shapes = ((7, 31), (31,), (31, 17), (17,), (17, 12), (12,), (12, 5), (5,))
        params = [np.ones(shape, np.float32) for shape in shapes]
        params = [jnp.asarray(each) * 0.9 for each in params]
        params = jax.tree.map(lambda each: each - 0.1, params)
        """,
    "few shapes of one kernel": """
        def kernel(x, y):
            return jnp.exp(-0.5 * (x - y) ** 2).sum()
        for n in (13, 27, 41):
            kernel(np.ones(n, np.float32), np.ones(n, np.float32))
        """,
    "buckets": """
        for n in (16, 32, 64, 128, 256):
            jnp.cumsum(np.ones(n, np.float32))
        """,
    "two problems, one helper": """
        def integrate(field, start):
            return jax.lax.fori_loop(0, 7, lambda i, x: x + 0.1 * field(x), start)
        for _ in range(3):
            pass
        integrate(lambda x: -x, jnp.ones(3))
        integrate(lambda x: jnp.sin(x) * x, jnp.ones(3))
        """,
    "one body, two lengths": """
        def advance(carry, x):
            return carry + x, carry
        for n in (5, 9, 5, 9):
            jax.lax.scan(advance, jnp.float32(0), np.ones(n, np.float32))
        """,
    "a layer of each width in a class": """
        class Net:
            def __init__(self, key, widths):
                self.layers = [jnp.zeros(n) for n in widths]
        Net(None, (31, 17, 12, 7, 5))
        """,
    "grad and vmap of one size": """
        def loss(x):
            return jnp.sum(jnp.cos(x) ** 2)
        x = np.ones((6, 9), np.float32)
        loss(x[0]), jax.grad(loss)(x[0]), jax.vmap(loss)(x)
        """,
}

POSITIVE = {
    "sizes of a helper": (
        """
        def standardise(x):
            centred = x - jnp.mean(x)
            return jnp.tanh(centred / jnp.max(x))
        for n in (11, 23, 37, 41, 53):
            standardise(np.ones(n, np.float32))
        """,
        ("eager_shape", "standardise", 0),
    ),
    "history that grows": (
        """
        history = jnp.zeros(0)
        for step in range(6):
            history = jnp.append(history, jnp.float32(step))
        """,
        ("eager_shape", "append", 4),
    ),
    "plot of all losses": (
        """
        class Plot:
            def __init__(self):
                self.losses = []
            def on_step(self, loss):
                self.losses.append(loss)
                if len(self.losses) % 10 == 0:
                    curve = jnp.asarray(np.float32(self.losses))
                    return np.asarray(jnp.cumsum(curve) / 2.0)
        plot = Plot()
        for step in range(60):
            plot.on_step(float(step))
        """,
        ("eager_shape", "Plot.on_step", 9),
    ),
    "vmap outside jit": (
        """
        def f(x):
            return jnp.tanh(x) * 2.0 - x.max()
        for n in (3, 7, 5, 11):
            jax.vmap(f)(np.ones((n, 6), np.float32))
        """,
        ("eager_shape", "f", 5),
    ),
    "body that is new each time": (
        """
        def rnn(w, xs):
            def step(h, x):
                return jnp.tanh(w * h + x), h
            return jax.lax.scan(step, jnp.zeros(3), xs)[1]
        for n in (5, 6, 7, 5, 6, 7):
            rnn(jnp.float32(0.5), np.ones((n, 3), np.float32))
        """,
        ("function_identity", "rnn", 5),
    ),
    "number of steps": (
        """
        def double(i, x):
            return x * 2
        def run(n):
            return jax.lax.fori_loop(0, n, double, jnp.float32(1))
        for n in (3, 4, 5, 8):
            run(n)
        """,
        ("static_value", "run", 5),
    ),
    "solver": (
        """
        from jax.scipy.sparse.linalg import cg
        def solve(scale, b):
            return cg(lambda x: scale * x, b, maxiter=5)[0]
        for scale in (2.0, 3.0, 4.0):
            solve(jnp.float32(scale), np.ones(4, np.float32))
        """,
        ("function_identity", "solve", 4),
    ),
    "pmap of a lambda": (
        """
        for _ in range(3):
            jax.pmap(lambda x: x * 3)(np.ones((2, 3), np.float32))
        """,
        ("function_identity", None, 3),
    ),
}


@functools.cache
def snapshot_of(name: str) -> Snapshot:
    return run(POSITIVE[name][0])


def place_of(name: str) -> Place:
    return places(snapshot_of(name))[0]


@pytest.mark.parametrize("name", INNOCENT)
def test_innocent_work_is_not_accused(name: str) -> None:
    assert told(INNOCENT[name]) == []


@pytest.mark.parametrize("name", POSITIVE)
def test_place_that_compiles_again_and_again_is_one_finding(name: str) -> None:
    cause, function, line = POSITIVE[name][1]
    made = snapshot_of(name)
    (place,) = places(made)

    assert (place.finding.cause, place.finding.function) == (cause, function or place.operations[0])
    assert line == 0 or place.finding.call_site == f"program.py:{line}"
    assert 0 < place.finding.compiles < place.programs
    assert place.programs <= sum(one.stages.compiles for one in made.others)


def test_helper_is_one_finding_with_all_its_operations_and_lines() -> None:
    place = place_of("sizes of a helper")

    assert {"subtract", "tanh", "true_divide"} <= set(place.operations)
    assert {site.place for site in place.lines} == {"program.py:3", "program.py:4"}
    assert list(place.sizes) == ["f32[11]", "f32[23]", "f32[37]", "f32[41]", "f32[53]"]
    assert place.finding.compiles == place.programs * 4 // 5
    assert "jax.jit around standardise" in place.finding.advice


def test_advice_is_what_helps_at_that_place() -> None:
    assert "convert once at the end" in place_of("history that grows").finding.advice
    assert "np.asarray" in place_of("plot of all losses").finding.advice
    assert "jax.jit(jax.vmap(f))" in place_of("vmap outside jit").finding.advice
    assert "jax.jit around run, with the number of steps as an argument" in place_of("number of steps").finding.advice


def test_solver_is_named_as_the_user_wrote_it() -> None:
    finding = place_of("solver").finding

    assert finding.message.startswith("cg compiled ")
    assert "the whole call of cg" in finding.advice
    assert "jaxpr" not in finding.message.lower()


def test_body_is_named_with_its_line() -> None:
    assert "step (program.py:3)" in place_of("body that is new each time").finding.message


INITIALISED = """
    class Net:
        def __init__(self, key, widths):
            self.layers = []
            for n, m in zip(widths, widths[1:]):
                self.layers.append((jnp.full((n, m), 0.1) / jnp.sqrt(n), jnp.zeros(m)))
    def main():
        return Net(None, (7, 33, 21, 11, 5))
    main()
    """


def noted(snapshot: Snapshot, code: str = "JW902") -> list[Any]:
    return [note for note in notes(snapshot) if note.code == code]


def test_initialisation_is_a_note_at_the_authors_line() -> None:
    made = run(INITIALISED)

    assert places(made) == ()
    (note,) = noted(made)
    assert (note.function, note.call_site) == ("Net.__init__", "program.py:8")
    assert "small programs" in note.message and "under one jax.jit it is 1 program" in note.message


def test_few_or_quick_programs_are_no_note() -> None:
    assert noted(run("class A:\n    def __init__(self):\n        self.x = jnp.ones(3)\nA()")) == []


SOLVED = """
    solver = types.ModuleType("solver")
    exec(compile(SOLVER, "/lib/site-packages/solver.py", "exec"), solver.__dict__)
    def main(data):
        return solver.smooth(data)
    main(np.ones((6, 2), np.float32))
    """
SOLVER = """
import jax, jax.numpy as jnp
def checked(function):
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner
@checked
def smooth(data):
    mean = _initial(data)
    centred = jnp.abs(data - mean) / jnp.sqrt(jnp.var(data) + 1.0)
    total, path = jax.lax.scan(lambda carry, x: (carry + x, carry * x), jnp.zeros(2), centred)
    return jnp.exp(-total) * jnp.cos(path).sum(axis=0) + jnp.tanh(mean)
def _initial(data):
    return jnp.mean(data) * 2.0
"""


def test_one_call_of_a_librarys_solver_is_a_note_at_the_authors_line() -> None:
    made = run(f"import types\nSOLVER = {SOLVER!r}\n" + textwrap.dedent(SOLVED))

    assert places(made) == ()
    (note,) = noted(made)
    assert (note.function, note.call_site) == ("smooth", "program.py:7")
    assert "smooth runs operation by operation" in note.message and "Put the whole call" in note.advice


def test_an_initialiser_that_a_library_calls_is_told_with_the_call_that_the_author_makes() -> None:
    many = "sum(jnp.full((power + 2, power + 3), 0.5).sum() for power in range(8))"
    source = SOLVER.replace("    total, path", "    return mean\n    total, path").replace("jnp.mean(data) * 2.0", many)
    (note,) = noted(run(f"import types\nSOLVER = {source!r}\n" + textwrap.dedent(SOLVED)))

    assert (note.function, note.call_site) == ("_initial", "program.py:7")
    assert note.advice.startswith("It is smooth that calls it: put that whole call into a function under jax.jit")


def test_a_plot_that_a_library_makes_is_no_note() -> None:
    source = SOLVER.replace(
        "jax.lax.scan(lambda carry, x: (carry + x, carry * x), jnp.zeros(2), centred)", "data, data"
    )
    assert noted(run(f"import types\nSOLVER = {source!r}\n" + textwrap.dedent(SOLVED))) == []


def test_what_is_not_mapped_under_vmap_was_not_dropped() -> None:
    """JAX compiles it for each mapped size to the same program, and no cache was cleared."""
    made = told(
        """
        scale = jnp.ones(2)
        def f(x):
            return 6.28 * scale + jnp.abs(x)
        for n in (2, 3, 4, 5):
            jax.vmap(f)(np.ones(n, np.float32))
        """
    )

    assert [cause for cause, _, _ in made] == ["eager_shape"]


def test_an_array_that_is_gone_through_is_a_note_and_numpy_removes_it() -> None:
    source = """
        def plot(points):
            return [float(x) for x in points]
        {}
        plot(points)
        """
    (note,) = noted(run(source.format("points = jnp.arange(150.0)")), "JW903")

    assert (note.call_site, note.evidence) == ("program.py:3", "proved")
    assert note.message.startswith("A jax.Array is gone through element by element")
    assert noted(run(source.format("points = np.arange(150.0)")), "JW903") == []
    assert noted(run("a, b = jnp.arange(2.0)"), "JW903") == []


def test_what_an_initialisation_takes_apart_is_part_of_it() -> None:
    source = INITIALISED.replace("self.layers = []", "a, b = jnp.ones(2)").replace("self.layers.append", "print")
    with_iteration = run(source)
    iterated = [each for each in with_iteration.others if each.name.lstrip("_") == "unstack"]
    (note,) = noted(with_iteration)

    assert iterated and note.compiles + 1 == sum(b.count for other in with_iteration.others for b in other.builds)
