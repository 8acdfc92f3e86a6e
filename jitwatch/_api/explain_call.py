"""`explain_call`: what a call would do, and why, without compiling."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec

from jitwatch import _config
from jitwatch._capture import jax_internals
from jitwatch._capture.events import fingerprints, reuse
from jitwatch._capture.events.fingerprints import Looked, Taken
from jitwatch._capture.events.frames import Frame, push, thread_state
from jitwatch._capture.hook.registry import watch_of
from jitwatch._capture.hook.watch import Watch
from jitwatch._capture.jax_internals import Compilation, XlaCall
from jitwatch._errors import JitwatchError, repr_of
from jitwatch._explain.explain import change_text
from jitwatch._model import Change
from jitwatch._policy.reasons import reason
from jitwatch._words.quantity_text import seconds_text
from jitwatch._words.safe_text import clean

_MAX_CHANGES = 6
_SAID = {
    "hit": "would hit JAX's dispatch cache",
    "cached": "would compile nothing: JAX has its executable in memory, though not in the dispatch cache",
    "load": "would load its program from the persistent cache",
    "reuse": "would reuse the executable of an identical program of this process",
    "compile": "would compile",
}


class ExplainedCall(msgspec.Struct, frozen=True):
    """What a call would do. As text, it says so in words."""

    function: str
    outcome: str
    """`hit` (JAX's dispatch cache), `cached` (nothing is compiled, but the call takes the slow way once), `load` (from
    the persistent cache), `reuse`, or `compile`; `unknown` where jitwatch is off."""
    changes: tuple[Change, ...]
    """Against the nearest key that has a program; empty for the first one, and where nothing is to be explained."""
    nearest: int | None
    """Number of that key."""
    program: str
    """Fingerprint of the program; empty where it was not looked at."""
    known: bool
    """Whether this process has compiled or loaded an identical program before."""
    spent_s: float
    """What the answer cost: a trace and a lowering, which the call then need not do again; nothing for a hit."""

    def __str__(self) -> str:
        """The whole in words, names of the program's made safe."""
        if self.outcome == "unknown":
            return f"Nothing is known of this call of {clean(self.function, 80)}: jitwatch is off."
        text = f"This call of {clean(self.function, 80)} {_SAID[self.outcome]}."
        if self.outcome == "compile" and self.known:
            text += " An identical program was compiled in this process before; jitwatch.reuse() would spare this one."
        if self.outcome not in ("hit", "cached"):
            text += f"\n  {self._why()}"
        cost = f"{seconds_text(self.spent_s)}, for tracing and lowering" if self.spent_s else "nothing"
        return f"{text}\n  The answer took {cost}."

    def _why(self) -> str:
        if not self.changes:
            return "It would be the first program of the function."
        shown = [clean(change_text(change), 400) for change in self.changes[:_MAX_CHANGES]]
        more = len(self.changes) - len(shown)
        than = f" than key {self.nearest}" if self.nearest is not None else ""
        return f"Other{than}: {'; '.join([*shown, f'and {more} more'] if more else shown)}."


def explain_call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> ExplainedCall:
    """Say what a call with these arguments would do now: hit, load, reuse or compile, and why. It compiles nothing.

    Where the dispatch cache would not answer, the function is traced and lowered, as by its `lower`, and counted as
    work ahead of time; the call itself need not do that again. Settings and context managers in force count.

    Args:
        function: A watched function.
        *args: Of the call.
        **kwargs: Of the call.

    Raises:
        JitwatchError: The function is not watched, or this JAX does not let its programs be looked at.
        Exception: What JAX or the function raises when it is traced with these arguments.
    """
    watch = watch_of(function)
    if watch is None and _config.is_off() and callable(function):
        return ExplainedCall(str(getattr(function, "__name__", "")), "unknown", (), None, "", False, 0.0)
    if watch is None:
        raise JitwatchError(
            f"{repr_of(function)} is not a watched function; give one made by watched_jit, or jitwatch.watch(it)."
        )
    if not jax_internals.fingerprints_available():
        raise JitwatchError("This version of JAX does not let jitwatch look at a program before it is compiled.")
    name = watch.record.name
    key = watch.key_maker.call(args, kwargs).key
    known = watch.record.keys.get(key)
    if known is not None and known.entry() is not None:
        return ExplainedCall(name, "hit", (), known.number, "", True, 0.0)
    found = reason(watch.record, key)
    begun_s = perf_counter()
    outcome, program, seen = _outcome(watch, args, kwargs)
    return ExplainedCall(name, outcome, found.changes, found.nearest, program, seen, perf_counter() - begun_s)


def _outcome(watch: Watch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str, bool]:
    """What JAX would do for the program of a call, its fingerprint, and whether it was there before."""
    lowered = watch.ahead("lower", args, kwargs)
    found: list[tuple[str, str, bool]] = []

    def look(compilation: Compilation, taken: Taken, seen: bool) -> None:
        found.append((_source(compilation, taken), taken.program, seen))

    stack = thread_state().stack
    depth = len(stack)
    try:
        push(Frame("inspect", None))
        with fingerprints.looking(look):
            lowered.compile()
    except Looked:
        return found[0]
    finally:
        del stack[depth:]
    return "cached", "", True


def _source(compilation: Compilation, taken: Taken) -> str:
    if jax_internals.is_in_persistent_cache(compilation):
        return "load"
    limits = reuse.reuse().limits()
    call = XlaCall(
        compilation.backend, compilation.computation, tuple(compilation.devices.flat), compilation.compile_options,
        compilation.host_callbacks,
    )  # fmt: skip
    asked = None if limits is None else reuse.of_program(taken, call, limits)
    return "reuse" if asked is not None and reuse.reuse().has(asked) else "compile"
