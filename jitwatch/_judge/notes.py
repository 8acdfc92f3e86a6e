"""What is worth knowing of the compiled programs and is no fault. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from jitwatch._judge.history import histories
from jitwatch._judge.judge import definitions
from jitwatch._model import Finding, Snapshot

ONE_PROGRAM, INITIALISATION = "JW901", "JW902"


def notes(snapshot: Snapshot) -> Iterator[Finding]:
    """Programs that are the same on other devices, or with other compile options."""
    programs = {program.id: program for program in snapshot.programs}
    functions = [*snapshot.functions, *(other for other in snapshot.others if other.defined_at)]
    for group in definitions(functions):
        for steps in histories(group, programs):
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
