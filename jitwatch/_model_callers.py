"""The structs of who asked for a program: the user's line, and what stands around it.

Part of the model, and to be imported from `_model`, as all of it.
"""

from __future__ import annotations

import msgspec

from jitwatch._model_keys import Count, Seconds


class CallSite(msgspec.Struct, frozen=True, gc=False):
    """A line of the user's that led to misses."""

    place: str
    misses: Count
    lost_s: Seconds
    """Seconds in the stages of those misses."""
    library: str = ""
    """The library that called JAX there, where it was not the user's own frame."""


class Origin(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, cache_hash=True):
    """Who asked for a program that is no watched function's, beyond the user's line."""

    function: str = ""
    """The user's function around the line, such as `Dashboard.redraw`; empty at module level."""
    defined_at: str = ""
    """Its definition."""
    called_at: str = ""
    """The user's line that called it."""
    looped: bool = False
    """Whether the line stands in a loop of that function."""
    called: str = ""
    """What of JAX's the line called, such as `fori_loop`; empty for an operator, and for what JAX itself jits."""
    under: str = ""
    """The outermost transform outside jit (`vmap`), or initialiser (`Net.__init__`), that runs the line."""
    under_at: str = ""
    """The user's line that called it."""
    initialises: bool = False
    """Whether it is an initialiser."""
    mapped: bool = False
    """Whether a `vmap` outside jit runs the line, whoever applied it: JAX compiles for its size."""
    within: str = ""
    """The library's function that the line called, such as `Solver.run`; empty where it called JAX itself."""
