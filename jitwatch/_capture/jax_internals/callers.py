"""What of JAX a program called, told by the names of JAX's functions that run on this thread."""

from __future__ import annotations

from types import FrameType

_TRANSFORMS = frozenset(("vmap", "shard_map", "grad", "value_and_grad", "jacfwd", "jacrev", "hessian"))
_PLUMBING = frozenset(
    f"jax._src.{name}"
    for name in (
        "api", "api_util", "array", "compiler", "core", "custom_derivatives", "dispatch", "interpreters.ad",
        "interpreters.batching", "interpreters.mlir", "interpreters.pxla", "linear_util", "monitoring",
        "numpy.array_methods", "pjit", "profiler", "traceback_util", "tree_util", "util",
    )
)  # fmt: skip
"""Modules through which JAX calls itself, and what stands for an operator, not for a function that users name."""


def is_of_jax(frame: FrameType) -> bool:
    """Whether a frame runs code of JAX's."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in ("jax", "jaxlib")


def called_name(frame: FrameType) -> str:
    """The name by which users know the function of JAX's that a frame runs, such as `fori_loop`; empty if by none."""
    if is_iteration(frame):
        return "iter"
    if not is_of_jax(frame) or frame.f_globals.get("__name__") in _PLUMBING:
        return ""
    name, _, method = frame.f_code.co_qualname.partition(".")  # such as what `vectorize` returns
    return "" if name.startswith(("_", "<")) or (method and not method.startswith("<locals>")) else name


def is_iteration(frame: FrameType) -> bool:
    """Whether a frame hands out the elements of an array, one by one: of a method, or of a function (JAX 0.12)."""
    name = frame.f_code.co_qualname
    return name.startswith(("ArrayImpl.__iter__", "_iter.")) and frame.f_globals.get("__name__") == "jax._src.array"


def transform_name(frame: FrameType) -> str:
    """The transform whose function a frame runs outside jit, such as `vmap`: operation by operation; empty if none."""
    made_by, _, function = frame.f_code.co_qualname.partition(".<locals>.")
    name = made_by.lstrip("_")
    return name if function and name in _TRANSFORMS and is_of_jax(frame) else ""


def is_initializer(frame: FrameType) -> bool:
    """Whether a frame runs one of `jax.nn.initializers`."""
    return str(frame.f_globals.get("__name__", "")).endswith("nn.initializers") and is_of_jax(frame)
