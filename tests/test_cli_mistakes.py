"""Mistyped commands, filters that match nothing, and outputs that cannot take what is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import function_stats, key_stats, snapshot
from click.testing import CliRunner, Result

from jitwatch import _store
from jitwatch._cli.main import main
from jitwatch._model import Process, Recording


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a script and a recording."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITWATCH_FILE", raising=False)
    (tmp_path / "train.py").write_text("import sys; print(sys.argv)")
    functions = [
        function_stats(name, id=number, defined_at=f"/home/ann/src/{file}:4", keys=[key_stats()])
        for number, (name, file) in enumerate((("größe", "train.py"), ("loss", "model.py")), 1)
    ]
    process = Process("host", 1, 0, "0.10.2", "3.13.1", "cpu", 100.0, ("python", "train.py"), "run")
    _store.save(Recording((process,), snapshot(*functions), ()), ".jitwatch")
    return tmp_path


@pytest.mark.parametrize(("arguments", "hint"), [
    (["--quite", "train.py"], "'--quiet'"), (["--inclde", "x", "train.py"], "Did you mean '--include'?"),
    (["trian.py"], "trian.py cannot be run: No such file or directory. Did you mean train.py?"),
    (["pytest", "tests"], "To run the module, write `jitwatch run -m pytest`."),
    (["python", "train.py"], "Name the program itself: jitwatch runs it with the Python that it is installed in."),
    (["python3.12", "train.py"], "Name the program itself"),
    (["pip"], "To run the module, write `jitwatch run -m pip`."),
    (["-m", "trian"], "There is no module trian to run. Did you mean train?"),
    (["-m"], "Option '-m' requires an argument."), (["--force", "--append", "train.py"], "not both"),
])  # fmt: skip
def test_mistyped_run_is_told_what_was_meant(arguments: list[str], hint: str, folder: Path) -> None:
    result = invoke("run", *arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert hint in result.stderr


def test_all_that_follows_the_program_is_the_programs(folder: Path) -> None:
    (folder / "module.py").write_text("import sys; print(sys.argv[1:])")

    for program in (["train.py"], ["-m", "module"], ["-c", "import sys; print(sys.argv)"], ["-mmodule"]):
        done = subprocess.run(
            [sys.executable, "-m", "jitwatch", "run", "--mode", "off", *program, "--quiet", "-m", "x", "--"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.endswith("'--quiet', '-m', 'x', '--']\n")


@pytest.mark.parametrize("glob", ["größe", "train.py", "src/train.py", "./src/train.py", "*/src/t*", "gr*"])
def test_filter_matches_a_name_or_the_end_of_a_path(glob: str, folder: Path) -> None:
    result = invoke("report", "--include", glob)

    assert "größe" in result.stdout and "loss" not in result.stdout


def test_filter_that_leaves_nothing_says_so_with_what_there_is(folder: Path) -> None:
    shown, as_json = invoke("report", "--include", "nope", "--omit", "x"), invoke("json", "--include", "nope")

    message = "No function is left by --include nope{}; recorded are: größe, loss."
    assert (shown.exit_code, shown.output) == (1, f"jitwatch: {message.format(' --omit x')}\n")
    assert (as_json.exit_code, as_json.stderr) == (0, f"jitwatch: {message.format('')}\n")
    assert json.loads(as_json.stdout)["functions"] == []


def test_reports_are_sorted_and_cut_as_asked_or_as_the_project_says(folder: Path) -> None:
    asked = invoke("report", "--sort", "name", "--top", "1")
    (folder / "pyproject.toml").write_text('[tool.jitwatch]\nsort = "name"\ntop = 1\nomit = ["gr*"]\n')
    said = invoke("report")

    assert "größe  /home/ann/src/train.py:4" in asked.stdout and "… 1 more function\n" in asked.stdout
    assert "loss" in said.stdout and "more function" not in said.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp1251"])
def test_an_encoding_that_lacks_a_character_ends_no_report(encoding: str, folder: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "jitwatch", *arguments], capture_output=True, check=True,
            env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding},
        )  # fmt: skip

    report, as_json = run("report"), run("json")

    assert report.stderr == as_json.stderr == b""
    written = "utf-8" if encoding == "ascii" else encoding  # click takes ASCII for a terminal that is not set up
    assert "größe".encode(written, "replace") in report.stdout
    assert "größe" in {each["name"] for each in json.loads(as_json.stdout.decode())["functions"]}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device")
@pytest.mark.parametrize("command", ["report", "json", "debug", "--help"])
def test_a_full_device_is_one_line(command: str, folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jitwatch", command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (
        1, "jitwatch: the output cannot be written: No space left on device.\n",
    )  # fmt: skip


def test_a_variable_that_is_nearly_one_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MAXCOMPILES", "3")

    result = invoke("report")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "jitwatch: The environment variable JITWATCH_MAXCOMPILES is none of jitwatch's; is it JITWATCH_MAX_COMPILES?\n"
    )
