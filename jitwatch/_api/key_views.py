"""A look inside the keys of a function: the programs that JAX made for them, on demand, without counting."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

from jitwatch._capture import jax_internals
from jitwatch._capture.events.frames import Frame, push, thread_state
from jitwatch._capture.hook.registry import watches_by_name
from jitwatch._capture.hook.watch import Entry, Watch
from jitwatch._capture.keys import trace_context
from jitwatch._errors import JitwatchError, repr_of
from jitwatch._explain.located_text import LocatedText
from jitwatch._explain.program_difference import Described
from jitwatch._model import CacheKey, KeyStats, Program, Stages
from jitwatch._words.safe_text import clean

T = TypeVar("T")


class KeyView:
    """One known key: its counts, and its program while JAX has it in the dispatch cache, or a call log took it out."""

    def __init__(self, stats: KeyStats, watch: Watch) -> None:
        self.stats, self._watch = stats, watch

    def __repr__(self) -> str:
        from jitwatch._words.key_text import key_line

        return f"<key {self.number}: {key_line(self.key, 100)}; {self.hits} hits, {self.compiles} compiles>"

    def _repr_html_(self) -> str:
        """For notebooks."""
        from jitwatch._report.page.render import key_part

        return key_part(self.stats)

    @property
    def number(self) -> int:
        """Counts the keys of the function, from 1, in the order of their first miss."""
        return self.stats.number

    @property
    def key(self) -> CacheKey:
        """The description of the key."""
        return self.stats.key

    @property
    def hits(self) -> int:
        """Calls with this key that the dispatch cache served."""
        return self.stats.hits

    @property
    def misses(self) -> int:
        """Calls with this key that it did not serve."""
        return self.stats.misses

    @property
    def compiles(self) -> int:
        """XLA compilations run for this key, loads from the persistent cache not among them."""
        return self.stats.stages.compiles

    @property
    def stages(self) -> Stages:
        """Stages run for this key."""
        return self.stats.stages

    def jaxpr(self) -> str:
        """The traced program as text. JAX has it in its tracing cache, so nothing is traced again."""
        return self._quietly(lambda: str(self._traced().jaxpr))

    def stablehlo(self) -> str:
        """The lowered program as text; lowers again, uncounted."""
        return self._quietly(lambda: str(self._traced().lower().as_text()))

    def described(self) -> Described:
        """The lowered program, with what comparing it with another takes."""
        text = self._quietly(lambda: jax_internals.located_text_of(self._traced().lower().compiler_ir()))
        tells_all = not jax_internals.calls_what_text_does_not_tell(text)
        return Described(Program(str(self.number), comparable=tells_all), LocatedText(text))

    def hlo(self) -> str:
        """The compiled program as text, of the executable that serves the key."""
        return "\n\n".join(module.to_string() for module in self._executable().hlo_modules())

    def cost_analysis(self) -> dict[str, float]:
        """XLA's estimates for the executable, such as `flops` and `bytes accessed`."""
        cost = self._executable().cost_analysis()
        return dict(cost[0] if isinstance(cost, (list, tuple)) else cost)

    def memory_analysis(self) -> Any:
        """XLA's account of the executable's memory, sizes in bytes."""
        return self._executable().get_compiled_memory_stats()

    def _entry(self) -> Entry:
        """What JAX's dispatch cache has for the key; without the executable where a call log emptied that cache."""
        record = self._watch.record.keys.get(self.key)
        counter = None if record is None else record.entry()
        if counter is not None:
            return counter.entry  # type: ignore[no-any-return]
        for watch in (self._watch, *watches_by_name(self._watch.record)):
            if record in watch.put_aside:
                return Entry(watch.put_aside[record], None)
        raise JitwatchError(
            f"Key {self.number} of {clean(self._watch.record.name)} has no entry in JAX's dispatch cache now: it "
            "was evicted or cleared, or the call never got one. Call the function with these arguments again first."
        )

    def _executable(self) -> Any:
        executable: Any = self._entry().executable
        if executable is None:  # JAX finds it in its other caches, and compiles only if they were emptied too
            executable = self._quietly(lambda: self._traced().lower().compile().runtime_executable())
        return executable

    def _traced(self) -> Any:
        call = self._entry().call
        if trace_context.context_now() != self.key.context:
            raise JitwatchError(
                f"Key {self.number} of {clean(self._watch.record.name)} belongs to the context "
                f"{dict(self.key.context)}, "
                f"and now it is {dict(trace_context.context_now())}. Ask again under the same settings."
            )
        args, kwargs = self._watch.key_maker.abstract_arguments(call)
        return self._watch.inner.trace(*args, **kwargs)

    @staticmethod
    def _quietly(look: Callable[[], T]) -> T:
        stack = thread_state().stack
        depth = len(stack)
        try:
            push(Frame("inspect", None))
            return look()
        finally:
            del stack[depth:]


def key_views(watch: Watch) -> list[KeyView]:
    """A view of each known key, oldest first."""
    return [KeyView(stats, watch) for stats in watch.record.stats().keys]


KeyLike = int | KeyView | CacheKey
"""What names a key of a function: its number, its view, or its description."""


def diff_keys(views: list[KeyView], first: KeyLike, second: KeyLike) -> str:
    """Two keys: what differs, how far their programs are the same, and the difference of their jaxprs."""
    from jitwatch._explain.program_difference import difference
    from jitwatch._report.program_text import difference_lines
    from jitwatch._words.key_text import differing_lines

    one, other = _view_of(first, views), _view_of(second, views)
    first, second = one.number, other.number
    lines = differing_lines(one.key, other.key)
    width = max((len(where) for where, _, _ in lines), default=0)
    text = [f"key {first} and key {second}:"]
    text += [f"  {where:{width}}  {before}  ->  {after}" for where, before, after in lines] or ["  equal"]
    try:
        program, other_program = one.jaxpr().splitlines(), other.jaxpr().splitlines()
        said = difference_lines(difference(one.described(), other.described()))
    except JitwatchError as error:
        return "\n".join([*text, "", str(error)])
    text += ["", f"programs: {said[0]}", *said[1:]]
    names = f"jaxpr of key {first}", f"jaxpr of key {second}"
    changed = list(difflib.unified_diff(program, other_program, *names, lineterm="", n=1))
    return "\n".join([*text, "", *(changed or ["The two keys have the same jaxpr."])])


def _view_of(named: KeyLike, views: list[KeyView]) -> KeyView:
    """The view of a key that is named by its number, a view or its description."""
    number = named.number if isinstance(named, KeyView) else named
    found = next((view for view in views if number in (view.number, view.key)), None)
    if found is None:
        known = ", ".join(str(view.number) for view in views) or "none"
        what = "such key" if isinstance(number, CacheKey) else f"key {repr_of(number)}"
        raise JitwatchError(f"There is no {what}; known keys are: {known}.")
    return found
