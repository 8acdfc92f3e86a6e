"""The page compares programs that were kept: of each function, one of each way to be nearly the same."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import jitwatch
from jitwatch import watched_jit
from jitwatch._cli.main import main
from jitwatch._record.recorder import recorder
from jitwatch._report.page.render import render
from jitwatch._store.program_files import ProgramFolder, kept_in


def pairs(page: str) -> list[str]:
    """The comparisons on a page as text."""
    return [
        unescape(re.sub(r"<[^>]+>|\s+", " ", each)) for each in re.findall(r'class="pair">(.*?)</section>', page, re.S)
    ]


def test_programs_stand_side_by_side_where_they_were_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(tmp_path / "kept")
    monkeypatch.setattr(recorder().programs, "keep", ProgramFolder(folder).keep)

    def make(rate: float):
        return watched_jit(lambda x: x * rate)

    with jitwatch.recording() as recorded:
        for rate in (0.25, 0.5, 0.75):
            make(rate)(np.ones(3, np.float32))
        make(0.25)(np.ones(4, np.float32))
    kept = pairs(render(recorded.snapshot(), kept=kept_in(folder)))
    lost = pairs(render(recorded.snapshot(), kept=kept_in(str(tmp_path))))

    constants, sizes = kept
    assert "The same but for constants" in constants and "0.25 -> 0.5" in constants
    assert "The same but for sizes" in sizes and "x: f32[3] -> f32[4]" in sizes
    assert pairs(render(recorded.snapshot())) == lost == []


def test_a_folder_without_programs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    said = CliRunner().invoke(main, ["html", "--programs", "nowhere"])

    assert said.exit_code == 1 and "There are no programs in nowhere" in said.output
