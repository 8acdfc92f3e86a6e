"""What is worth knowing of the compiled programs and is no fault. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from jitwatch._judge.codes import spared
from jitwatch._judge.eager_waste import CONTROL_FLOW
from jitwatch._judge.eager_work import Work, eager_work
from jitwatch._judge.history import histories
from jitwatch._judge.judge import definitions
from jitwatch._judge.sizes import numbers_of
from jitwatch._model import Finding, FunctionStats, Program, Snapshot
from jitwatch._words.quantity_text import count_text, seconds_text

ONE_PROGRAM, EAGER_ONCE, ITERATED = "JW901", "JW902", "JW903"
MANY = 10
"""Programs of one call from which on it is worth a word that one jit would make them one."""
_TAKEN_APART_BY_LIBRARY = "Give it np.asarray(x), which compiles nothing."
_TAKEN_APART = (
    "Go through np.asarray(x), which compiles nothing. Where each element goes into JAX, jax.vmap in place of the loop "
    "computes all of them in one program."
)
WORTH_S, WORTH_SHARE = 0.1, 0.03
"""Seconds, and share of the run, from which on it is."""


def notes(snapshot: Snapshot, told: Collection[str] = ()) -> Iterator[Finding]:
    """One module for several targets, what a call compiles operation by operation, and arrays that are iterated over.

    Args:
        snapshot: What happened.
        told: Lines of eager work that has a finding.
    """
    yield from _one_program(snapshot)
    works = [work for work in eager_work(snapshot.others) if work.line not in told]
    iterated = list(_iterated([work for work in works if _iterates(work)], snapshot.wall_s))
    yield from iterated
    at = {finding.call_site for finding in iterated}
    yield from _eager_once([work for work in works if not (_iterates(work) and work.line in at)], snapshot.wall_s)


def _one_program(snapshot: Snapshot) -> Iterator[Finding]:
    """Programs that are the same on other devices, or with other compile options."""
    programs = {program.id: program for program in snapshot.programs}
    functions = [*snapshot.functions, *(other for other in snapshot.others if other.defined_at)]
    for group in definitions(functions):
        for steps in histories(group, programs) if _have_one_text(group, programs) else ():
            same = [step for step in steps if step.equality == "target"]
            if same:
                function = same[0].function
                yield Finding(
                    code=ONE_PROGRAM, cause="target", function=function.name, defined_at=function.defined_at,
                    call_site=same[0].build.call_site, where=(function.name,), compiles=len(same),
                    lost_s=sum(step.build.lost_s for step in same),
                    message=f"{function.name} was compiled {len(same) + 1} times as one module, for other devices or "
                    "with other compile options.", differences="",
                    advice="Nothing, if that is what is wanted: XLA compiles a module for each.", evidence="proved",
                )  # fmt: skip


def _have_one_text(group: Sequence[FunctionStats], programs: Mapping[str, Program]) -> bool:
    """Whether two programs have the same text: seldom, and looking closer takes long."""
    known = {build.program: programs.get(build.program) for one in group for build in one.builds}
    texts = Counter(program.steps[0] for program in known.values() if program is not None and program.steps)
    return any(count > 1 for count in texts.values())


def _iterated(every: Sequence[Work], wall_s: float) -> Iterator[Finding]:
    """Arrays that a loop, or a plot, goes through: JAX takes them apart by programs of up to a hundred results."""
    lines: dict[tuple[str, str], list[Work]] = {}
    for work in every:
        lines.setdefault((work.build.process, work.line), []).append(work)
    for (_, place), works in lines.items():
        made = sum(work.build.count for work in works)
        lost_s = sum(work.build.lost_s for work in works)
        if _is_worth(lost_s, wall_s) and max(map(_elements, works)) >= MANY:
            within = works[0].build.origin.within
            reused, loaded = spared((work.build for work in works), made)
            what = f"{within} goes through a jax.Array" if within else "A jax.Array is gone through"
            yield Finding(
                code=ITERATED, cause="eager", function=within or "iter", defined_at="", call_site=place,
                where=(within or "iter",), compiles=made, reused=reused, loaded=loaded, lost_s=lost_s,
                evidence="proved",
                message=f"{what} element by element: {count_text(made, 'program')}, {seconds_text(lost_s)}"
                f"{_of(wall_s)}, to take it apart.", differences="",
                advice=_TAKEN_APART_BY_LIBRARY if within else _TAKEN_APART,
                share_of_run=min(lost_s / wall_s, 1.0) if wall_s else 0.0,
            )  # fmt: skip


def _iterates(work: Work) -> bool:
    return work.build.origin.called == "iter"


def _elements(work: Work) -> int:
    """The largest size in what an operation is given."""
    return max((size for sizes in numbers_of(work.key).values() for size in sizes), default=0) if work.key else 0


def _is_worth(lost_s: float, wall_s: float) -> bool:
    return lost_s >= max(WORTH_S, WORTH_SHARE * wall_s)


def _of(wall_s: float) -> str:
    return f" of {seconds_text(wall_s)}" if wall_s else ""


class _Call(NamedTuple):
    """A call of the author's that compiles operation by operation."""

    process: str
    place: str
    name: str
    kind: str
    """`initialiser`, `transform`, `library`, or `function` for one of the author's own."""


