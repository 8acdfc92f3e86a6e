"""Hooks a jitted function: every miss passes through here, every hit is counted in C on JAX's own fast path."""

from __future__ import annotations

import functools
import re
import weakref
from collections.abc import Callable
from typing import Any

import msgspec

from jitwatch import _faults, _hub
from jitwatch._capture import jax_internals
from jitwatch._capture.events import stages
from jitwatch._capture.events.frames import Frame, pop, push, thread_state
from jitwatch._capture.events.misses import new_miss
from jitwatch._capture.functions import captured, definition, identity
from jitwatch._capture.functions.call_site import call_site, innermost_user_line, running_test, user_frame
from jitwatch._capture.hook.body import body_of
from jitwatch._capture.hook.registry import log_switch, registry
from jitwatch._capture.keys import key_maker
from jitwatch._capture.keys.returned import returned_arguments
from jitwatch._capture.keys.values import describe
from jitwatch._capture.observer import observer
from jitwatch._errors import pass_interrupt
from jitwatch._model import CacheKey, Change, LoggedCall, Miss, Stages
from jitwatch._record.function_record import FunctionRecord, KeyRecord
from jitwatch._record.recorder import recorder
from jitwatch._record.sums import lost_s, program_count
from jitwatch._record.tallies import NO_STAGES

_ARGUMENT_IN_ERROR = re.compile(r"depends on the values? of the arguments? (.+?)[.\n]")


class Entry:
    """What it takes to lower a key's program again; lives exactly as long as JAX's cache entry for the key."""

    def __init__(self, call: key_maker.Call, executable: Any) -> None:
        self.call, self.executable = call, executable


