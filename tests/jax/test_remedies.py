"""What a finding promises is what its remedy saves: compiles counted by JAX itself, before and after.

One tiny program for each cause and each class of programs (identical, equal but for placement, for what is no
operation, for precision, for constants, for sizes, and different). `tests/jax/test_findings.py` has the findings of
each code, `tests/jax/test_advice.py` the sizes of an advice, and `tests/causes/score.py --repaired` holds the larger
programs to the same.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.experimental.layout
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jitwatch
from jitwatch._judge.eager import places
from jitwatch._judge.judge import CODES, judge
from jitwatch._model import Finding
from jitwatch._state import State, use

Program = Callable[[bool], None]
VECTOR = np.ones(3, np.float32)
MATRIX = np.ones((4, 4), np.float32)
PROGRAMS: dict[tuple[str, str], Program] = {}


def program(cause: str, kind: str) -> Callable[[Program], Program]:
    """Enter a program, which is told whether to run with its remedy, under its cause and the class of its programs."""

    def enter(function: Program) -> Program:
        PROGRAMS[cause, kind] = function
        return function

    return enter


def use_often(function: Callable[..., Any], *arguments: Any) -> None:
    for _ in range(4):
        function(*arguments)


@program("function_identity", "identical")
def jitted_anew(mended: bool) -> None:
    def step(x):
        return x * 2

    once = jax.jit(lambda x: step(x))
    for _ in range(5):
        use_often(once if mended else jax.jit(lambda x: step(x)), VECTOR)


@program("static_identity", "identical")
def static_object_made_anew(mended: bool) -> None:
    class Model:
        def __call__(self, x):
            return x + 1

    @functools.partial(jax.jit, static_argnames="model")
    def step(model, x):
        return model(x)

    shared = Model()
    for _ in range(4):
        use_often(step, shared if mended else Model(), VECTOR)


@program("static_value", "identical")
def number_of_another_type(mended: bool) -> None:
    @functools.partial(jax.jit, static_argnames="width")
    def step(x, width):
        return x.reshape(-1, width)

    use_often(functools.partial(step, width=2), MATRIX)
    use_often(functools.partial(step, width=2 if mended else np.int64(2)), MATRIX)


@program("tree_structure", "identical")
def list_in_place_of_a_tuple(mended: bool) -> None:
    @jax.jit
    def step(layers, x):
        return layers[0] * x + layers[1]

    use_often(step, (VECTOR, VECTOR), VECTOR)
    use_often(step, (VECTOR, VECTOR) if mended else [VECTOR, VECTOR], VECTOR)


@program("arg_kind", "identical")
def keyword_in_place_of_a_position(mended: bool) -> None:
    @jax.jit
    def step(x, rate):
        return x * rate

    use_often(step, VECTOR, 0.5)
    use_often(functools.partial(step) if mended else lambda x, rate: step(x, rate=rate), VECTOR, 0.5)


@program("committed", "identical")
def committed_late(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x + 1

    device = jax.devices()[0]
    use_often(step, jax.device_put(VECTOR, device) if mended else jax.device_put(VECTOR))
    use_often(step, jax.device_put(VECTOR, device))


@program("config_context", "identical")
def checks_in_the_first_epoch(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x + x

    with contextlib.nullcontext() if mended else jax.numpy_dtype_promotion("strict"):
        use_often(step, VECTOR)
    use_often(step, VECTOR)


@program("cache_cleared", "identical")
def cleared_between_trials(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x - 1

    for _ in range(4):
        use_often(step, VECTOR)
        if not mended:
            step.clear_cache()


@program("other", "placement")
def jitted_with_and_without_donation(mended: bool) -> None:
    def step(x):
        return x + 1

    one = jax.jit(step)
    other = one if mended else jax.jit(step, donate_argnums=0)
    for function in (one, other):
        for _ in range(4):
            function(jax.device_put(VECTOR))


@program("sharding", "placement")
def spread_after_the_first_step(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x * 3

    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    spread, whole = (NamedSharding(mesh, PartitionSpec(*names)) for names in (["data"], []))
    step(jax.device_put(MATRIX, spread if mended else whole))
    use_often(step, jax.device_put(MATRIX, spread))


@program("layout", "placement")
def stored_column_major(mended: bool) -> None:
    if not hasattr(jax.experimental.layout, "Format"):
        pytest.skip("this JAX names layouts otherwise")
    from jax.experimental.layout import Format, Layout

    @jax.jit
    def step(kernel):
        return kernel.sum()

    kernel = jax.device_put(np.ones((8, 4), np.float32), jax.devices()[0])
    step(kernel)
    use_often(step, kernel if mended else jax.device_put(kernel, Format(Layout((1, 0)), kernel.sharding)))


@program("weak_type", "no operation")
def begun_with_a_python_number(mended: bool) -> None:
    @jax.jit
    def step(best, x):
        return best + x

    best = np.float32(0) if mended else 0.0
    for _ in range(5):
        best = step(best, np.float32(1))


@program("config_context", "precision")
def precision_of_the_first_call(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x @ x

    with contextlib.nullcontext() if mended else jax.default_matmul_precision("highest"):
        step(MATRIX)
    use_often(step, MATRIX)


@program("static_value", "constants")
def rate_that_is_static(mended: bool) -> None:
    def step(x, rate):
        return x * rate

    step = jax.jit(step, static_argnames=() if mended else "rate")
    for epoch in range(5):
        use_often(functools.partial(step, rate=0.1 * epoch), VECTOR)


@program("function_identity", "constants")
def rate_in_a_closure(mended: bool) -> None:
    traced = jax.jit(lambda x, rate: x * rate)

    def step_with(rate):
        def step(x):
            return x * rate

        return jax.jit(step)

    for epoch in range(5):
        rate = 0.1 * (epoch + 1)
        use_often((lambda x, rate=rate: traced(x, rate)) if mended else step_with(rate), VECTOR)


@program("shape", "sizes")
def every_text_of_its_own_length(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x.sum()

    for size in (5, 7, 3, 9, 11, 6):
        padded = 7 if size <= 7 else 11
        step(np.zeros(padded if mended else size, np.float32))


@program("shape", "last batch")
def smaller_last_batch(mended: bool) -> None:
    @jax.jit
    def step(x):
        return x.sum()

    for _ in range(3):
        for size in (32, 32, 32, 32 if mended else 20):
            step(np.zeros((size, 2), np.float32))


@program("dtype", "different")
def one_shard_of_another_dtype(mended: bool) -> None:
    @jax.jit
    def step(weights, tokens):
        return weights[tokens]

    for shard in range(6):
        use_often(step, VECTOR, np.ones(8, np.int16 if shard == 3 and not mended else np.int32))


@program("tree_structure", "different")
def mask_that_comes_and_goes(mended: bool) -> None:
    @jax.jit
    def step(x, mask):
        return x.sum() if mask is None else (x * mask).sum()

    for batch in range(6):
        step(VECTOR, VECTOR if mended or batch % 2 else None)


@program("arg_kind", "different")
def rate_left_to_its_default(mended: bool) -> None:
    @jax.jit
    def step(x, rate=0.5):
        return x * rate

    step(*((VECTOR, 0.5) if mended else (VECTOR,)))
    use_often(step, VECTOR, 0.5)


@program("key_impl", "different")
def key_of_another_generator(mended: bool) -> None:
    @jax.jit
    def step(key):
        return jax.random.uniform(key, (3,))

    step(jax.random.wrap_key_data(np.zeros(2 if mended else 4, np.uint32), impl="threefry2x32" if mended else "rbg"))
    use_often(step, jax.random.wrap_key_data(np.zeros(2, np.uint32), impl="threefry2x32"))


@program("function_identity", "eager")
def eager_scan_with_a_new_body(mended: bool) -> None:
    def step(start, pull, xs):
        return jax.lax.scan(lambda carry, x: (carry * pull + x, None), start, xs)[0]

    step = jax.jit(step) if mended else step
    for episode in range(6):
        step(np.float32(0), np.float32(episode), np.ones(37, np.float32))


@program("eager_shape", "eager")
def eager_sort_of_each_length(mended: bool) -> None:
    for size in range(501, 507):
        jax.numpy.sort(np.ones(507 if mended else size, np.float32))


def findings_of(run: Callable[[], None]) -> list[Finding]:
    """All that is said of a program that nothing ran before."""
    with use(State()), jitwatch.watching(count_hits=True):
        run()
        data = jitwatch.snapshot()
        found = [finding for findings in judge(data).values() for finding in findings]
        return found + [place.finding for place in places(data)]


def programs(compiled: list[str]) -> int:
    """How many programs were compiled, without JAX's own for moving an array."""
    return sum("device_put" not in name for name in compiled)


@pytest.mark.parametrize(("cause", "kind"), PROGRAMS)
def test_remedy_saves_what_its_finding_promised(cause: str, kind: str, backend_compiles: list[str]) -> None:
    run = PROGRAMS[cause, kind]

    found = findings_of(lambda: run(False))
    before = programs(backend_compiles)
    found_after = findings_of(lambda: run(True))
    after = programs(backend_compiles) - before

    assert [finding.cause for finding in found] == [cause]
    assert sum(finding.compiles for finding in found) == before - after
    assert found_after == []


def test_every_cause_of_a_needless_compile_has_a_program() -> None:
    # What the persistent cache did not answer takes two processes: C22 and C23 of tests/causes. The last two of these
    # are about compiles that are not too many: a slow dispatch, and a program that is out of date.
    elsewhere = {"persistent_miss", "stuck", "stale_capture"}

    assert {cause for cause, _ in PROGRAMS} | elsewhere == set(CODES)
