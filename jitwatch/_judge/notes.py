"""What is worth knowing of the compiled programs and is no fault. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from jitwatch._judge.eager_work import Work, eager_work
from jitwatch._judge.history import histories
from jitwatch._judge.judge import definitions
from jitwatch._model import Finding, FunctionStats, Origin, Program, Snapshot
from jitwatch._words.quantity_text import seconds_text

ONE_PROGRAM, EAGER_ONCE = "JW901", "JW902"
MANY = 10
"""Programs of one call from which on it is worth a word that one jit would make them one."""
WORTH_S, WORTH_SHARE = 0.1, 0.03
"""Seconds, and share of the run, from which on it is."""


def notes(snapshot: Snapshot, told: Collection[str] = ()) -> Iterator[Finding]:
    """One module for several targets, and what one call of the user's compiles operation by operation.

    Args:
        snapshot: What happened.
        told: Lines of eager work that has a finding.
    """
    yield from _one_program(snapshot)
    yield from _eager_once([work for work in eager_work(snapshot.others) if work.line not in told], snapshot.wall_s)


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


def _eager_once(every: Sequence[Work], wall_s: float) -> Iterator[Finding]:
    """What initialisers, transforms outside jit and the user's own functions compile, by the line that called them."""
    calls: dict[tuple[str, str, str], list[Work]] = {}
    for work in every:
        origin = work.build.origin
        if origin.under:
            calls.setdefault((work.build.process, origin.under_at, origin.under), []).append(work)
        elif origin.function:
            calls.setdefault((work.build.process, origin.called_at, origin.function), []).append(work)
    for (_, place, name), works in calls.items():
        made = sum(work.build.count for work in works)
        lost_s = sum(work.build.lost_s for work in works)
        if made >= MANY and lost_s >= max(WORTH_S, WORTH_SHARE * wall_s):
            of = f" of {seconds_text(wall_s)}" if wall_s else ""
            does, advice = _words(works[0].build.origin)
            yield Finding(
                code=EAGER_ONCE, cause="eager", function=name, defined_at="", call_site=place or works[0].line,
                where=(name,), compiles=made - 1, lost_s=lost_s * (made - 1) / made, evidence="likely",
                message=f"{name} {does} operation by operation: {made} small programs, {seconds_text(lost_s)}{of}; "
                "under one jax.jit it is 1 program.", differences="", advice=advice,
                share_of_run=min(lost_s / wall_s, 1.0) if wall_s else 0.0,
            )  # fmt: skip


def _words(origin: Origin) -> tuple[str, str]:
    """What a function does operation by operation, and how to have it done in one program."""
    if not origin.under:
        return "computes", (
            "Put what it computes in a function under jax.jit, with its arrays as arguments. Where it only prepares "
            "data, NumPy compiles nothing."
        )
    if not origin.initialises:
        return "runs its function", f"Put jax.jit around it: jax.jit(jax.{origin.under}(f))(x)."
    if origin.under.endswith("__init__"):
        return "initialises", (
            "Make the arrays in one function under jax.jit, and the object from what it returns. Objects of equinox "
            "and flax.nnx can be made whole under eqx.filter_jit and nnx.jit."
        )
    return "initialises", "Put jax.jit around the function that is called there, with what it is given as arguments."