class Watch:
    """The hook of one jitted function, and the record that it fills.

    Jitted functions for which JAX shares one dispatch cache (same function, same options) share one record too.
    """

    def __init__(
        self, jitted: Any, options: dict[str, Any], policy: Any, *, exact: bool, count_hits: bool = True,
        by_name: bool = True,
    ) -> None:  # fmt: skip
        self._exact, self.count_hits = exact, count_hits
        self.plain = jitted
        """The function that the hooked one was made from."""
        self.fun = jax_internals.jitted_function(jitted)
        name = jax_internals.jitted_name(jitted)
        self.body = body_of(self.fun, name)
        self.key_maker = key_maker.KeyMaker(self.fun, *jax_internals.static_positions(jitted))
        records = registry().records.setdefault(self.body, {})
        cache = count_hits, jax_internals.dispatch_identity(jitted)
        if cache not in records:
            made_at = call_site()
            records[cache] = recorder().add_function(
                name=name,
                qualname=identity.qualified_name(self.fun, name),
                bound=identity.bound_values(self.fun),
                code=identity.code_of(self.fun),
                defined_at=identity.definition_of(self.fun) or made_at,
                jitted_at=made_at,
                options=_option_texts(options),
                policy=policy,
                approximate=not exact,
                hits_counted=count_hits,
            )
            records[cache].in_use = weakref.ref(self.body)
            records[cache].objects = identity.bound_objects(self.fun)
            records[cache].source = jax_internals.source_of(self.fun)
        self.record: FunctionRecord = records[cache]
        self.policy = policy
        """What the author asked for; lives as long as this, while the record refers to it weakly."""
        self.asked: dict[str, Any] = {}
        """The options of jitwatch's own that were given for this function by its name."""
        if by_name:
            registry().by_name.setdefault(self.record, weakref.WeakSet()).add(self)
        self.record.program = self.body.program
        self.body.add_record(self.record)
        self.record.compare_captured = functools.partial(_captured_differences, weakref.ref(self.fun))
        self.inner = jax_internals.jit_again(jitted, self.body)
        """The same function without the hook, for work ahead of time; it does not refer back to the hooked one."""
        self.function: Callable[[], Any] = lambda: None
        """The hooked function, while it exists."""
        self.remade: Callable[[Watch], Any] = lambda watch: watch.inner
        """Makes the hooked function anew, where nobody kept it: `watched_jit(f).warm_up(...)`."""
        self.put_aside: dict[KeyRecord, key_maker.Call] = {}
        """What it takes to lower the programs of keys whose entries a call log took out of JAX's dispatch cache, until
        they are in it again. Here, so that it ends with the function even where a static argument refers to that."""
        self._stand_in = definition.StandIn(self.fun, name, self.record.qualname, self.record.defined_at)

    def ahead(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """JAX's `lower`, `trace` or `eval_shape`, with what it runs counted as work ahead of time."""
        frame = Frame("aot", self.record, self.body)
        stack = thread_state().stack
        depth = len(stack)
        try:
            push(frame)
            return getattr(self.inner, name)(*args, **kwargs)
        finally:
            del stack[depth:]
            _faults.contain("work ahead of time", self._end_ahead, frame, name, default=None)

    def _end_ahead(self, frame: Frame, name: str, caller: tuple[str, str] | None = None) -> None:
        if name == "lower":
            stages.lowered_ahead(self.record)
        own = own_stages(frame)
        if own != Stages():
            miss = new_miss(self.record, "aot", own, helpers=frame.helpers.stages(), program=frame.program)
            if caller is not None:
                miss = msgspec.structs.replace(miss, call_site=caller[0], library=caller[1])
            self.record.add(miss, None)

    def compile_lowered(self, lowered: Any, caller: tuple[str, str]) -> None:
        """Compile a program that `ahead` lowered, on any thread, and count it for the caller's line and library."""
        frame = Frame("aot", self.record, self.body)
        stack = thread_state().stack
        depth = len(stack)
        try:
            push(frame)
            lowered.compile()
        finally:
            del stack[depth:]
            self._end_ahead(frame, "compile", caller)

    def hook(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """JAX's `cache_miss` with the counting around it."""

        def cache_miss(*args: Any, **kwargs: Any) -> Any:
            frame = Frame("call", self.record, self.body)
            stack = thread_state().stack
            depth = len(stack)
            try:  # from here on, so that an interrupt at any moment leaves no frame behind
                begun = _faults.contain("the begin of a miss", self.begin, frame, args, kwargs, default=False)
                result = original(*args, **kwargs)
                if not begun:
                    return result
                fastpath = _faults.contain("counting a miss", self.end, frame, result, default=result[1])
            except BaseException as error:
                if frame.is_under_way():
                    _faults.contain("counting a failed call", self.failed, frame, error, default=None)
                raise
            finally:
                del stack[depth:]
            if frame.alerts:
                self.speak(frame)
            return (result[0], fastpath, *result[2:])

        cache_miss.jitwatch_watch = self  # type: ignore[attr-defined]
        return cache_miss

    def begin(self, frame: Frame, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Before JAX handles a miss: its key, and the frame that collects the stages."""
        stages.listen()
        try:
            if self._stand_in.is_open:
                told = self._stand_in.called((*args, *kwargs.values()))
                self.record.qualname, self.record.defined_at = told
            call = frame.call = self.key_maker.call(args, kwargs)
            if call.under_trace:
                frame.kind = "nested"
                stages.transformed(self.record)
        except BaseException as error:  # a fault only if JAX does not refuse the arguments as well
            pass_interrupt(error)
            frame.key_error = error
        push(frame)
        observer().began(frame)
        return True

    def end(self, frame: Frame, result: Any) -> Any:
        """After JAX handled a miss: count it; returns the fast-path data to give to C++.

        `result` is what `cache_miss` returned: outputs, fast-path data, and more (JAX 0.6.1 to 0.12).
        """
        fastpath = result[1]
        pop(frame)
        observer().ended(frame)
        call = frame.call
        if frame.key_error is not None:
            _faults.record("the cache key", frame.key_error)
            frame.key_error = None  # its traceback refers back to the frame, and to the arguments
        key = frame.key = self.record.record_of(None if call is None else call.key)
        own = own_stages(frame)
        if self._was_hit_without_us(frame, key, own, fastpath):
            self.record.count_hit(key)
            self._log(call, key, None)
        elif self._is_slow_again(frame, key, own, fastpath):
            self.record.add_slow(key)
            frame.alerts = observer().missed(self.record, key, programs=0, seconds=0.0, test="")
        else:
            self._number_executable(key, own, fastpath)
            if own.traces:
                key.captured = captured.values_of(self.fun)
            self._count(frame, key, own, slow_path=self._exact and fastpath is None and frame.kind == "call")
            programs = program_count(own)
            if programs and call is not None:
                key.state = returned_arguments(call.key, result[0])
            key.warmed += thread_state().declaring
            key.declared = (
                key.declared
                or thread_state().declaring
                or (programs > 0 and call is not None and observer().is_expected(self.record, call.key))
            )
            test = running_test() if programs else ""
            frame.alerts = observer().missed(self.record, key, programs=programs, seconds=lost_s(own), test=test)
        key.seen, key.rebuild_pending = True, False
        if fastpath is None or call is None:
            return fastpath
        if key.heal_pending:
            key.heal_pending = False
            self.heal()
        return self._counted(fastpath, call, key)

    def failed(self, frame: Frame, error: BaseException) -> None:
        """After a call raised: count it, with the line and the argument that JAX names."""
        pop(frame)
        observer().ended(frame, error)
        frame.key_error = None
        key = self.record.record_of(None if frame.call is None else frame.call.key)
        key.heal_pending = key.heal_pending or frame.stopped
        self._count(
            frame, key, own_stages(frame),
            failed=type(error).__name__, failed_at=innermost_user_line(error.__traceback__),
            failed_argument=_argument_named(error),
        )  # fmt: skip

    def put_entries_aside(self) -> None:
        """Keep what the programs of keys can be lowered from, before the dispatch cache is emptied."""
        for key in tuple(self.record.keys.values()):
            counter = key.entry()
            if counter is not None:
                self.put_aside[key] = counter.entry.call.collectable()

    def speak(self, frame: Frame) -> None:
        """Say what a miss gave rise to. Where that raises, the call fails although it was computed."""
        alerts, frame.alerts = frame.alerts, []
        try:
            observer().say(self.record, alerts, _faults.contain("an alert", user_frame, default=None))
        except BaseException:
            frame.key.heal_pending = True
            raise

    def heal(self) -> None:
        """Empty the dispatch cache, which is all that keeps a key on the slow path; nothing is compiled again."""
        function = self.function()
        if function is not None:
            jax_internals.clear_dispatch_cache(function)
            self.record.expect_rebuild()

    def _count(self, frame: Frame, key: KeyRecord, own: Stages, **details: Any) -> None:
        miss = new_miss(
            self.record, frame.kind, own, key=key.number or None, helpers=frame.helpers.stages(),
            program=frame.program, **details,
        )  # fmt: skip
        self.record.add(miss, key)
        self._log(frame.call, key, miss)

    @staticmethod
    def _was_hit_without_us(frame: Frame, key: KeyRecord, own: Stages, fastpath: Any) -> bool:
        """Whether the call missed only because jitwatch had emptied the dispatch cache, or kept it empty."""
        led_around = key.rebuild_pending or (log_switch().active and key.seen)
        return bool(led_around) and frame.kind == "call" and fastpath is not None and own == Stages()

    def _is_slow_again(self, frame: Frame, key: KeyRecord, own: Stages, fastpath: Any) -> bool:
        """Whether a call only took the slow path again, as the calls with its key do, and nobody asks for each miss."""
        return (
            fastpath is None and key.slow_path and own is NO_STAGES and self._exact and frame.kind == "call"
            and not frame.helpers and not log_switch().active and not _hub.has_subscribers()
        )  # fmt: skip

    def _number_executable(self, key: KeyRecord, own: Stages, fastpath: Any) -> None:
        with recorder().lock:
            if program_count(own):  # what was reused too: its use is no use of the key that it was compiled for
                self.record.executables += 1
                key.executable = self.record.executables
            elif key.executable is None and fastpath is not None:
                executable = fastpath.xla_executable
                entries = ((other, other.entry()) for other in self.record.keys.values())
                key.executable = next(
                    (other.executable for other, held in entries if held and held.entry.executable is executable), None
                )

    def _counted(self, fastpath: Any, call: key_maker.Call, key: KeyRecord) -> Any:
        counter: Any = functools.partial(key.hits.call)
        counter.entry = Entry(call, fastpath.xla_executable)
        self.record.hold(key, weakref.ref(counter))
        if log_switch().active:  # no fast path, and so nothing of JAX's that would keep the entry
            log_switch().kept[key] = counter
            if key not in self.put_aside:
                self.put_aside[key] = call.collectable()
            return None
        self.put_aside.pop(key, None)
        return jax_internals.count_hits(fastpath, counter) if self.count_hits else fastpath

    def _log(self, call: key_maker.Call | None, key: KeyRecord, miss: Miss | None) -> None:
        if log_switch().active:
            cache_key: CacheKey | None = None if call is None else call.key
            _hub.publish(LoggedCall(self.record.name, self.record.id, cache_key, key.executable, miss))


def hooked(
    jitted: Any, options: dict[str, Any], policy: Any, *, count_hits: bool = True, by_name: bool = True
) -> tuple[Any, Watch]:
    """A PjitFunction like `jitted` whose misses, and hits if asked for, are counted, and its watch.

    Args:
        jitted: What `jax.jit` returned.
        options: Of `jax.jit`, as they are shown.
        policy: What the author asked for; capture hands it to policy and does not look into it.
        count_hits: Whether to count hits.
        by_name: Whether this function is watched for itself, and not with all others.
    """
    watch = Watch(jitted, options, policy, exact=True, count_hits=count_hits, by_name=by_name)
    watch.remade = _hooked_by
    return _hooked_by(watch), watch


def _hooked_by(watch: Watch) -> Any:
    cache_name = "jitwatch" if watch.count_hits else "jitwatch, misses only"
    result = jax_internals.with_hook(watch.plain, watch.inner, watch.hook, cache_name=cache_name)
    watch.function = weakref.ref(result)
    registry().add(result)
    return result


def own_stages(frame: Frame) -> Stages:
    """The function's own stages in a frame.

    JAX 0.9 and later send a trace event for a hit in the tracing cache too: without a run of the body it is none.
    The time of a trace inside another one is part of the outer one's.
    """
    own = frame.own
    if not own.traces or not frame.outermost:
        own.trace_s = 0.0
    return own.stages()  # `NO_STAGES` itself where none ran


def _option_texts(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The options that say something: some libraries pass every one, at its default."""
    given = ((name, value) for name, value in sorted(options.items()) if value is not None and value is not False)
    return tuple((name, describe(value)) for name, value in given)


def _captured_differences(reference: Any, then: dict[Any, Any]) -> tuple[Change, ...]:
    try:
        fun = reference()
        return () if fun is None else tuple(captured.differences(fun, then))
    except BaseException as error:
        pass_interrupt(error)
        _faults.record("comparing captured values", error)
        return ()


def _argument_named(error: BaseException) -> str | None:
    found = _ARGUMENT_IN_ERROR.search(str(error))
    return found.group(1) if found else None
