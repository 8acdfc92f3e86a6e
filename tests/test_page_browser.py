"""The page in a real browser: Debian's Chromium by Playwright, from a file, with the network off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import PROCESS, hostile, hostile_process, large, small

from jitwatch._report.page.render import render

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[browser]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
    # Playwright leaves its event loop's sockets to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
Open = Callable[..., Any]
LEAST = "JW101-layer_9"
"""A finding that is folded away with others."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests."""
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages, by name."""
    folder = tmp_path_factory.mktemp("pages")
    pages = {
        "small": render(small(), [PROCESS]), "hostile": render(hostile(), [hostile_process()]),
        "many": render(large(60, 5), [PROCESS]),
    }  # fmt: skip
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture
def open_page(browser: Any, files: dict[str, Path]) -> Iterator[Open]:
    """Opens a page, with options of the browser's context; fails where the page says anything on the console."""
    contexts, said = [], []

    def opened(name: str, hash: str = "", *, width: int = 1600, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.startswith("file:") else said.append(request.url))
        page.goto(files[name].as_uri() + hash)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def names(page: Any) -> list[str]:
    """The functions of the table that can be seen, from top to bottom."""
    rows = page.locator("table.functions tbody tr:visible th a").all()
    return [row.inner_text() for row in rows]


def test_table_sorts_by_any_column(open_page: Open) -> None:
    page = open_page("small")

    assert names(page) == ["decode", "accuracy"]
    page.get_by_role("button", name="Calls").click()
    assert names(page) == ["accuracy", "decode"]
    page.get_by_role("button", name="Calls").press("Enter")
    assert names(page) == ["decode", "accuracy"]
    page.get_by_role("button", name="Function").click()
    assert names(page) == ["accuracy", "decode"]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_table_is_filtered_and_shown_whole_on_request(open_page: Open) -> None:
    page = open_page("many")

    assert len(names(page)) == 25
    page.get_by_label("Filter").fill("LAYER_4")
    assert {name[:7] for name in names(page)} == {"layer_4"}
    assert page.locator("#matches").inner_text() == "11 of 60"
    page.get_by_label("Filter").fill("")
    page.get_by_role("button", name="Show all 60 functions").click()
    assert len(names(page)) == 60


def test_filter_keeps_functions_with_findings(open_page: Open) -> None:
    page = open_page("small")

    page.get_by_label("with findings").check()

    assert names(page) == ["decode"]


def test_drawer_opens_and_closes_with_mouse_keyboard_and_history(open_page: Open) -> None:
    page = open_page("small")
    drawer = page.get_by_role("complementary")

    assert not drawer.is_visible()
    page.get_by_role("link", name="accuracy").click()
    assert drawer.is_visible()
    assert page.evaluate("document.activeElement.textContent") == "accuracy"
    page.keyboard.press("Escape")
    assert not drawer.is_visible()
    assert page.evaluate("document.activeElement.textContent") == "accuracy"
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Close").click()
    assert not drawer.is_visible()
    page.get_by_role("link", name="decode", exact=True).click()
    assert drawer.get_by_text("the same but for sizes").is_visible()
    page.go_back()
    assert not drawer.is_visible()


def test_links_lead_to_a_function_and_to_a_finding(open_page: Open) -> None:
    assert open_page("small", "#fn-accuracy-61").get_by_role("heading", name="accuracy").is_visible()
    assert open_page("many", f"#{LEAST}").locator(f"#{LEAST} .remedy").is_visible()


def test_timeline_zooms_and_leads_to_functions(open_page: Open) -> None:
    page = open_page("small")
    timeline = page.get_by_role("region", name="Timeline")
    inner = page.locator(".inner")
    before = inner.bounding_box()["width"]

    page.get_by_role("button", name="Zoom in").click()
    assert inner.bounding_box()["width"] == pytest.approx(4 * before, abs=2)
    timeline.focus()
    page.keyboard.press("-")
    assert inner.bounding_box()["width"] == pytest.approx(before, abs=2)
    page.locator("g[data-to=fn-accuracy-61] rect").last.click()
    assert page.get_by_role("heading", name="accuracy").is_visible()


@pytest.mark.parametrize("name", ["small", "hostile", "many"])
@pytest.mark.parametrize("width", [320, 400, 768, 1600])
def test_nothing_is_wider_than_the_screen(name: str, width: int, open_page: Open) -> None:
    page = open_page(name, width=width)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("table.functions a").first.click()
    assert page.locator("#details").evaluate("one => one.scrollWidth - one.clientWidth") <= 0


def test_dark_theme_is_dark(open_page: Open) -> None:
    colour = "getComputedStyle(document.documentElement).backgroundColor"

    assert open_page("small", color_scheme="light").evaluate(colour) == "rgb(255, 255, 255)"
    assert open_page("small", color_scheme="dark").evaluate(colour) != "rgb(255, 255, 255)"


def test_without_script_everything_can_be_read(open_page: Open) -> None:
    page = open_page("many", java_script_enabled=False)

    assert len(names(page)) == 60
    assert not page.get_by_label("Filter").is_visible()
    page.get_by_role("link", name="layer_59", exact=True).click()
    assert page.locator("#fn-layer_59-79").get_by_text("Called with, and what was new in it").is_visible()


def test_hostile_names_run_nothing(open_page: Open) -> None:
    page = open_page("hostile")
    for link in page.locator("table.functions a").all():
        link.click()
        page.keyboard.press("Escape")

    assert page.evaluate("[...document.querySelectorAll('img, iframe, script')].length") == 1
    assert page.locator("table.functions").get_by_text("</script><img").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("hash", ["", "#fn-decode-12"])
def test_page_is_accessible(scheme: str, hash: str, open_page: Open) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

    found = axe.Axe().run(open_page("small", hash, color_scheme=scheme)).response["violations"]

    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []


def test_page_prints_with_its_details(open_page: Open) -> None:
    page = open_page("small")

    page.emulate_media(media="print")

    assert page.locator("#fn-decode-12").is_visible()
    assert not page.get_by_label("Filter").is_visible()
