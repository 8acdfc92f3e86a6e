"""The command line, in process but for one smoke test of each spelling. Nothing here imports jax."""

from __future__ import annotations

import ast
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders import function_stats, key_stats, snapshot
from click.testing import CliRunner, Result

from jitwatch import _store
from jitwatch._cli.main import main
from jitwatch._model import Process, Recording

PACKAGE = Path(__file__).parents[1]
COMMANDS = (
    "run", "report", "html", "json", "trace", "combine", "diff", "check", "warm-up", "autostart", "explain", "erase",
    "tail", "debug",
)  # fmt: skip
SPELLINGS = {
    "jitwatch": ["-c", "import sys; from jitwatch._cli.main import main; sys.argv[0] = 'jitwatch'; sys.exit(main())"],
    "python -m jitwatch": ["-m", "jitwatch"],
}
WITHOUT_JAX = "import sys; sys.modules['jax'] = None; sys.argv = ['jitwatch', *{!r}]; {}"
RUN_MAIN = "from jitwatch._cli.main import main; main()"


def recording(pid: int, run: str, started: float, *names: str) -> Recording:
    process = Process("host", pid, 0, "0.10.2", "3.13.1", "cpu", started, ("python", "train.py"), run)
    functions = (
        function_stats(name, id=i, defined_at="train.py:4", keys=[key_stats()]) for i, name in enumerate(names, 1)
    )
    return Recording((process,), snapshot(*functions), ())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files of two runs, the later of two processes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITWATCH_FILE", raising=False)
    _store.save(recording(1, "first", 100.0, "old_step"), ".jitwatch")
    _store.save(recording(2, "second", 200.0, "step"), ".jitwatch.host.2.aa")
    _store.save(recording(3, "second", 201.0, "step", "evaluate"), ".jitwatch.host.3.bb")
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_help_teaches_the_first_steps() -> None:
    result = invoke("--help")

    assert result.exit_code == 0
    assert "jitwatch run train.py" in result.output
    assert "Exit status" in result.output
    assert all(f"  {command}  " in result.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = invoke(command, "--help")

    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


@pytest.mark.parametrize(("arguments", "message"), [
    (["nonsense"], "No such command 'nonsense'"), (["run"], "give a script, -m MODULE or -c CODE"),
    (["run", "--mode", "loud", "x.py"], "'loud' is not one of"),
    (["run", "no_such.py", "--mode", "off"], "no_such.py cannot be run: No such file"),
    (["report", "--colour"], "No such option"), (["report", "no_such_file"], "no_such_file does not exist"),
    (["combine"], "Missing argument"), (["combine", "-o", ".jitwatch", "."], ".jitwatch exists"),
    (["report", "train.py"], "is no data file of jitwatch"),
    (["warm-up", "--function", "nonsense"], "no function is named 'nonsense'; recorded are: evaluate, step."),
    (["json", "-o", "train.py", "."], "train.py exists and is no jitwatch report"),
])  # fmt: skip
def test_wrong_arguments_give_one_clear_error(arguments: list[str], message: str, folder: Path) -> None:
    (folder / "train.py").write_text("print('not run')")

    result = invoke(*(["run", "--mode", "off", "no_such.py"] if "no_such.py" in arguments else arguments))

    assert result.exit_code == 1
    assert result.stdout == ""
    assert message in result.stderr
    assert len([line for line in result.stderr.splitlines() if "rror" in line or line.startswith("jitwatch:")]) == 1


def test_no_data_file_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = invoke("report")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "jitwatch run" in result.stderr


def test_wrong_setting_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MODE", "loud")

    result = invoke("run", "x.py")

    assert result.exit_code == 1
    assert "valid is one of 'warn', 'error', 'off'" in result.stderr


def test_report_without_files_shows_the_latest_run_only(folder: Path) -> None:
    result = invoke("report")

    assert result.exit_code == 0
    assert "old_step" not in result.output
    assert "step  train.py:4" in result.output
    assert "2 processes" in result.output
    assert "data files of earlier runs left out: 1" in result.output


def test_report_of_named_files_adds_them_up(folder: Path) -> None:
    result = invoke("report", ".jitwatch", ".jitwatch.host.2.aa")

    assert "old_step" in result.output
    assert "evaluate" not in result.output
    assert "left out" not in result.output


def test_report_chooses_functions(folder: Path) -> None:
    result = invoke("report", "--include", "*e*", "--omit", "ev*", ".")

    assert "old_step" in result.output
    assert "evaluate" not in result.output


def test_html_writes_a_page_and_nothing_over_what_is_none(folder: Path) -> None:
    (folder / "notes.html").write_text("<p>mine")

    made, again = invoke("html"), invoke("html", "--omit", "ev*")
    refused = invoke("html", "-o", "notes.html")

    page = (folder / "jitwatch.html").read_text(encoding="utf-8")
    assert [made.exit_code, again.exit_code, refused.exit_code] == [0, 0, 1]
    assert made.output.startswith("Written to jitwatch.html.")
    assert "train.py:4" in page and "evaluate" not in page
    assert "notes.html exists and is no jitwatch report" in refused.stderr
    assert (folder / "notes.html").read_text() == "<p>mine"


def test_trace_is_written_and_recognised(folder: Path) -> None:
    made, again = invoke("trace"), invoke("trace", "-o", "jitwatch-trace.json")

    assert [made.exit_code, again.exit_code] == [0, 0]
    assert json.loads((folder / "jitwatch-trace.json").read_text())["otherData"]["schema"] == "jitwatch-trace/1"


def test_report_as_markdown(folder: Path) -> None:
    result = invoke("report", "--format", "markdown")

    assert result.exit_code == 0
    assert result.stdout.startswith("## jitwatch report\n")
    assert "| `step` | `train.py:4` |" in result.stdout
    assert "data files of earlier runs left out: 1" in result.stderr


def test_unreadable_file_among_others_is_named_and_the_rest_is_shown(folder: Path) -> None:
    (folder / "junk").write_bytes(b"\x00\xff" * 100)

    result = invoke("report", ".jitwatch", "junk")

    assert result.exit_code == 1
    assert "old_step" in result.stdout
    assert result.stderr == "jitwatch: junk is no data file of jitwatch; name a file that `jitwatch run` wrote.\n"


def test_cut_file_is_said_and_the_rest_is_shown(folder: Path) -> None:
    data = (folder / ".jitwatch").read_bytes()
    (folder / "cut").write_bytes(data[:-20])

    result = invoke("report", "cut")

    assert result.exit_code == 0
    assert "old_step" in result.stdout
    assert "the last line is cut off; the rest is used." in result.stderr


def test_warm_up_prints_python_that_declares_the_calls(folder: Path) -> None:
    result, one = invoke("warm-up"), invoke("warm-up", "--function", "step")

    body = compile(result.stdout, "declared", "exec", ast.PyCF_ONLY_AST).body
    assert [ast.unparse(node.targets[0]) for node in body if isinstance(node, ast.Assign)] == ["EVALUATE", "STEP"]
    assert "# step (train.py:4): 1 key in 20 calls\n" in one.stdout
    assert "EVALUATE" not in one.stdout and "old_step" not in result.stdout
    assert (result.exit_code, one.exit_code) == (0, 0)
    assert "data files of earlier runs left out: 1" in result.stderr


def test_json_goes_to_standard_output_or_to_a_file(folder: Path) -> None:
    printed, again = invoke("json"), invoke("json", "-o", "report.json")
    overwritten = invoke("json", "-o", "report.json")

    report = json.loads(printed.stdout)
    assert json.loads((folder / "report.json").read_text()) == report
    assert [process["pid"] for process in report["processes"]] == [2, 3]
    assert {each["name"] for each in report["functions"]} == {"step", "evaluate"}
    assert (again.stdout, overwritten.exit_code) == ("", 0)


def test_combine_makes_one_new_file_and_keeps_the_others(folder: Path) -> None:
    before = sorted(folder.iterdir())

    result, again = invoke("combine", "-o", "all", "."), invoke("combine", "-o", "all", ".")

    assert (result.exit_code, result.output) == (0, "all: 3 files, 3 processes.\n")
    assert (again.exit_code, again.stderr) == (1, "jitwatch: all exists; remove it or give another name with -o.\n")
    assert sorted(folder.iterdir()) == sorted([*before, folder / "all"])
    step = next(each for each in _store.load("all").snapshot.functions if each.name == "step")
    assert step.misses == 2


def test_debug_says_versions_settings_and_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITWATCH_MAX_KEYS", "12")

    result = invoke("debug")

    assert result.exit_code == 0
    assert "max_keys = 12 from the environment variable JITWATCH_MAX_KEYS" in result.output
    assert "mode = 'warn' from the default" in result.output
    assert result.output.count(".jitwatch.host.") == 2
    assert "jax: not imported" in result.output


def test_autostart_prints_a_path_that_begins_with_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}/one{os.pathsep}")

    folder, *rest = invoke("autostart").output.strip().split(os.pathsep)

    assert [path.name for path in Path(folder).glob("*.py")] == ["sitecustomize.py"]
    assert rest == ["/one"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_both_spellings_work(spelling: str, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *SPELLINGS[spelling], *arguments], capture_output=True, text=True, check=False,
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        )  # fmt: skip

    shown, program, wrong = run("--help"), run("run", "-c", "import sys; print('ran'); sys.exit(7)"), run("nonsense")

    assert shown.stdout.startswith(f"Usage: {spelling} [OPTIONS] COMMAND")
    assert (program.returncode, program.stdout) == (7, "ran\n")
    assert wrong.returncode == 1
    assert f"Usage: {spelling}" in wrong.stderr


