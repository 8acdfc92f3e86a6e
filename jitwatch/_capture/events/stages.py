"""Attributes each stage that JAX runs to the call, the helper or the eager operation that caused it.

`jax.monitoring` says on the running thread that a stage ended and under which name. A stack for each thread (`frames`)
says whose it was. An event is never a trace by itself: JAX 0.9 and later send the trace event for a hit in the tracing
cache too. That the Python body ran is the only sure sign.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import jax

from jitwatch import _faults, _state
from jitwatch._capture import jax_internals
from jitwatch._capture.events import fingerprints, guard, reuse, unwatched
from jitwatch._capture.events.frames import Compiling, TracedBody, thread_state
from jitwatch._capture.events.misses import new_miss
from jitwatch._capture.functions.origin import origin
from jitwatch._capture.observer import observer
from jitwatch._model import Origin, Stages
from jitwatch._record.function_record import FunctionRecord
from jitwatch._record.tallies import Tally

_KINDS = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}
_ANSWERS = ("compile", "load", "reuse")
"""The ways in which JAX gets a program."""
_PERSISTENT_HIT = "/jax/compilation_cache/cache_hits"


class _LoweredAhead:
    """Watched functions by the name of a program of theirs that was lowered ahead and may be compiled any time."""

    def __init__(self) -> None:
        self.records: dict[str, weakref.ref[FunctionRecord]] = {}


class _Listening:
    """The registration of the listeners, one thread at a time."""

    def __init__(self) -> None:
        self._lock = _state.Lock()

    def ensure(self) -> None:
        """Register the listeners that JAX does not have: all at first, later those that a program has cleared."""
        if self._is_complete():  # at each miss, so without the lock
            return
        with self._lock:
            if not jax_internals.has_listener("duration", _on_duration):
                jax.monitoring.register_event_duration_secs_listener(_on_duration)
            if not jax_internals.has_listener("event", _on_event):
                jax.monitoring.register_event_listener(_on_event)
            if not jax_internals.has_listener("scalar", _on_begin):
                jax.monitoring.register_scalar_listener(_on_begin)
            jax_internals.call_around_xla(_around_xla)
            fingerprints.listen()

    @staticmethod
    def _is_complete() -> bool:
        return (
            jax_internals.has_listener("duration", _on_duration)
            and jax_internals.has_listener("event", _on_event)
            and jax_internals.has_listener("scalar", _on_begin)
            and jax_internals.is_called_around_xla(_around_xla)
        )


def listen() -> None:
    """See to it that JAX tells of its stages; `jax.monitoring.clear_event_listeners()` ends that."""
    _state.part(_Listening).ensure()


def body_ran(body: TracedBody, seconds: float) -> None:
    """Count a trace for whoever traces `body` on this thread, or for the function if it is traced on its own."""
    for frame in reversed(thread_state().stack):
        if frame.kind == "inspect":
            return
        if frame.body is body and frame.kind != "body":
            frame.own.traces += 1
            return
    record = body.any_record()
    if record is not None:  # traced by something that is no call of ours, such as an untraced use of the inner function
        record.add(new_miss(record, "aot", Stages(traces=1, trace_s=seconds)), None)


def transformed(record: FunctionRecord) -> None:
    """Remember that JAX may soon run a program of this name outside any call of it: a backward pass, `remat`."""
    thread_state().transformed[record.program] = weakref.ref(record)
    thread_state().traced.pop(record.program, None)  # by a program of that name which was never lowered


def lowered_ahead(record: FunctionRecord) -> None:
    """Remember that someone may soon compile this function's lowered program, outside any call of it."""
    _state.part(_LoweredAhead).records[record.program] = weakref.ref(record)


def _on_event(event: str, **_: Any) -> None:
    if event == _PERSISTENT_HIT:
        thread_state().persistent_hit = True


def _on_duration(event: str, duration_s: float, **details: Any) -> None:
    # An exception in a listener would reach the user's call and leave its key on the slow path (JAX, all versions).
    kind = _KINDS.get(event)
    if kind is not None:
        _faults.contain("monitoring", _attribute, kind, duration_s, str(details.get("fun_name", "")), default=None)


def before_trace(body: TracedBody) -> None:
    """Let the guard stop a call before the function's Python body is traced for it."""
    begun = _faults.contain("the begin of a trace", _traced, body, default=None)
    if begun is not None:
        guard.ask("trace", begun)


def _traced(body: TracedBody) -> Compiling | None:
    """What a trace of `body` is for; None unless it is for a call, of which a compilation follows."""
    around = [frame for frame in thread_state().stack[-2:-1] if frame.kind == "call" and frame.body is body]
    return Compiling(body.program, around[0].function, around[0].cache_key()) if around else None


def _on_begin(event: str, _: float, **details: Any) -> None:
    """A stage begins. What the guard raises reaches the user's call: that is how it stops one."""
    kind = _KINDS.get(event)
    if kind in ("lower", "compile"):
        begun = _faults.contain("monitoring", _begun, kind, str(details.get("fun_name", "")), default=None)
        if begun is not None:
            guard.ask(kind, begun)


