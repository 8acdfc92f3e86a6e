"""A small sample of the programs of tests/causes, as they are, varied and repaired; and the scorer can fail on each.

All of them: `python tests/causes/score.py --variant all --repeat 2,5,20` and the same without options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from headers import HERE, missing, programs, repaired
from score import copy, report_of, score_repair, shortcomings
from variants import VARIANTS

AS_THEY_ARE = ("C11", "C24", "C33", "I07", "I40")
VARIED = (("C33", "renamed"), ("C24", "moved"), ("I07", "threads"), ("I40", "processes"))
FOUND = {"causes": ["shape"], "where": ["x"], "lost_s": 1.0, "message": "told for the sake of the test"}

Header = dict[str, Any]


def program(name: str) -> tuple[Path, Header]:
    """A program and its header; skips a test where it does not apply."""
    ((path, case),) = programs(HERE, [name])
    if why := missing(case):
        pytest.skip(why)
    return path, case


def doctored(case: Header, report: dict[str, Any]) -> Iterator[tuple[Header, dict[str, Any]]]:
    """Headers that a right report falls short of, and reports that fall short of the right header."""
    yield {**case, "expected_compiles": case["expected_compiles"] + 1}, report
    yield {**case, "expected_traces": case["expected_traces"] + 1}, report
    if case["kind"] == "negative":
        yield case, {**report, "places": [{**FOUND, "operations": ["sort"]}]}
        yield case, {**report, "functions": [*report["functions"], {"name": "another", "findings": [FOUND]}]}
    else:
        yield {**case, "cause": "dtype", "match": {**case.get("match", {}), "also": []}}, report
        yield {**case, "where": ["nowhere"], "match": {}}, report
        yield {**case, "match": {"text": ["not said at all"]}}, report
        silent = [{**each, "findings": []} for each in report["functions"]]
        yield case, {**report, "functions": silent, "places": []}
        noisy = {"name": "innocent_modes", "findings": [FOUND]}
        yield case, {**report, "functions": [*report["functions"], noisy]}


def check(path: Path, case: Header, report: dict[str, Any], times: int) -> None:
    """What is said is right, and the scorer would have noticed if it were not."""
    assert list(shortcomings(case, report, path, times=times)) == []
    for header, other in doctored(case, report):
        if not (header.get("count") and header["expected_traces"] != case["expected_traces"]):
            assert list(shortcomings(header, other, path, times=times)), header


@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_what_is_said_of_a_program_is_what_its_header_says(name: str, tmp_path: Path) -> None:
    path, case = program(name)

    report = report_of(path, case, tmp_path)

    check(path, case, report, times=1)


@pytest.mark.parametrize(("name", "variant"), VARIED)
def test_a_variant_has_the_same_verdict(name: str, variant: str) -> None:
    path, case = program(name)
    how = VARIANTS[variant]
    source, case = how.make(path.read_text(), case)

    with copy(path, source) as made:
        report = report_of(made, case, made.parent, processes=how.processes)
        check(made, case, report, times=how.processes)


def test_a_repair_removes_the_finding_and_saves_what_it_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    path, case = program("C33")
    reports = {}

    def remembered(made: Path, case: Header, folder: Path, run: Callable[..., Any] = report_of) -> dict[str, Any]:
        source = made.read_text()
        if source not in reports:
            reports[source] = run(made, case, folder)
        return reports[source]

    monkeypatch.setattr("score.report_of", remembered)
    with copy(path, repaired(path.read_text())) as made:
        after = remembered(made, case, made.parent)

    assert score_repair(path, case, after).short == ()
    assert score_repair(path, case, after).note == "promised 1, saved 1"
    assert score_repair(path, case, reports[path.read_text()]).short  # a repair that does nothing
