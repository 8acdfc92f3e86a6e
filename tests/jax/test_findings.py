"""Each section of docs/findings.md: its first program has the finding, its second has none at all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.experimental.layout
import pytest

from jitwatch._judge.judge import CODES

FINDINGS = Path(__file__).parents[2] / "docs" / "findings.md"
SECTIONS = dict(re.findall(r"^## (jw\d+)\n(.*?)(?=^## |\Z)", FINDINGS.read_text(encoding="utf-8"), re.M | re.S))


def findings_of(program: str, folder: Path) -> list[dict[str, Any]]:
    """All findings of a program under `jitwatch run`."""
    script, report = folder / "program.py", folder / "report.json"
    script.write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "jitwatch", "run", "--quiet", "--json", str(report), str(script)]
    subprocess.run(command, check=True, cwd=folder)
    functions = json.loads(report.read_text(encoding="utf-8"))["functions"]
    return [finding for function in functions for finding in function["findings"]]


def test_every_code_has_a_section() -> None:
    assert sorted(SECTIONS) == sorted(code.lower() for code in CODES.values())


@pytest.mark.parametrize("code", SECTIONS)
def test_finding_is_there_before_and_gone_after(code: str, tmp_path: Path) -> None:
    if code == "jw106" and not hasattr(jax.experimental.layout, "Format"):
        pytest.skip("this JAX names layouts otherwise")
    before, after = re.findall(r"```python\n# (?:before|after)\n(.*?)```", SECTIONS[code], re.S)
    folders = [tmp_path / name for name in ("before", "after")]
    for folder in folders:
        folder.mkdir()

    found = findings_of(before, folders[0])

    assert [finding["code"].lower() for finding in found] == [code]
    assert findings_of(after, folders[1]) == []
