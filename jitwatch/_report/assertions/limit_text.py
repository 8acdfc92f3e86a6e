"""What is said where a test compiled more than its markers allow: expected, actual, each compile with its cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from jitwatch._report.comparison.check_words import cause_text, change_texts
from jitwatch._report.summary import cut_list
from jitwatch._testing.limits import Compile, Problem
from jitwatch._words.quantity_text import count_text
from jitwatch._words.safe_text import ELLIPSIS, clean, short_place

_MAX_COMPILES = 12
_MAX_CHANGE = 300
_MAX_ADVICE = 600


def failure_text(problems: Sequence[Problem]) -> str:
    """Write all that a test's markers find fault with."""
    return "\n\n".join("\n".join(_lines(problem)) for problem in problems)


def problem_line(problem: Problem) -> str:
    """Say in one line what was expected, and what was compiled."""
    if problem.function:
        place = f" ({short_place(problem.defined_at, 100)})" if problem.defined_at else ""
        subject = f"{clean(problem.function, 100)}{place} compiled {count_text(problem.compiles, 'program')}"
    else:
        subject = f"the test compiled {count_text(problem.compiles, 'program')}"
    return f"{clean(problem.limit.marker, 100)}: {subject}, expected at most {problem.limit.most:,}"


def _lines(problem: Problem) -> Iterator[str]:
    yield f"{problem_line(problem)}. Compiled beyond that:"
    shown = cut_list(problem.unexpected, _MAX_COMPILES)
    for compile in shown.shown:
        yield from _compile_lines(compile, named=not problem.function)
    if shown.more:
        yield f"  {ELLIPSIS} {count_text(shown.more, 'more program')}"
    for code, advice in _fixes(problem.unexpected):
        yield f"  fix: {clean(advice, _MAX_ADVICE)} [jitwatch explain {code}]"


def _compile_lines(compile: Compile, *, named: bool) -> Iterator[str]:
    place = f" ({short_place(compile.defined_at, 100)})" if compile.defined_at else ""
    name = f"{clean(compile.name, 100)}{place}: " if named else ""
    changes = [clean(change, _MAX_CHANGE) for change in change_texts(compile.program)]
    yield f"  {name}{clean(cause_text(compile.program))}: {changes[0]}"
    yield from (f"    {change}" for change in changes[1:])
    if compile.program.call_site:
        yield f"    at {short_place(compile.program.call_site, 100)}"


def _fixes(compiles: Iterable[Compile]) -> list[tuple[str, str]]:
    """Each fix once."""
    return list(dict.fromkeys(fix for compile in compiles for fix in compile.fixes))
