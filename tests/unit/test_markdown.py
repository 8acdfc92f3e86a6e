"""The report as Markdown: a whole one against a file, and that names stay text."""

from __future__ import annotations

import re
from collections.abc import Callable

from builders import snapshot
from pages import PROCESS, hostile, hostile_process, large, small

from jitwatch._report.recording.as_markdown import render

TAGS = {"code", "details", "summary", "sub"}


def test_markdown_says_what_it_did_before(check_golden: Callable[[str, str], None]) -> None:
    check_golden("report.md", render(small(), [PROCESS]))


def test_markdown_of_nothing_is_one_sentence() -> None:
    assert "No time was spent" in render(snapshot())


def test_hostile_names_stay_text() -> None:
    text = render(hostile(), [hostile_process()])

    markup = re.sub(r"`[^`]*`|\\.", "", text)
    assert set(re.findall(r"<(/?[a-z]\w*)", markup)) <= {*TAGS, *(f"/{tag}" for tag in TAGS)}
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 9 for line in text.splitlines() if line.startswith("| `"))
    assert len(text) < 65_536


def test_functions_and_findings_come_in_the_order_and_number_asked_for() -> None:
    data = large(30, 5)
    by_name, most, longer = render(data, sort="name", top=2), render(data, top=2), render(data)
    first, second = (re.findall(r"^\| (`\w+`)", text, re.MULTILINE) for text in (by_name, most))

    assert first == ["`layer_1`", "`layer_10`"] != second
    assert len(second) == 2 and by_name.count("**Fix:**") == 2 < longer.count("**Fix:**")


def test_long_reports_are_cut_unless_all_is_asked_for() -> None:
    whole = large(30, 2)

    assert "… and 10 more" in render(whole)
    assert "… and" not in render(whole, show_all=True)
