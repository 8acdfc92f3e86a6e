"""What goes wrong in a watched function looks as with plain `jax.jit`: the exception, its notes, its traceback."""

from __future__ import annotations

import os
import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from side_by_side import same, without_addresses

import jitwatch
from jitwatch import watched_jit

MODES = ["off", "tracebackhide", "remove_frames", "quiet_remove_frames"]
OWN_FOLDER = os.path.dirname(jitwatch.__file__)


def of_jitwatch(frame) -> bool:
    """Whether a frame is jitwatch's, or the one that JAX puts around each of its entries."""
    file = frame.f_code.co_filename
    return file.startswith(OWN_FOLDER) or frame.f_code.co_name == "reraise_with_filtered_traceback"


def picture(error, mode):
    """An exception with all that hangs on it, in comparable form.

    Frames of jitwatch are left out only where JAX keeps its own: in the modes `off` and `tracebackhide`, in the
    unfiltered cause that `remove_frames` adds, and in what is no `Exception`.
    """
    if error is None:
        return None
    if type(error).__name__ == "UnfilteredStackTrace" or not isinstance(error, Exception):
        mode = "off"
    unfiltered = mode in ("off", "tracebackhide")
    frames = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        hidden = bool(frame.f_locals.get("__tracebackhide__"))
        if unfiltered and of_jitwatch(frame):
            assert hidden or mode != "tracebackhide"
        else:
            frames.append((frame.f_code.co_filename, frame.f_code.co_name, line, hidden))
    return (
        type(error), without_addresses(str(error)), getattr(error, "__notes__", None), frames,
        picture(error.__cause__, mode), picture(error.__context__, mode), error.__suppress_context__,
    )  # fmt: skip


def failure(call, mode):
    """The picture of what `call()` raises under a mode of traceback filtering."""
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", mode)
    try:
        call()
    except BaseException as error:
        return picture(error, mode)
    finally:
        jax.config.update("jax_traceback_filtering", before)
    raise AssertionError("nothing was raised")


def broken(x):
    raise ValueError("broken")


def calls_broken(x):
    try:
        return broken(x)
    except ValueError as error:
        raise KeyError("outer") from error


def branches(x):
    return 1 if x > 0 else 2


CASES = {
    "call": lambda jit: jit(broken)(1.0),
    "cause": lambda jit: jit(calls_broken)(1.0),
    "nested": lambda jit: jit(lambda x: jit(broken)(x))(1.0),
    "grad": lambda jit: jax.grad(jit(broken))(1.0),
    "vmap": lambda jit: jax.vmap(jit(broken))(jnp.ones(3)),
    "jit of grad": lambda jit: jit(jax.grad(jit(broken)))(1.0),
    "scan": lambda jit: jax.lax.scan(jit(lambda carry, x: broken(x)), 0.0, jnp.ones(3)),
    "lower": lambda jit: jit(broken).lower(1.0),
    "trace": lambda jit: jit(broken).trace(1.0),
    "eval_shape": lambda jit: jit(broken).eval_shape(1.0),
    "jax.eval_shape": lambda jit: jax.eval_shape(jit(broken), 1.0),
    "make_jaxpr": lambda jit: jax.make_jaxpr(jit(broken))(1.0),
    "branch": lambda jit: jit(branches)(1.0),
    "concrete": lambda jit: jit(lambda x: int(x))(1.0),
    "array": lambda jit: jit(lambda x: np.asarray(x))(1.0),
    "shapes": lambda jit: jit(lambda x: x + jnp.ones(3))(jnp.ones(4)),
    "output": lambda jit: jit(lambda x: "text")(1.0),
    "argument": lambda jit: jit(lambda x: x)("text"),
    "missing": lambda jit: jit(branches)(),
    "too many": lambda jit: jit(branches)(1.0, 2.0),
    "unhashable static": lambda jit: jit(lambda x, n: x, static_argnums=1)(1.0, [1]),
    "key error in hash": lambda jit: jit(lambda x, n: x, static_argnums=1)(1.0, BadHash()),
    "deleted": lambda jit: (x := jnp.ones(3), x.delete(), jit(lambda x: x)(x)),
    "vmap axis": lambda jit: jax.vmap(jit(lambda x: x), in_axes=5)(jnp.ones(3)),
    "interrupt": lambda jit: jit(interrupted)(1.0),
    "exit": lambda jit: jit(lambda x: exit(3))(1.0),
    "method": lambda jit: Net(jit).step(1.0),
    "partial": lambda jit: jit(jax.tree_util.Partial(broken))(1.0),
}  # fmt: skip


class BadHash:
    def __hash__(self):
        raise KeyError("no hash")


class Net:
    def __init__(self, jit):
        self.step = jit(self._step)

    def _step(self, x):
        raise ValueError("broken")


def interrupted(x):
    raise KeyboardInterrupt


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_exception_is_that_of_plain_jit(case, mode) -> None:
    same(lambda jit: failure(lambda: CASES[case](jit), mode))


@pytest.mark.parametrize("mode", MODES)
def test_exception_under_disable_jit_is_that_of_plain_jit(mode) -> None:
    def observe(jit):
        calls = [lambda: jit(lambda x: jit(broken)(x))(1.0), lambda: jax.grad(jit(broken))(1.0)]
        with jax.disable_jit():
            return [failure(call, mode) for call in calls]

    same(observe)


def test_traceback_under_disable_jit_has_no_frame_of_jitwatch() -> None:
    with jax.disable_jit(), pytest.raises(ValueError) as raised:
        watched_jit(broken)(1.0)

    assert [entry.name for entry in raised.traceback][1:] == ["broken"]


@pytest.mark.parametrize("mode", MODES)
def test_second_failure_is_that_of_plain_jit(mode) -> None:
    def observe(jit):
        f = jit(broken)
        return [failure(lambda: f(1.0), mode) for _ in range(2)]

    same(observe)


@pytest.mark.parametrize("mode", MODES)
def test_nan_found_by_debug_nans_is_reported_as_with_plain_jit(mode) -> None:
    def observe(jit):
        f = jit(lambda x: jnp.log(x))
        with jax.debug_nans(True):
            first = failure(lambda: f(-1.0), mode)
            f(1.0)
            return first, failure(lambda: f(-1.0), mode)

    same(observe)


def test_nan_search_counts_no_trace() -> None:
    f = watched_jit(lambda x: jnp.log(x))

    with jax.debug_nans(True):
        f(1.0)
        with pytest.raises(FloatingPointError):
            f(-1.0)

    assert f.cache_info().traces == 1


def test_leaked_tracer_is_reported_as_with_plain_jit() -> None:
    def observe(jit):
        leaked = []
        jit(lambda x: leaked.append(x) or x)(1.0)
        return failure(lambda: leaked[0] + 1, "quiet_remove_frames")

    same(observe)


def test_leak_is_found_by_checking_leaks() -> None:
    def observe(jit):
        leaked = []
        with jax.checking_leaks():
            kind, message, *_ = failure(lambda: jit(lambda x: leaked.append(x) or x)(1.0), "quiet_remove_frames")
        return kind, message.splitlines()[0].split(" with ")[0]

    same(observe)


def test_function_without_leak_passes_checking_leaks() -> None:
    with jax.checking_leaks():
        f = watched_jit(lambda x: x * 2)
        assert (f(1.0), f(1.0), jax.grad(f)(1.0), f.lower(1.0).compile()(1.0)) == (2, 2, 2, 2)
