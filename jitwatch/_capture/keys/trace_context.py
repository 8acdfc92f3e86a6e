"""The settings and context managers that are part of a key."""

from __future__ import annotations

from typing import Any

from jitwatch import _state
from jitwatch._capture.jax_internals import contexts
from jitwatch._capture.keys.shardings import mesh_text
from jitwatch._capture.keys.values import describe

_CONTEXT_NAMES = {
    "mesh_context_manager": "mesh (mesh_context_manager)",
    "abstract_mesh_context_manager": "abstract mesh (abstract_mesh_context_manager)",
    "compute_on_context_manager": "compute_on (compute_on_context_manager)",
    "xla_metadata_context_manager": "xla_metadata (xla_metadata_context_manager)",
    "axis_env_state": "axis names (axis_env_state)",
}
"""What users call the entries of JAX's trace context that are no config values, with JAX's own name."""


class _Contexts:
    """The settings when watching began, and those seen since in readable form."""

    def __init__(self) -> None:
        self.initial: tuple[Any, ...] = ()
        self.known: dict[Any, tuple[tuple[str, str], ...]] = {}


def remember_initial_context() -> None:
    """Take the settings of now as those that go without saying."""
    _state.part(_Contexts).initial = contexts.trace_context()


def x64_at_start() -> bool:
    """Whether 64-bit types were on when watching began."""
    initial = _state.part(_Contexts).initial
    return bool(dict(zip(contexts.context_names(), initial, strict=False)).get("jax_enable_x64"))


def context_now() -> tuple[tuple[str, str], ...]:
    """The settings on this thread that are part of a key, as far as they changed since watching began."""
    values = contexts.trace_context()
    seen = _state.part(_Contexts)
    if values == seen.initial:  # no hash of them all: a call that JAX always dispatches in Python comes here each time
        return ()
    known = seen.known.get(values)
    if known is None:
        if len(seen.known) >= 64:  # contexts can hold objects of the user's: keep few
            seen.known.clear()
        known = seen.known[values] = tuple(
            (_CONTEXT_NAMES.get(name, name), _context_text(value))
            for name, value, initial in zip(contexts.context_names(), values, seen.initial, strict=False)
            if not (value is initial or value == initial)
        )
    return known


def _context_text(value: Any) -> str:
    if hasattr(value, "axis_names") and hasattr(value, "shape"):
        return mesh_text(value)
    return describe(value)
