"""Attributes each stage that JAX runs to the call, the helper or the eager operation that caused it.

`jax.monitoring` says on the running thread that a stage ended and under which name. A stack for each thread, pushed
only around misses, uses ahead of time and traced bodies, says whose it was. An event is never a trace by itself: JAX
0.9 and later send the trace event for a hit in the tracing cache too. That the Python body ran is the only sure sign.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax

from jitwatch import _faults
from jitwatch._capture import jax_internals
from jitwatch._capture.events import fingerprints, guard, persistent, unwatched
from jitwatch._capture.functions.call_site import call_site, caller_library
from jitwatch._model import Alert, CacheKey, Miss, Stages
from jitwatch._policy import progress
from jitwatch._record import user_context
from jitwatch._record.recorder import RECORDER, FunctionRecord, Tally

_KINDS = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}
_PERSISTENT_HIT = "/jax/compilation_cache/cache_hits"


class Frame:
    """One watched thing that is under way on a thread."""

    def __init__(self, kind: str, function: FunctionRecord | None, body: Any = None) -> None:
        self.kind = kind
        """`call`, `nested`, `aot`, `body` (the traced Python body runs) or `inspect` (a look inside)."""
        self.function = function
        self.body = body
        self.own, self.helpers = Tally(), Tally()
        self.program = ""
        """The id of what was compiled or loaded for the function itself."""
        self.outermost = True
        """Whether no traced body encloses this frame on its thread."""
        self.key_error: Exception | None = None
        self.call: Any = None
        """The key of a call, as `keys.Call`; None where it cannot be told."""
        self.key: Any = None
        """The record of the key, at the end of a call."""
        self.alerts: list[Alert] = []
        """What the call gave rise to, to be said when all is counted."""
        self.stopped = False
        """Whether jitwatch itself ended the call with an exception."""
        self.stack: list[Frame] = []
        """The frames of its thread, once it is among them."""


class _Compiling(NamedTuple):
    """A program that is about to be compiled: its name, and the watched function and key that it is for."""

    name: str
    function: FunctionRecord | None
    key: CacheKey | None


class _ThreadState(threading.local):
    def __init__(self) -> None:
        self.stack: list[Frame] = []
        self.persistent_hit = False
        self.traced: dict[str, float] = {}
        self.transformed: dict[str, weakref.ref[FunctionRecord]] = {}
        self.lowered: dict[str, Tally] = {}
        self.declaring = False
        self.compiling: _Compiling | None = None
        self.stopped_at_xla = False


_thread = _ThreadState()
_lowered_ahead: dict[str, weakref.ref[FunctionRecord]] = {}
_registered = False
_lock = threading.Lock()


def listen() -> None:
    """Register the listeners, once for the process."""
    global _registered
    with _lock:
        if not _registered:
            jax.monitoring.register_event_duration_secs_listener(_on_duration)
            jax.monitoring.register_event_listener(_on_event)
            jax.monitoring.register_scalar_listener(_on_begin)
            jax_internals.call_before_xla(_before_xla)
            fingerprints.listen()
            _registered = True


def push(frame: Frame) -> None:
    """Begin a frame on this thread."""
    stack = _thread.stack
    frame.outermost = not any(other.kind == "body" for other in stack)
    frame.stack = stack
    stack.append(frame)


def pop(frame: Frame) -> None:
    """End a frame, and whatever an exception left above it."""
    stack = _thread.stack
    while stack and stack.pop() is not frame:
        pass


@contextmanager
def declaring() -> Iterator[None]:
    """Calls of this thread in the block are declared ones, so their programs are no waste."""
    _thread.declaring = True
    try:
        yield
    finally:
        _thread.declaring = False


def is_declaring() -> bool:
    """Whether this thread makes declared calls."""
    return _thread.declaring


def body_ran(body: Any, seconds: float) -> None:
    """Count a trace for whoever traces `body` on this thread, or for the function if it is traced on its own."""
    for frame in reversed(_thread.stack):
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
    _thread.transformed[record.program] = weakref.ref(record)
    _thread.traced.pop(record.program, None)  # by a program of that name which was never lowered


def lowered_ahead(record: FunctionRecord) -> None:
    """Remember that someone may soon compile this function's lowered program, outside any call of it."""
    _lowered_ahead[record.program] = weakref.ref(record)


def _on_event(event: str, **_: Any) -> None:
    if event == _PERSISTENT_HIT:
        _thread.persistent_hit = True


def _on_duration(event: str, duration_s: float, **details: Any) -> None:
    # An exception in a listener would reach the user's call and leave its key on the slow path (JAX, all versions).
    try:
        kind = _KINDS.get(event)
        if kind is not None:
            _attribute(kind, duration_s, str(details.get("fun_name", "")))
    except Exception as error:
        _faults.record("monitoring", error)


def before_trace(body: Any) -> None:
    """Let the guard stop a call before the function's Python body is traced for it."""
    begun = _faults.contain("the begin of a trace", _traced, body, default=None)
    if begun is not None:
        _let_guard_see("trace", begun)


def _traced(body: Any) -> _Compiling | None:
    """What a trace of `body` is for; None unless it is for a call, of which a compilation follows."""
    around = [frame for frame in _thread.stack[-2:-1] if frame.kind == "call" and frame.body is body]
    return _Compiling(body.program, around[0].function, _key_of(around[0])) if around else None


def _on_begin(event: str, _: float, **details: Any) -> None:
    """A stage begins. What the guard raises reaches the user's call: that is how it stops one."""
    kind = _KINDS.get(event)
    if kind in ("lower", "compile"):
        begun = _faults.contain("monitoring", _begun, kind, str(details.get("fun_name", "")), default=None)
        if begun is not None:
            _let_guard_see(kind, begun)


