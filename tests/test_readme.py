"""The README from top to bottom: its Python runs in one session, and its commands and pages exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jitwatch._cli.main import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_DAY = ("README.md", "docs/install.md", "docs/coming_from.md")


def blocks(language: str) -> list[str]:
    """The code of the README in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_python_of_the_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    tests = "\n".join(f"{name}()" for name in re.findall(r"^def (test_\w+)\(\):", README, re.MULTILINE))
    program = tmp_path / "readme.py"
    program.write_text("\n".join([*blocks("python"), tests]), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "CacheInfo(hits=2, misses=2, keys=2, traces=2, lowerings=2, compiles=2, " in done.stdout
    assert "x  f32[64,784]  ->  f32[60,784]" in done.stdout
    shown = [re.sub(r"\(trace .*", "", line) for block in blocks("text") for line in block.splitlines()]
    calls = [re.sub(r"\(trace .*", "", line) for line in done.stderr.splitlines() if line.startswith("call ")]
    assert len(calls) == 4 and set(calls) <= set(shown)


@pytest.mark.parametrize("page", FIRST_DAY)
def test_each_command_that_is_shown_exists_with_its_options(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = re.findall(r"`jitwatch ([^`\n]+)`", text)
    if page == "README.md":
        lines += re.findall(r"^jitwatch ([^\n]+)", "\n".join(blocks("bash")), re.MULTILINE)

    assert lines
    for line in lines:
        name, *words = shlex.split(line.strip(), comments=True)
        command = main.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        mine = words if name != "run" else words[: next((at for at, word in enumerate(words) if word[0] != "-"), 0)]
        assert {word.partition("=")[0] for word in mine if word.startswith("-")} <= known


@pytest.mark.parametrize("page", FIRST_DAY)
def test_each_page_that_is_linked_exists(page: str) -> None:
    path = ROOT / page
    linked = re.findall(r"\]\(([^)#:]+)[^):]*\)", path.read_text(encoding="utf-8"))

    assert linked
    assert [link for link in linked if not (path.parent / link).exists()] == []
