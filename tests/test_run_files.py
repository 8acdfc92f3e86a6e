"""Where `jitwatch run` leaves its data, and what becomes of a program whose data cannot be left anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builders import function_stats, key_stats, snapshot
from click.testing import CliRunner, Result

from jitwatch import _store
from jitwatch._cli.main import main
from jitwatch._model import Process, Recording
from jitwatch._run import output_files

PROGRAM = ("-c", "print('ran')")
"""Imports no jax: nothing is watched, and the file is made all the same."""


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`jitwatch` with these arguments."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JITWATCH")}
    return subprocess.run(
        [sys.executable, "-m", "jitwatch", *arguments], cwd=cwd, capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip


def test_default_file_is_not_told_and_any_other_is(tmp_path: Path) -> None:
    first, second = run("run", *PROGRAM, cwd=tmp_path), run("run", *PROGRAM, cwd=tmp_path)
    named = run("run", "-o", "mine", *PROGRAM, cwd=tmp_path)
    (beside,) = (path.name for path in tmp_path.iterdir() if path.name.startswith(".jitwatch."))

    assert "the data is in" not in first.stderr
    assert second.stderr.endswith(f"\njitwatch: the data is in {beside}\n")
    assert named.stderr.endswith("\njitwatch: the data is in mine\n")


def test_a_named_file_that_exists_is_refused_erased_or_kept(tmp_path: Path) -> None:
    quiet = "run", "--quiet", "-o", "mine"
    run(*quiet, *PROGRAM, cwd=tmp_path)

    refused = run(*quiet, *PROGRAM, cwd=tmp_path)
    kept = run(*quiet, "--append", *PROGRAM, cwd=tmp_path)
    both = len(list(tmp_path.iterdir()))
    anew = run(*quiet, "--force", *PROGRAM, cwd=tmp_path)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "jitwatch: mine exists, of an earlier run; --force erases that, and --append keeps it and writes beside it.\n"
    )
    assert (kept.returncode, kept.stdout, both) == (0, "ran\n", 2)
    assert (anew.stdout, [path.name for path in tmp_path.iterdir()]) == ("ran\n", ["mine"])


def test_force_erases_nothing_that_is_not_jitwatchs(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("of mine")

    done = run("run", "--force", "-o", "notes.txt", *PROGRAM, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "notes.txt is no data file of jitwatch; nothing was erased." in done.stderr
    assert (tmp_path / "notes.txt").read_text() == "of mine"


def test_force_leaves_a_page_that_begins_with_the_name(tmp_path: Path) -> None:
    command = ("run", "--quiet", "--force", "-o", "mine", "--html", "mine.html", *PROGRAM)
    first, again = run(*command, cwd=tmp_path), run(*command, cwd=tmp_path)

    assert (first.returncode, first.stderr, again.returncode, again.stderr) == (0, "", 0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "mine.html"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device")
def test_what_cannot_be_written_keeps_no_program_from_running(tmp_path: Path) -> None:
    (tmp_path / "full.json").symlink_to("/dev/full")

    data = run("run", "--quiet", "-o", "/dev/full", *PROGRAM, cwd=tmp_path)
    report = run("run", "--quiet", "--json", "full.json", *PROGRAM, cwd=tmp_path)

    assert (data.returncode, data.stdout) == (report.returncode, report.stdout) == (0, "ran\n")
    assert data.stderr == (
        "jitwatch: /dev/full cannot be written: No space left on device. The program runs all the same, and nothing of "
        "it is kept in a file.\n"
    )
    assert report.stderr.splitlines() == [f"jitwatch: {tmp_path}/full.json cannot be written: No space left on device."]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_keeps_no_program_from_running(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    done = run("run", "--quiet", *PROGRAM, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "Permission denied. The program runs all the same" in done.stderr


def test_devices_and_pipes_take_data_and_reports(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()

    piped = run("run", "--quiet", "-o", "pipe", *PROGRAM, cwd=tmp_path)
    reader.join(30)
    unread = run("run", "--quiet", "-o", "pipe", *PROGRAM, cwd=tmp_path)
    nowhere = run("run", "--quiet", "-o", os.devnull, "--json", os.devnull, *PROGRAM, cwd=tmp_path)

    assert (piped.stdout, piped.stderr, nowhere.stdout, nowhere.stderr) == ("ran\n", "", "ran\n", "")
    assert read[0].startswith(b'{"line":"jitwatch"')
    assert (unread.stdout, unread.returncode) == ("ran\n", 0) and "pipe cannot be written" in unread.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert not os.path.isfile(os.devnull)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: `one` of a run of two processes, and a later run beside its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITWATCH_FILE", raising=False)
    for name, pid, run_name, started in (
        ("one", 1, "a", 100.0), ("one.host.2.aa", 2, "a", 101.0), ("two", 3, "b", 200.0), ("two.host.4.bb", 4, "c", 300.0),
    ):  # fmt: skip
        process = Process("host", pid, 0, "0.10.2", "3.13.1", "cpu", started, ("python", "train.py"), run_name)
        _store.save(Recording((process,), snapshot(function_stats("step", keys=[key_stats()])), ()), name)
    return tmp_path


def test_a_named_file_stands_for_its_run(folder: Path) -> None:
    result = invoke("report", "one")

    assert "2 processes" in result.output
    assert "later run" not in result.output


def test_newer_data_beside_a_named_file_is_told_and_never_compared(folder: Path) -> None:
    shown, compared, held = invoke("report", "two"), invoke("diff", "one", "two"), invoke(
        "check", "--budget", "budget.toml", "--update", "two"
    )  # fmt: skip

    assert "A later run left its data beside what is named, in two.host.4.bb; it is not looked at." in shown.output
    assert (compared.exit_code, compared.stdout) == (held.exit_code, held.stdout) == (1, "")
    assert "two.host.4.bb; it is not looked at. Name the file that you mean" in compared.stderr
    assert invoke("diff", "one", "two.host.4.bb").exit_code == 0
    assert not (folder / "budget.toml").exists()


def test_erase_removes_data_files_and_nothing_else(folder: Path) -> None:
    (folder / "notes").write_text("of mine")
    _store.save(_store.load("one"), ".jitwatch")

    refused = invoke("erase", "one", "notes")
    default, named, nothing = invoke("erase"), invoke("erase", "one"), invoke("erase")

    assert (refused.exit_code, refused.stderr) == (
        1, "jitwatch: notes is no data file of jitwatch; nothing was erased.\n",
    )  # fmt: skip
    assert [each.stdout for each in (default, named, nothing)] == [
        "Erased 1 data file.\n", "Erased 1 data file.\n", "Erased 0 data files.\n",
    ]  # fmt: skip
    assert sorted(path.name for path in folder.iterdir()) == ["notes", "one.host.2.aa", "two", "two.host.4.bb"]


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "budget.toml"
    path.write_text("before")
    path.chmod(0o640)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", fail)
        with pytest.raises(output_files.JitwatchError, match="No space left on device"):
            output_files.write_whole(str(path), "after")
    assert (path.read_text(), os.listdir(tmp_path)) == ("before", ["budget.toml"])

    output_files.write_whole(str(path), "after")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("after", 0o640)