def _begun(kind: str, program: str) -> _Compiling | None:
    name = _without_jit(program)
    frame = _thread.stack[-1] if _thread.stack else None
    if any(other.kind == "inspect" for other in _thread.stack):
        begun = None
    elif frame is None:
        begun = _Compiling(name, _owner(name, _thread.lowered.get(name)), None)
    elif frame.kind != "body" and frame.function is not None and name in (frame.function.program, ""):
        begun = _Compiling(name, frame.function, _key_of(frame))
    else:
        begun = _Compiling(name, None, None)
    if kind == "compile":
        _thread.compiling = begun
    elif frame is None or frame.kind != "call" or begun is None or begun.function is None:
        return None  # it may be lowered and never compiled
    return begun


def _before_xla() -> None:
    if _thread.compiling is not None:
        try:
            _let_guard_see("xla", _thread.compiling)
        except BaseException:
            _thread.stopped_at_xla = True
            raise


def _let_guard_see(stage: str, begun: _Compiling) -> None:
    guard.before(stage, begun.name, _thread.stack, own=begun.function, key=begun.key)


def _key_of(frame: Frame) -> CacheKey | None:
    return None if frame.call is None else frame.call.key


def _without_jit(program: str) -> str:
    return program[4:-1] if program.startswith("jit(") and program.endswith(")") else program


def _attribute(kind: str, duration_s: float, program: str) -> None:
    made = ""
    if kind == "compile":
        made, taken_s = fingerprints.collect()
        duration_s = max(0.0, duration_s - taken_s)
    if kind == "compile" and _thread.stopped_at_xla:
        _thread.stopped_at_xla = False
        return  # JAX sends the event though XLA did not run
    if kind == "compile" and _thread.persistent_hit:
        _thread.persistent_hit, kind = False, "load"
    name = _without_jit(program)
    frame = _thread.stack[-1] if _thread.stack else None
    if frame is None:
        _attribute_outside(kind, duration_s, name, made)
    elif frame.kind == "inspect":
        return
    elif frame.kind != "body" and frame.function is not None and name in (frame.function.program, ""):
        if kind == "trace":
            frame.own.trace_s += duration_s
        else:
            frame.own.add(_stage(kind, duration_s))
            frame.program = made or frame.program
            if kind != "lower":
                progress.ANNOUNCER.ended(frame)
    elif kind != "trace":
        cause = next((other for other in reversed(_thread.stack) if other.kind != "body"), None)
        if cause is None or (cause.kind != "inspect" and unwatched.running_function(name) is not None):
            _add_other(name, _stage(kind, duration_s), made)
        elif cause.kind != "inspect":
            cause.helpers.add(_stage(kind, duration_s))


def _attribute_outside(kind: str, duration_s: float, name: str, program: str) -> None:
    """A stage with nothing watched under way: an eager operation, another program, or work for a watched function.

    Of the programs that share a watched function's name, one that is traced here first is somebody else's, such as a
    plain `jit(grad(f))`; one that is only lowered is the backward pass or another transform of `f`; one that is only
    compiled after a use of `lower` was lowered by it.
    """
    if kind == "trace":
        _thread.traced[name] = duration_s
        return
    stages = Tally()
    if kind == "lower":
        if name in _thread.traced:
            stages.add(Stages(traces=1, trace_s=_thread.traced[name]))
        _thread.traced.clear()
        stages.add(_stage(kind, duration_s))
        _thread.lowered[name] = stages
        unwatched.lowered(name)
        return
    lowered = _thread.lowered.pop(name, None)
    stages.add(_stage(kind, duration_s))
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
    return "aot" if lowered is None and name in _lowered_ahead else "backward"


def _owner(name: str, lowered: Tally | None) -> FunctionRecord | None:
    """The watched function that a program is compiled for outside any call, by what was lowered under its name."""
    owners = {"aot": _lowered_ahead, "backward": _thread.transformed}.get(_role(name, lowered), {})
    reference = owners.get(name)
    record = None if reference is None else reference()
    return None if record is None or unwatched.is_of_another(name, record) else record


def _add_other(name: str, stages: Stages, program: str) -> None:
    record, cache_key, kind = unwatched.program_of(name)
    if record.defined_at and kind == "call":
        _thread.transformed.pop(name, None)  # a backward pass of this name is now this function's
    key = record.record_of(cache_key) if kind == "call" else None
    record.add(new_miss(record, kind, stages, key=(key.number or None) if key else None, program=program), key)


def new_miss(record: FunctionRecord, kind: str, stages: Stages, **details: Any) -> Miss:
    """A miss of `record` on this thread, now."""
    known = {
        "key": None, "helpers": Stages(), "failed": None, "failed_at": None, "failed_argument": None,
        "slow_path": False,
    }  # fmt: skip
    return Miss(
        number=RECORDER.next_number(), function=record.id, kind=kind, stages=stages, call_site=call_site(),
        unix_s=time.time(), thread=threading.get_ident(), library=caller_library(),
        persistent=persistent.outcome(record.name, stages) if stages.compiles else "", context=user_context.current(),
        **known | details,
    )  # fmt: skip


def _stage(kind: str, duration_s: float) -> Stages:
    if kind == "lower":
        return Stages(lowerings=1, lower_s=duration_s)
    if kind == "load":
        return Stages(loads=1, load_s=duration_s)
    return Stages(compiles=1, compile_s=duration_s)