@pytest.mark.parametrize("arguments", [
    ["--help"], ["report"], ["json"], ["combine", "-o", "all", "."], ["debug"], ["autostart"], ["warm-up"],
    ["run", "--quiet", "-c", "1"],
], ids=lambda arguments: arguments[0])  # fmt: skip
def test_command_works_where_jax_cannot_be_imported(arguments: list[str], folder: Path) -> None:
    code = WITHOUT_JAX.format(arguments, RUN_MAIN)

    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PACKAGE)}, check=False)

    assert done.returncode == 0


def test_the_check_for_jax_can_fail(folder: Path) -> None:
    code = WITHOUT_JAX.format(["run", "--quiet", "-c", "import jax"], RUN_MAIN)

    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(PACKAGE)}, capture_output=True, check=False
    )

    assert done.returncode == 1
    assert b"import of jax halted" in done.stderr


@pytest.mark.benchmark
@pytest.mark.benchmark
def test_help_is_fast() -> None:
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "jitwatch", "--help"], capture_output=True, check=True, cwd=PACKAGE)
        seconds.append(time.perf_counter() - start)
    print(f"\njitwatch --help: {1000 * statistics.median(seconds):.0f} ms")
    assert statistics.median(seconds) < 0.3


def test_missing_program_leaves_no_data_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["run", "no_such.py"])

    assert result.exit_code == 1
    assert "no_such.py cannot be run" in result.output
    assert list(tmp_path.iterdir()) == []
