"""The commands `diff` and `check`: what they print and write, and with which status they end. Nothing imports jax."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from recorded_pair import after, before

from jitwatch import _store
from jitwatch._cli.main import main
from jitwatch._model import Process, Recording, Snapshot

PACKAGE = Path(__file__).parents[1]
FORMATS = ("text", "markdown", "json")


def recording(data: Snapshot, pid: int = 1) -> Recording:
    process = Process("host", pid, 0, "0.10.2", "3.13.1", "cpu", 100.0 + pid, ("python", "train.py"), "run")
    return Recording((process,), data, ())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two recordings `a` and `b`, and what two processes recorded in `both`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITWATCH_FILE", raising=False)
    (tmp_path / "both").mkdir()
    _store.save(recording(before()), "a")
    _store.save(recording(after()), "b")
    _store.save(recording(before()), "both/.jitwatch")
    _store.save(recording(before(), 2), "both/.jitwatch.host.2.aa")
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(("arguments", "status"), [
    (["a", "b"], 0), (["a", "b", "--fail-on", "increase"], 2), (["a", "b", "--fail-on", "any"], 2),
    (["a", "a", "--fail-on", "any"], 0), (["a", "both", "--fail-on", "any"], 0),
])  # fmt: skip
def test_diff_ends_with_the_status_that_was_asked_for(arguments: list[str], status: int, folder: Path) -> None:
    result = invoke("diff", *arguments)

    assert (result.exit_code, result.stderr) == (status, "")
    assert result.stdout.startswith("jitwatch diff: ")


def test_seconds_fail_no_threshold(folder: Path) -> None:
    functions = tuple(
        replace(one, stages=replace(one.stages, trace_s=9.0, compile_s=90.0)) for one in before().functions
    )
    _store.save(recording(replace(before(), functions=functions)), "slow")

    result = invoke("diff", "a", "slow", "--fail-on", "any")

    assert result.exit_code == 0
    assert "No difference" in result.stdout


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("command", [["diff", "a", "b"], ["check", "--budget", "budget.toml", "b"]])
def test_each_format_goes_to_a_file_of_its_own(command: list[str], name: str, folder: Path) -> None:
    (folder / "budget.toml").write_text("")
    printed = invoke(*command, "--format", name)

    written, again = (invoke(*command, "--format", name, "-o", "out") for _ in range(2))

    assert (written.stdout, again.stdout, again.stderr) == ("", "", "")
    assert again.exit_code == printed.exit_code
    text = (folder / "out").read_text(encoding="utf-8")
    assert text.split() == printed.stdout.split()
    if name == "json":
        assert json.loads(text)["schema"] == f"jitwatch-{command[0]}/1"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("command", [["diff", "a", "b"], ["check", "--budget", "budget.toml", "b"]])
def test_no_other_file_is_overwritten(command: list[str], name: str, folder: Path) -> None:
    (folder / "budget.toml").write_text("")
    (folder / "README.md").write_text("# mine")

    result = invoke(*command, "--format", name, "-o", "README.md")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("jitwatch: README.md exists and is no ")
    assert (folder / "README.md").read_text() == "# mine"


def test_budget_is_made_checked_and_updated(folder: Path) -> None:
    made = invoke("check", "--budget", "budget.toml", "--update", "a")
    passing = invoke("check", "--budget", "budget.toml", "a")
    failing = invoke("check", "--budget", "budget.toml", "b")
    updated = invoke("check", "--budget", "budget.toml", "--update", "b")
    pruned = invoke("check", "--budget", "budget.toml", "--update", "--prune", "b")
    at_last = invoke("check", "--budget", "budget.toml", "b")

    assert (made.exit_code, made.stdout) == (0, "budget.toml: 4 added.\n")
    assert (passing.exit_code, passing.stdout) == (0, "jitwatch check: 4 functions within budget.\n")
    assert failing.exit_code == 2
    for line in ("2 of 4 functions are over", "train_step (src/train.py): 4 compiles; its budget is 1",
                 "(axis 0: 32 → 31)", "at src/train.py:88", "JW101", "fix: Keep the shape", "old_step (src/train.py)"):  # fmt: skip
        assert line in failing.stdout
    assert updated.stdout == (
        "budget.toml: 1 added, 1 raised, 1 lowered.\nNot in the recording, and kept: 1; --prune removes them.\n"
    )
    assert pruned.stdout == "budget.toml: 1 removed.\n"
    assert (at_last.exit_code, at_last.stdout) == (0, "jitwatch check: 4 functions within budget.\n")


def test_processes_are_added_up_and_each_has_the_budget(folder: Path) -> None:
    invoke("check", "--budget", "budget.toml", "--update", "a")

    assert invoke("check", "--budget", "budget.toml", "both").exit_code == 0
    assert invoke("check", "--budget", "budget.toml", "--update", "both").stdout == "budget.toml: no change.\n"


def test_check_without_a_recording_takes_the_latest_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "both")
    (folder / "budget.toml").write_text("[default]\nmax_compiles = 0")

    result = invoke("check", "--budget", "../budget.toml")

    assert result.exit_code == 2
    assert "2 compiles in 2 processes; not listed, and the default is 0 for each" in " ".join(result.stdout.split())


@pytest.mark.parametrize(("arguments", "message"), [
    (["diff", "a"], "Missing argument 'B'"), (["diff", "a", "b", "c"], "unexpected extra argument"),
    (["diff", "a", "missing"], "missing does not exist"), (["diff", "a", "junk"], "junk is no data file"),
    (["diff", "a", "b", "--fail-on", "slower"], "'slower' is not one of"),
    (["diff", "a", "b", "-o", "no/out.md"], "no/out.md cannot be written: there is no folder"),
    (["check", "a"], "give --budget FILE"),
    (["check", "--budget", "missing.toml", "a"], "There is no budget missing.toml; make one with"),
    (["check", "--budget", "bad.toml", "a"], "bad.toml is not valid TOML"),
    (["check", "--budget", "bad.toml", "--update", "a"], "bad.toml is not valid TOML"),
    (["check", "--budget", "unknown.toml", "a"], "unknown key 'max'; valid are max_compiles."),
    (["check", "--budget", "junk", "a"], "junk cannot be read: it is no text"),
    (["check", "--budget", "both", "a"], "both cannot be read: Is a directory"),
    (["check", "--budget", "no/b.toml", "--update", "a"], "no/b.toml cannot be written: there is no folder"),
    (["check", "--budget", "both", "--update", "a"], "both is a folder"),
    (["check", "--budget", "a", "--update", "a"], "a is not valid TOML"),
    (["check", "--budget", "new.toml", "--prune", "a"], "--prune goes with --update"),
    (["check", "--budget", "new.toml", "--update", "--format", "json", "a"], "--format and -o go without it"),
    (["check", "--budget", "new.toml", "--update", "missing"], "missing does not exist"),
    (["check", "--budget", "new.toml", "--update", "a", "junk"], "new.toml stays as it is"),
])  # fmt: skip
def test_wrong_arguments_and_files_give_a_clear_error(arguments: list[str], message: str, folder: Path) -> None:
    (folder / "junk").write_bytes(b"\x00\xff" * 100)
    (folder / "bad.toml").write_text("[default\n")
    (folder / "unknown.toml").write_text("[default]\nmax = 1")
    files = sorted(folder.iterdir())

    result = invoke(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert sorted(folder.iterdir()) == files


def test_partly_unreadable_recording_is_shown_and_ends_with_status_1(folder: Path) -> None:
    (folder / "both" / ".jitwatch.junk").write_bytes(b"\x00\xff" * 100)

    result = invoke("diff", "both", "b", "--fail-on", "any")

    assert result.exit_code == 1
    assert result.stdout.startswith("jitwatch diff: ")
    assert ".jitwatch.junk is no data file" in result.stderr


def test_missing_functions_and_faults_are_said(folder: Path) -> None:
    _store.save(recording(replace(before(), dropped_functions=3, faults=1)), "lossy")

    result = invoke("diff", "a", "lossy")

    assert "jitwatch: B: Functions beyond the bound" in result.stderr
    assert "jitwatch: B: jitwatch caught errors" in result.stderr


@pytest.mark.parametrize("command", ["diff", "check"])
def test_help_teaches_with_an_example(command: str) -> None:
    result = invoke(command, "--help")

    assert result.exit_code == 0
    assert f"jitwatch {command} " in result.output.partition("Options:")[0]
    assert "status 2" in result.output


@pytest.mark.parametrize("arguments", [
    ["diff", "a", "a"], ["check", "--budget", "new.toml", "--update", "a"], ["check", "--budget", "empty.toml", "a"],
])  # fmt: skip
def test_command_works_where_jax_cannot_be_imported(arguments: list[str], folder: Path) -> None:
    (folder / "empty.toml").write_text('[default]\nmax_compiles = "allow"')
    code = f"import sys; sys.modules['jax'] = None; sys.argv = ['jitwatch', *{arguments!r}]; "
    code += "from jitwatch._cli.main import main; main()"

    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PACKAGE)}, check=False)

    assert done.returncode == 0


@pytest.mark.parametrize("arguments", [["diff", "a", "b"], ["check", "--budget", "empty.toml", "a"]])
def test_only_an_update_needs_tomlkit(arguments: list[str], folder: Path) -> None:
    (folder / "empty.toml").write_text('[default]\nmax_compiles = "allow"')
    code = f"import sys; sys.modules['tomlkit'] = None; sys.argv = ['jitwatch', *{arguments!r}]; "
    code += "from jitwatch._cli.main import main; main()"

    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PACKAGE)}, check=False)

    assert done.returncode == 0
