"""Makes the pictures of the page that docs/page.md shows: `nox -s screenshots`, with Chromium installed.

Records the digits example and a program that uses a library, makes up a large recording, and takes a picture of each
page. `public.png` is of another project's program, equinox's example `train_rnn`, whose code is not kept here: with its
packages installed, `python docs/pictures/make.py train_rnn.py` takes that picture too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PROGRAMS = {"digits": "examples/train_digits.py", "flax": "tests/programs/flax_nnx.py"}
PUBLIC = ("public.png", "public", "", 1280, 1080, "light")
SHOTS = (
    # file, page, address, width, height, theme
    ("digits.png", "digits", "", 1280, 1080, "light"),
    ("digits-narrow.png", "digits", "", 400, 1080, "dark"),
    ("flax.png", "flax", "", 1280, 900, "light"),
    ("large.png", "large", "#fn-layer_1-21", 1600, 1000, "dark"),
    ("timeline.png", "large", "#timeline", 1280, 460, "light"),
)


def record(program: str, page: Path) -> None:
    """Run a program under jitwatch, and write its page."""
    command = [sys.executable, "-m", "jitwatch", "run", "--quiet", "-o", str(page.with_suffix(".jitwatch")),
               "--html", str(page), program]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def make_large(page: Path) -> None:
    """Write the page of a recording that is made up."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from pages import PROCESS, large

    from jitwatch._report.page.render import render

    page.write_text(render(large(60, 40), [PROCESS]), encoding="utf-8")


def take(browser: Any, folder: Path, shots: Sequence[tuple[str, str, str, int, int, str]]) -> None:
    """Take pictures of the pages in a folder."""
    for name, page, address, width, height, theme in shots:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, offline=True)
        tab = context.new_page()
        tab.goto((folder / f"{page}.html").as_uri() + address)
        if address == "#timeline":
            tab.locator("#timeline").screenshot(path=HERE / name)
        else:
            tab.screenshot(path=HERE / name)
        context.close()


def main(public: str = "") -> None:
    """Record, and take every picture; that of a program of another project where its file is named."""
    with tempfile.TemporaryDirectory() as folder:
        for name, program in PROGRAMS.items():
            record(program, Path(folder, f"{name}.html"))
        if public:
            record(os.path.abspath(public), Path(folder, "public.html"))
        make_large(Path(folder, "large.html"))
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take(browser, Path(folder), [*SHOTS, PUBLIC] if public else SHOTS)
            browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
