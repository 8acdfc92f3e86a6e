"""Says of the programs of each definition which were needed and which were not, on what evidence.

Pure: from a snapshot to findings. The rules of `waste`, `constants`, `sizes` and `different` speak in that order for
the programs of one kind (`history`), and each program is accounted to one finding. First programs are never a finding,
nor are buckets, train and eval batches, a flag with two values, other models, transforms of one function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from jitwatch._explain.explain import History, explain
from jitwatch._judge import constants, different, sizes, upkeep, waste
from jitwatch._judge.codes import CODES, make_finding
from jitwatch._judge.history import Step, histories
from jitwatch._model import Change, Explanation, Finding, FunctionStats, Miss, Program, Snapshot
from jitwatch._record.sums import programs_of

_Told = tuple[str, str, list[Step]]


def judge(snapshot: Snapshot) -> dict[int, list[Finding]]:
    """The findings of each function, by its id; those of eager work are `eager.places`."""
    programs = {program.id: program for program in snapshot.programs}
    functions = [*snapshot.functions, *(other for other in snapshot.others if other.defined_at)]
    misses: dict[int, list[Miss]] = {}
    for miss in snapshot.misses:
        if miss.persistent:
            misses.setdefault(miss.function, []).append(miss)
    found: dict[int, list[Finding]] = {function.id: [] for function in (*functions, *snapshot.others)}
    for group in definitions(functions):
        for function, finding in judge_definition(group, programs, misses):
            found[function.id].append(finding)
    if snapshot.wall_s:
        found = {number: [_shared(each, snapshot.wall_s) for each in findings] for number, findings in found.items()}
    return found


def _shared(finding: Finding, wall_s: float) -> Finding:
    return msgspec.structs.replace(finding, share_of_run=min(finding.lost_s / wall_s, 1.0))


def judge_function(
    function: FunctionStats, misses: Sequence[Miss] = (), programs: Iterable[Program] = ()
) -> list[Finding]:
    """The findings of one function object on its own; its misses, if given, say more of the persistent cache."""
    known = {program.id: program for program in programs}
    return [finding for _, finding in judge_definition([function], known, {function.id: misses})]


def definitions(functions: Iterable[FunctionStats]) -> Iterator[list[FunctionStats]]:
    """Groups of function objects that one definition made; one without a line stands alone."""
    groups: dict[tuple[str, ...], list[FunctionStats]] = {}
    for function in functions:
        alone = "" if function.defined_at else str(function.id)
        place = function.name, function.qualname, function.defined_at, function.code, alone
        groups.setdefault(place, []).append(function)
    return iter(groups.values())


def judge_definition(
    functions: Sequence[FunctionStats], programs: Mapping[str, Program], misses: Mapping[int, Sequence[Miss]]
) -> Iterator[tuple[FunctionStats, Finding]]:
    """The findings on all objects of one definition, each with the object that it is told of."""
    told: dict[str, _Told] = {}
    for steps in histories(functions, programs):
        for cause, evidence, group in _told(steps, programs):
            if cause in told:
                known = told[cause]
                told[cause] = (cause, _weaker(known[1], evidence), [*known[2], *group])
            else:
                told[cause] = (cause, evidence, group)
    dropped = told.pop("cache_cleared", ("", "", []))[2]
    for cause, evidence, group in told.values():
        group.sort(key=lambda step: step.build.first)
        function = group[-1].function
        yield (
            function,
            make_finding(
                function,
                cause,
                _series(group, cause, functions),
                [upkeep.once(step.function, step.build) for step in group],
                evidence=evidence,
                place=_made_at(group) if cause == "function_identity" else "",
            ),
        )
    for function in functions:
        own = misses.get(function.id, ())
        others = [upkeep.once(function, step.build) for step in dropped if step.function is function]
        for finding in (*upkeep.cleared(function, own, others), *upkeep.stuck(function), *upkeep.stale(function)):
            yield function, finding


def _told(steps: Sequence[Step], programs: Mapping[str, Program]) -> Iterator[_Told]:
    """What the rules say of programs of one kind, each program once."""
    left = {id(step) for step in steps}

    def take(group: Iterable[Step]) -> list[Step]:
        taken = [step for step in group if id(step) in left]
        left.difference_update(map(id, taken))
        return taken

    by_cause: dict[tuple[str, str], list[Step]] = {}
    for cause, evidence, step in waste.wasted(steps):
        by_cause.setdefault((cause, evidence), []).append(step)
    rules: Iterable[_Told] = ((cause, evidence, group) for (cause, evidence), group in by_cause.items())
    for rule in (rules, constants.baked(steps, programs), sizes.churning(steps, programs)):
        for cause, evidence, group in rule:
            if taken := take(group):
                yield cause, evidence, taken
    for cause, evidence, group in different.doubtful([step for step in steps if id(step) in left]):
        if taken := take(group):
            yield cause, evidence, taken


_STRENGTH = ("possible", "likely", "proved")


def _weaker(one: str, other: str) -> str:
    return min(one, other, key=_STRENGTH.index)


def _series(steps: Sequence[Step], cause: str, functions: Sequence[FunctionStats]) -> list[Change]:
    """What differed, in the order of time; a function made anew says how many there were, and what they brought."""
    found = different.series(steps, cause)
    if cause != "function_identity":
        return found
    first = functions[0]
    objects = len({step.function.id for step in steps} | {step.twin.function.id for step in steps if step.twin})
    made = f"{objects} function objects{_for_programs(steps)}"
    itself = Change(cause, first.name, "one function object", made)
    return [itself, *(change for change in found if change.where != first.name)]


def _for_programs(steps: Sequence[Step]) -> str:
    """` for 6 programs`, where each of a few was made again and again: functions that a cache too small dropped."""
    programs = Counter(step.build.program for step in steps)
    again = len(programs) > 1 and min(programs.values()) > 1 and all(step.equality == "identical" for step in steps)
    return f" for {len(programs)} programs" if again else ""


def _made_at(steps: Sequence[Step]) -> str:
    """The line that made the function objects, which is the one to change; empty where there are several."""
    places = {step.function.jitted_at for step in steps}
    return places.pop() if len(places) == 1 else ""


def explanations(function: FunctionStats) -> dict[int, Explanation]:
    """Why each key of a function got its program, by the key's number."""
    why: dict[int, Explanation] = {}
    history = History()
    for key in function.keys:
        if programs_of(key):
            why[key.number] = explain(key.key, history)
            history.add(key.number, key.key)
    return why


__all__ = ["CODES", "definitions", "explanations", "judge", "judge_definition", "judge_function"]