def _eager_once(every: Sequence[Work], wall_s: float) -> Iterator[Finding]:
    """What initialisers, transforms, solvers and functions of the author's compile outside jit, by the calling line."""
    solving = [work for work in every if work.operation.name in CONTROL_FLOW and work.build.origin.within]
    computing = {_library_call(work) for work in solving}
    calls: dict[_Call, list[Work]] = {}
    for work in every:
        call = _call_of(work, computing)
        if call is not None:
            calls.setdefault(call, []).append(work)
    for call, works in calls.items():
        made = sum(work.build.count for work in works)
        lost_s = sum(work.build.lost_s for work in works)
        if made >= MANY and _is_worth(lost_s, wall_s):
            what = {"initialiser": "initialises", "function": "computes"}.get(call.kind, "runs")
            # The one program has all their work in it. What is saved is what any program costs, however little it does.
            each = sorted(work.build.lost_s / work.build.count for work in works)
            saved_s = (made - 1) * each[len(each) // 4]
            reused, loaded = spared((work.build for work in works), made - 1)
            yield Finding(
                code=EAGER_ONCE, cause="eager", function=call.name, defined_at="", call_site=call.place,
                where=(call.name,), compiles=made - 1, reused=reused, loaded=loaded, lost_s=saved_s, evidence="likely",
                message=f"{call.name} {what} operation by operation: {made} small programs, {seconds_text(lost_s)}"
                f"{_of(wall_s)}; under one jax.jit it is 1 program"
                f"{', which takes as long as the work in it' if saved_s < lost_s / 2 else ''}.", differences="",
                advice=_advice(call, _caller(call, works)),
                share_of_run=min(saved_s / wall_s, 1.0) if wall_s else 0.0,
            )  # fmt: skip


def _call_of(work: Work, computing: Collection[_Call]) -> _Call | None:
    """The call that a program is told of, the outermost one; None where it is told of none."""
    origin, whole = work.build.origin, _library_call(work)
    if whole in computing and (not origin.under or (origin.initialises and origin.under_at == whole.place)):
        return whole
    if origin.under:
        kind = "initialiser" if origin.initialises else "transform"
        return _Call(work.build.process, origin.under_at, origin.under, kind)
    if origin.function and not origin.within:  # what a library computes there, as for a plot, is not the author's
        return _Call(work.build.process, origin.called_at or work.line, origin.function, "function")
    return None


def _library_call(work: Work) -> _Call:
    origin = work.build.origin
    kind = "initialiser" if origin.initialises and origin.within == origin.under else "library"
    return _Call(work.build.process, work.line, origin.within, kind)


def _caller(call: _Call, works: Iterable[Work]) -> str:
    """The library's function that the author's line called, where that called an initialiser in its turn."""
    within = (work.build.origin.within for work in works if work.line == call.place)
    return next((name for name in within if name and name != call.name), "") if call.kind == "initialiser" else ""


def _advice(call: _Call, caller: str) -> str:
    if call.kind == "transform":
        return f"Put jax.jit around it: jax.jit(jax.{call.name}(f))(x)."
    if call.kind == "function":
        return (
            "Put what it computes in a function under jax.jit, with its arrays as arguments. Where it only prepares "
            "data, NumPy compiles nothing."
        )
    if call.kind == "library":
        return (
            "Put the whole call into a function under jax.jit, with the arrays as arguments, and what sets shapes or "
            "the number of steps as static ones or in its closure."
        )
    if call.name.endswith("__init__"):
        return (
            "Make the object and use it in one function under jax.jit, which returns the results. Where the object is "
            "kept, make its arrays under one jax.jit; eqx.filter_jit and nnx.jit return objects of equinox and "
            "flax.nnx whole."
        )
    if caller:
        return (
            f"It is {caller} that calls it: put that whole call into a function under jax.jit, where it can be traced; "
            f"else JAX's persistent cache loads these programs at the next start."
        )
    return "Put jax.jit around the function that is called there, with what it is given as arguments."
