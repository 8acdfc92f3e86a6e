"""The page without a browser: what is on it, that names stay text, and that it stays bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from builders import UNIX_S, build, failed_miss, function_stats, key_stats, snapshot, stages
from pages import HOSTILE, PROCESS, hostile, hostile_process, large, miss, small

from jitwatch._report.bill import bill_of
from jitwatch._report.page import view
from jitwatch._report.page.render import GENERATOR, render
from jitwatch._report.sources import lines_around
from jitwatch._report.summary import summarize
from jitwatch._report.timeline import MAX_SLICES, timeline_of

OUTSIDE = re.compile(r"""(?:src|href|action)\s*=\s*(?!["'`]?#)|url\(|@import|https?://""")
TAGS = {
    "a", "article", "aside", "b", "body", "button", "code", "dd", "del", "details", "div", "dl", "dt", "g", "h1", "h2",
    "h3", "head", "header", "html", "i", "input", "ins", "label", "li", "line", "main", "meta", "ol", "output", "p",
    "pre", "rect", "script", "section", "span", "strong", "style", "summary", "svg", "table", "tbody", "td", "text",
    "th", "thead", "title", "tr", "ul",
}  # fmt: skip
VOID = {"input", "meta"}


class Checker(HTMLParser):
    """Collects tags and attributes, and checks that every tag is closed where it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def body_of(page: str) -> str:
    """Without style, script and the marks of the axis."""
    dull = r"""<(style|script)>.*?</\1>|'sha256-[^']*'|<g class="tick.*?</g>"""
    return re.sub(dull, "", page, flags=re.DOTALL).rstrip("\n")


def test_page_says_what_it_did_before(check_golden: Callable[[str, str], None]) -> None:
    check_golden("page.html", body_of(render(small(), [PROCESS])))


def test_page_needs_nothing_from_elsewhere() -> None:
    page = render(small(), [PROCESS])

    assert OUTSIDE.findall(page) == []
    assert "default-src 'none'" in page
    assert GENERATOR in page[:300]


def test_page_without_anything_says_what_to_do() -> None:
    page = render(snapshot())

    assert "No jitted function was watched." in page
    assert "jitwatch run" in page
    assert parsed(page).tags.count("table") == 0


def test_hostile_names_stay_text() -> None:
    page = render(hostile(), [hostile_process()])
    found = parsed(page)

    assert set(found.tags) <= TAGS
    assert page.count("<script") == 1
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert all(value.startswith("#") for name, value in found.attributes if name == "href")
    assert all(character.isprintable() or character == "\n" for character in page)
    assert "{{ 7*7 }}{% raw %}" in "".join(found.texts)
    assert len(page) < 1_000_000


def test_ids_are_distinct_and_links_lead_to_them() -> None:
    for page in (render(small()), render(hostile()), render(large(20, 5))):
        attributes = parsed(page).attributes
        ids = [value for name, value in attributes if name == "id"]

        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[\w.-]+", one, re.ASCII) for one in ids)
        assert {value[1:] for name, value in attributes if name == "href"} <= set(ids)
        assert {value for name, value in attributes if name == "data-to"} <= set(ids)


def test_large_recordings_are_cut_with_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MAX_KEY_ROWS", 100)
    monkeypatch.setattr(view, "MAX_FUNCTIONS", 20)
    whole = large(25, 12)
    page = render(whole)

    assert "7 more keys, with less time spent" in page
    assert "5 more functions, with less time spent" in page


def test_functions_come_in_the_order_and_number_asked_for() -> None:
    by_name, most = (view.page_view(large(30, 5), top=3, sort=sort) for sort in ("name", "spent"))
    names = [one.row.name for one in by_name.functions]

    assert len(names) == 3 and names == sorted(names) != [one.row.name for one in most.functions]
    assert len(by_name.findings.shown) == 3 and by_name.findings.more
    assert 'aria-sort="ascending">Function' in render(large(30, 2), top=3, sort="name")
    assert 'aria-sort="descending">Recompiles' in render(large(30, 2), top=3, sort="recompiles")


def test_many_misses_are_drawn_together() -> None:
    misses = tuple(miss(number, 1 + number % 3, 1, number / 50, thread=number % 4) for number in range(1, 20_000))

    timeline = timeline_of(snapshot(misses=misses))

    assert timeline is not None
    assert sum(len(lane.slices) for lane in timeline.lanes) <= MAX_SLICES
    assert sum(one.count for lane in timeline.lanes for one in lane.slices) == len(misses)


def test_bill_never_exceeds_what_was_spent() -> None:
    summary = summarize(small())
    bill = bill_of(small(), [*summary.findings] * 9)

    assert bill.avoidable_s + bill.needed_s <= bill.spent_s * 1.000001
    assert bill.spent_s + bill.rest_s == 12.0


def test_what_reuse_would_spare_is_a_sentence_of_its_own() -> None:
    again = function_stats(keys=[key_stats(stages=stages(3, 9.0))], builds=(build(1, "a", count=3, compile_s=6.0),))

    assert ". jitwatch run --reuse would spare 4.0 s: the process had 2 programs already." in render(snapshot(again))


def test_timeline_places_stages_before_the_end_of_their_miss_by_process_and_thread() -> None:
    one = function_stats(keys=[key_stats()], builds=(build(1, process="a"), build(2, process="b")))
    misses = (miss(1, 1, 1, 3.0, stages=stages(1, 1.6)), miss(2, 1, 1, 4.0), miss(3, 1, 1, 5.0, thread=8))

    timeline = timeline_of(snapshot(one, misses=misses, unix_s=UNIX_S + 10))

    assert timeline is not None
    assert [len(lane.slices) for lane in timeline.lanes] == [1, 1, 1]
    assert timeline.begin_unix_s == UNIX_S + 3.0 - 1.9
    assert abs(timeline.duration_s - 8.9) < 1e-6


def test_calls_that_ran_no_stage_make_no_timeline() -> None:
    assert timeline_of(snapshot(misses=(failed_miss(stages=stages(0, 0.0)),))) is None


def test_lines_of_source_are_read_of_python_files_only(tmp_path: Path) -> None:
    program, secret = tmp_path / "program.py", tmp_path / "secret.txt"
    for path in (program, secret):
        path.write_text("if True:\n    one()\n    two()\n    three()\n")

    assert [line.text for line in lines_around(f"{program}:3")] == ["one()", "two()", "three()"]
    assert [line.number for line in lines_around(f"{program}:4") if line.here] == [4]
    assert lines_around(f"{secret}:3") == ()
    assert lines_around(f"{program}:99") == ()
    assert lines_around(f"{tmp_path}/none.py:1") == ()
    assert lines_around(HOSTILE[0]) == ()