def _begun(kind: str, program: str) -> Compiling | None:
    name = _without_jit(program)
    frame = thread_state().stack[-1] if thread_state().stack else None
    if any(other.kind == "inspect" for other in thread_state().stack):
        begun = None
    elif frame is None:
        begun = Compiling(name, _owner(name, thread_state().lowered.get(name)), None)
    elif frame.kind != "body" and frame.function is not None and name in (frame.function.program, ""):
        begun = Compiling(name, frame.function, frame.cache_key())
    else:
        begun = Compiling(name, None, None)
    if kind == "compile":
        thread_state().compiling = begun
        thread_state().persistent_hit = thread_state().stopped_at_xla = False  # of one that an interrupt ended
        thread_state().saved_s = None
    elif frame is None or frame.kind != "call" or begun is None or begun.function is None:
        return None  # it may be lowered and never compiled
    return begun


def _around_xla(call: jax_internals.XlaCall | None, compile: Callable[[], Any]) -> Any:
    """Hand out what exists, where that is asked for, or let XLA compile, where nothing forbids it."""

    def ask_and_compile() -> Any:
        _before_xla()
        return compile()

    asked = _faults.contain("reuse", reuse.asked, call, default=None)
    if asked is None:
        return ask_and_compile()
    executable, thread_state().saved_s = reuse.reuse().executable(asked, ask_and_compile)
    return executable


def _before_xla() -> None:
    compiling = thread_state().compiling
    if compiling is not None:
        try:
            guard.ask("xla", compiling)
        except BaseException:
            thread_state().stopped_at_xla = True
            raise


def _without_jit(program: str) -> str:
    return program[4:-1] if program.startswith("jit(") and program.endswith(")") else program


def _attribute(kind: str, duration_s: float, program: str) -> None:
    made = ""
    thread = thread_state()
    if kind == "compile":
        made, taken_s = fingerprints.collect()
        duration_s = max(0.0, duration_s - taken_s)
        if thread.stopped_at_xla:
            thread.stopped_at_xla = False
            return  # JAX sends the event though XLA did not run
        kind = "load" if thread.persistent_hit else "compile" if thread.saved_s is None else "reuse"
    ran = _stage(kind, duration_s)
    if kind in _ANSWERS:
        thread.persistent_hit, thread.saved_s = False, None
    name = _without_jit(program)
    frame = thread.stack[-1] if thread.stack else None
    if frame is None:
        _attribute_outside(kind, ran, name, made)
    elif frame.kind == "inspect":
        return
    elif frame.kind != "body" and frame.function is not None and name in (frame.function.program, ""):
        frame.own.add(ran)
        if kind in _ANSWERS:
            frame.program = made or frame.program
            observer().compiled(frame)
    elif kind != "trace":
        cause = next((other for other in reversed(thread.stack) if other.kind != "body"), None)
        if cause is None or (cause.kind != "inspect" and unwatched.running_function(name) is not None):
            _add_other(name, ran, made)
        elif cause.kind != "inspect":
            cause.helpers.add(ran)


def _attribute_outside(kind: str, ran: Stages, name: str, program: str) -> None:
    """A stage with nothing watched under way: an eager operation, another program, or work for a watched function.

    Of the programs that share a watched function's name, one that is traced here first is somebody else's, such as a
    plain `jit(grad(f))`; one that is only lowered is the backward pass or another transform of `f`; one that is only
    compiled after a use of `lower` was lowered by it.
    """
    if kind == "trace":
        thread_state().traced[name] = ran.trace_s
        return
    stages = Tally()
    if kind == "lower":
        if name in thread_state().traced:
            stages.add(Stages(traces=1, trace_s=thread_state().traced[name]))
        thread_state().traced.clear()
        stages.add(ran)
        thread_state().lowered[name] = stages
        unwatched.lowered(name)
        return
    lowered = thread_state().lowered.pop(name, None)
    stages.add(ran)
    if lowered is not None:
        stages.add(lowered)
    record = _owner(name, lowered)
    if record is not None:
        record.add(new_miss(record, _role(name, lowered), stages.stages(), program=program), None)
    else:
        _add_other(name, stages.stages(), program)


def _role(name: str, lowered: Tally | None) -> str:
    if lowered is not None and lowered.traces:
        return "call"
    # A backward pass may be only compiled too: JAX keeps lowerings.
    return "aot" if lowered is None and name in _state.part(_LoweredAhead).records else "backward"


def _owner(name: str, lowered: Tally | None) -> FunctionRecord | None:
    """The watched function that a program is compiled for outside any call, by what was lowered under its name."""
    owners = {"aot": _state.part(_LoweredAhead).records, "backward": thread_state().transformed}.get(
        _role(name, lowered), {}
    )
    reference = owners.get(name)
    record = None if reference is None else reference()
    return None if record is None or unwatched.is_of_another(name, record) else record


def _add_other(name: str, stages: Stages, program: str) -> None:
    record, cache_key, kind = unwatched.program_of(name)
    if record.defined_at and kind == "call":
        thread_state().transformed.pop(name, None)  # a backward pass of this name is now this function's
    key = record.record_of(cache_key) if kind == "call" else None
    number = (key.number or None) if key else None
    asked_by = Origin() if record.defined_at else origin()
    record.add(new_miss(record, kind, stages, key=number, program=program, origin=asked_by), key)


def _stage(kind: str, duration_s: float) -> Stages:
    if kind == "trace":  # an event is no trace by itself; that the body ran is counted on its own
        return Stages(trace_s=duration_s)
    if kind == "lower":
        return Stages(lowerings=1, lower_s=duration_s)
    if kind == "load":
        return Stages(loads=1, load_s=duration_s)
    if kind == "reuse":
        saved_s = max(0.0, (thread_state().saved_s or 0.0) - duration_s)
        return Stages(reused=1, reuse_s=duration_s, saved_s=saved_s)
    return Stages(compiles=1, compile_s=duration_s)
