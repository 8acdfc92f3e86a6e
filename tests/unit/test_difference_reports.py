"""Reports of comparisons and checks: whole pages against files, and that no name can break a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import snapshot
from hypothesis import given
from hypothesis import strategies as st
from key_strategies import text as odd_text
from recorded_pair import FILE, after, batches, before, function, hostile

from jitwatch._compare.budget import Budget, Check, check
from jitwatch._compare.comparison import Comparison, compare
from jitwatch._judge.compiled import FunctionName, file_of
from jitwatch._report.comparison import check_json, check_markdown, check_text, diff_json, diff_markdown, diff_text
from jitwatch._report.parts.markdown import code, prose

DOCS = Path(__file__).parents[2] / "docs" / "budgets.md"
GITHUB_LIMIT = 65_536


def comparison() -> Comparison:
    return compare(before(), after(), file_of)


def checked() -> Check:
    limits = {FunctionName("train_step", FILE): 2, FunctionName("old_step", FILE): 1}
    return check(Budget(default=1, limits=limits), after(), file_of)


def no_difference() -> Comparison:
    return compare(before(), before(), file_of)


def passing() -> Check:
    return check(Budget(default=None, limits={}), after(), file_of)


def test_top_bounds_the_functions_and_findings_of_a_diff() -> None:
    text, markdown = diff_text.render(comparison(), width=100, top=1), diff_markdown.render(comparison(), top=1)

    assert "more functions\n" in text and "… 1 more finding\n" in text
    assert "train_step" in text and "JW103" not in text
    assert "… and 3 more" in markdown and "… and 1 more finding." in markdown


@pytest.mark.parametrize(("name", "report"), [
    ("diff.txt", lambda: diff_text.render(comparison(), width=100)), ("diff.md", lambda: diff_markdown.render(comparison())),
    ("diff.json", lambda: diff_json.render(comparison())),
    ("diff_none.txt", lambda: diff_text.render(no_difference(), width=100)),
    ("diff_none.md", lambda: diff_markdown.render(no_difference())),
    *((f"diff_{width}.txt", lambda width=width: diff_text.render(comparison(), width=width)) for width in (80, 140)),
    *((f"check_{width}.txt", lambda width=width: check_text.render(checked(), width=width)) for width in (80, 140)),
    ("check.txt", lambda: check_text.render(checked(), width=100)), ("check.md", lambda: check_markdown.render(checked())),
    ("check.json", lambda: check_json.render(checked())),
    ("check_passing.txt", lambda: check_text.render(passing(), width=100)),
    ("check_passing.md", lambda: check_markdown.render(passing())),
])  # fmt: skip
def test_report_is_as_expected(name: str, report: Callable[[], str], check_golden: Callable[[str, str], None]) -> None:
    check_golden(name, report())


def test_nothing_recorded_is_said() -> None:
    found = check(Budget(default=1, limits={}), snapshot(), file_of)

    assert check_text.render(found) == "jitwatch check: no jitted function compiled, so none is over its budget."


@pytest.mark.parametrize("name", ["diff", "check"])
def test_every_field_of_the_json_is_in_the_docs(name: str) -> None:
    module, made = {"diff": (diff_json, diff_json.JsonDiff), "check": (check_json, check_json.JsonCheck)}[name]
    definitions = msgspec.json.schema(made)["$defs"].values()

    fields = {field for definition in definitions for field in definition["properties"]}
    assert [field for field in sorted(fields) if f"`{field}`" not in DOCS.read_text()] == []
    assert module.SCHEMA in DOCS.read_text()


@pytest.mark.parametrize("text", [diff_json.render(comparison()), check_json.render(checked())])
def test_json_report_begins_with_its_schema(text: str) -> None:
    assert re.match(r'\{\s*"schema": "jitwatch-(diff|check)/1"', text)
    assert json.loads(text)


def hostile_pages() -> dict[str, str]:
    one, other = hostile()
    compared, found = compare(one, other, file_of), check(Budget(1, {}), other, file_of)
    return {
        "diff": diff_markdown.render(compared), "reversed": diff_markdown.render(compare(other, one, file_of)),
        "check": check_markdown.render(found),
        "unseen": check_markdown.render(check(Budget(1, {FunctionName("@a|`" * 99, "<b>"): 1}), other, file_of)),
    }  # fmt: skip


class Tags(HTMLParser):
    """Collects the HTML tags of a page outside code spans."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.found.add(tag)


@pytest.mark.parametrize("name", ["diff", "reversed", "check", "unseen"])
def test_no_name_breaks_a_markdown_page(name: str) -> None:
    page = hostile_pages()[name]

    plain = re.sub(r"\\.", "", re.sub(r"(?<!\\)`[^`\n]*`", "", page))
    tags = Tags()
    tags.feed(plain)
    assert tags.found <= {"details", "summary", "code", "br"}
    assert not re.search(r"@(?!<!-- -->)", plain)
    assert len(page) < GITHUB_LIMIT
    tables = re.findall(r"(?:^\|.*\n)+", plain, flags=re.MULTILINE)
    assert tables
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_the_check_of_pages_can_fail() -> None:
    tags = Tags()
    tags.feed("a <script> b")

    assert tags.found == {"script"}


@pytest.mark.parametrize("name", ["diff", "check"])
def test_no_name_reaches_a_terminal_unescaped(name: str) -> None:
    one, other = hostile(3)
    escape = snapshot(function("\x1b[31mred", batches(1, 2, 3), defined_at="\x1b]0;title\x07.py:1"), *other.functions)
    text = {
        "diff": diff_text.render(compare(one, escape, file_of), width=80),
        "check": check_text.render(check(Budget(1, {}), escape, file_of), width=80),
    }[name]  # fmt: skip

    assert "\\x1b[31mred" in text
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("render", [lambda **options: diff_text.render(comparison(), **options),
                                    lambda **options: check_text.render(checked(), **options)])  # fmt: skip
def test_colour_changes_no_text(render: Callable[..., str]) -> None:
    plain, coloured = (render(width=100, color=color) for color in (False, True))

    assert "\x1b[" in coloured
    assert [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines()] == plain.splitlines()


@given(odd_text | st.text("`|\\<@#_*"), st.integers(1, 30))
def test_code_is_one_span_on_one_line(text: str, limit: int) -> None:
    shown = code(text, limit)

    assert "\n" not in shown and "|" not in shown
    if shown.startswith("`"):
        assert shown.endswith("`") and shown.count("`") == 2
    else:
        assert shown == "—" or re.fullmatch(r"<code>(?:[^\W_]| |…|&#\d+;)*</code>", shown)


@given(odd_text | st.text("`|\\<@#_*"), st.integers(1, 30))
def test_prose_has_no_markup_and_keeps_its_limit(text: str, limit: int) -> None:
    shown = prose(text, limit)

    assert len(shown.removesuffix("…")) <= limit
    left = re.sub(r"\\[^a-zA-Z0-9\s]|[@#]<!-- -->", "", shown)
    assert not re.search(r"[`|*_<@#\[\]]", left)
