"""`jitwatch run` behaves as `python` does, and every process of the program leaves a readable data file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jitwatch import _store
from jitwatch._model import Recording

PACKAGE = Path(__file__).parents[2]
JITTED = "import jax\njitted = jax.jit(lambda x: x + 1)\n"
PRINTS_ITSELF = "import sys\nprint(__name__, sorted(globals()), sys.argv, sys.path[0], __spec__ and __spec__.name)\n"
IMPORTLIB = {"importlib", "importlib._bootstrap", "importlib._bootstrap_external", "importlib.machinery"}
FILES = "print(globals().get('__file__'), globals().get('__cached__'), type(__loader__), __builtins__)\n"


def run(
    command: Sequence[str], folder: Path, *, stdin: str = "", python: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """A Python command in a folder, as a user would start it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JITWATCH", "PYTHONPATH"))}
    return subprocess.run(
        [sys.executable, *python, *command], cwd=folder, input=stdin, capture_output=True, text=True, check=False,
        env={**inherited, "PYTHONPATH": str(PACKAGE), "XLA_FLAGS": "", **environment},
    )  # fmt: skip


def watched(command: Sequence[str], folder: Path, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The same command under `jitwatch run`."""
    return run(["-m", "jitwatch", "run", *options, *command], folder, **more)


def recordings(folder: Path) -> list[Recording]:
    return [_store.load(path) for path in sorted(folder.glob(".jitwatch*"))]


def misses(recording: Recording) -> int:
    return sum(function.misses for function in recording.snapshot.functions)


SCRIPTS = {
    "what_it_sees": PRINTS_ITSELF + FILES,
    "exit_code": "import sys; sys.exit(3)",
    "exit_text": "import sys; print('out'); sys.exit('the reason')",
    "exit_none": "raise SystemExit",
    "exit_tuple": "raise SystemExit((1, 2))",
    "exit_large": "import sys; sys.exit(300)",
    "exception": "def f():\n    g()\ndef g():\n    raise ValueError('wrong')\nf()",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('a') from error",
    "syntax_error": "x = 1\nif x\n    pass",
    "coding": "# coding: latin-1\nprint('\\xe9')",
    "excepthook": "import sys\nsys.excepthook = lambda kind, value, frames: print('hook', kind, value)\n1 / 0",
    "broken_excepthook": "import sys\ndef hook(*_):\n    raise KeyError('broken')\nsys.excepthook = hook\n1 / 0",
    "last_exception": "import atexit, sys\natexit.register(lambda: print(repr(sys.last_value)))\n1 / 0",
    "atexit": "import atexit\natexit.register(print, 'first')\natexit.register(print, 'last')\nprint('end')",
    "atexit_main": "import atexit, sys\natexit.register(lambda: print(sys.modules['__main__'].x))\nx = 5",
    "threads": (
        "import threading, time\ndef work():\n    time.sleep(0.2)\n    print('done', threading.main_thread().name)\n"
        "threading.Thread(target=work).start()\nprint('main ends')"
    ),
    "thread_exception": "import threading\ndef work():\n    raise KeyError(1)\nthreading.Thread(target=work).start()",
    "pickled_main": ("import pickle\nclass A:\n    x = 1\nprint(pickle.loads(pickle.dumps(A())).x, A.__module__)"),
    "annotations": "x: int = 1\nprint(__annotations__)",
    "stdin": "import sys\nprint(input(), sys.stdin.read())",
    "keyboard_interrupt": "import atexit\natexit.register(print, 'end')\nraise KeyboardInterrupt",
    "inspected": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f), inspect.getfile(f))",
    "warning": "import warnings\nwarnings.warn('old', DeprecationWarning)",
    "os_exit": "import os, sys\nprint('out')\nsys.stdout.flush()\nos._exit(5)",
    "abort": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nprint('not here')",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_as_under_python(name: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(SCRIPTS[name], encoding="latin-1")
    command = ["program.py", "a", "--json", "-x"]

    plain = run(command, tmp_path, stdin="one\ntwo\n")
    here = watched(command, tmp_path, "--quiet", stdin="one\ntwo\n")

    assert (here.returncode, here.stdout, here.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize("command", [
    ["-c", PRINTS_ITSELF + "1 / 0", "a", "-b"], ["-m", "package.module", "a"], ["-m", "package"], ["-m", "missing"],
    ["-m", "package.broken"], ["folder", "a"], ["folder/archive.zip", "a"], ["-", "a"], ["./folder/../program.py"],
    ["compiled.pyc", "a"], ["link.py"],
], ids=lambda command: command[-1] if command[0] != "-c" else "-c")  # fmt: skip
def test_every_way_to_name_a_program_works_as_under_python(command: list[str], tmp_path: Path) -> None:
    import py_compile
    import zipfile

    package, folder = tmp_path / "package", tmp_path / "folder"
    package.mkdir(), folder.mkdir()
    for path in (package / "__init__.py", package / "module.py", folder / "__main__.py", tmp_path / "program.py"):
        path.write_text(PRINTS_ITSELF + "from pathlib import Path\nraise ValueError")
    (package / "broken.py").write_text("import nothing_of_this_name")
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.write(folder / "__main__.py", "__main__.py")
    py_compile.compile(str(tmp_path / "program.py"), cfile=str(tmp_path / "compiled.pyc"))
    (tmp_path / "link.py").symlink_to(folder / "__main__.py")

    plain = run(command, tmp_path, stdin=PRINTS_ITSELF)
    here = watched(command, tmp_path, "--quiet", stdin=PRINTS_ITSELF)

    assert (here.returncode, here.stdout) == (plain.returncode, plain.stdout)
    if sys.version_info < (3, 13) or command[0] != "-c":  # Python 3.13 shows the code of `-c` in tracebacks
        assert here.stderr == plain.stderr


def test_interrupt_ends_the_process_by_the_signal_and_still_reports(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(JITTED + "jitted(1.0)\nraise KeyboardInterrupt")

    done = watched(["program.py"], tmp_path)

    assert done.returncode == -signal.SIGINT
    assert done.stderr.startswith("Traceback")
    assert "KeyboardInterrupt\n" in done.stderr
    assert "program.py:2" in done.stderr


def test_sigterm_ends_the_process_by_the_signal_after_the_report(tmp_path: Path) -> None:
    code = (
        JITTED + "jitted(1.0)\njitted(1.0)\nimport os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nprint('not here')"
    )
    (tmp_path / "program.py").write_text(code)

    done = watched(["program.py"], tmp_path, "--json", "report.json", "--html", "report.html")

    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "")
    assert '<a href="#fn-lambda-2"' in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 = 1 hit + 1 miss" in done.stderr
    (function,) = (each for each in json.loads((tmp_path / "report.json").read_text())["functions"] if each["hits"])
    assert (function["hits"], function["miss_count"]) == (1, 1)


@pytest.mark.parametrize(("end", "status"), [
    ("os._exit(5)", 5), ("os.kill(os.getpid(), signal.SIGKILL)", -9),
    ("signal.signal(15, handler); os.kill(os.getpid(), 15)", 7),
], ids=["os._exit", "kill -9", "own handler"])  # fmt: skip
def test_sudden_end_leaves_a_readable_file(end: str, status: int, tmp_path: Path) -> None:
    code = JITTED + f"import os, signal\nhandler = lambda *_: os._exit(7)\njitted(1.0)\njitted(1)\n{end}\n"
    (tmp_path / "program.py").write_text(code)

    done = watched(["program.py"], tmp_path)

    assert done.returncode == status
    (recording,) = recordings(tmp_path)
    assert misses(recording) == 2


CHILDREN = (
    JITTED
    + """
import multiprocessing, os, subprocess, sys

def child(n):
    for i in range(n):
        jitted(float(i))
    jitted(n)

if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "subprocess":
        subprocess.run([sys.executable, "-c", "import program; program.child(3)"], check=True)
    elif kind == "os.fork":
        pid = os.fork()
        if not pid:
            child(3)
            sys.exit()
        os.waitpid(pid, 0)
    else:
        process = multiprocessing.get_context(kind).Process(target=child, args=(3,))
        process.start()
        process.join()
    child(1)
"""
)


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver", "subprocess", "os.fork"])
def test_each_child_leaves_a_file_of_its_own_and_one_report_has_all(kind: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CHILDREN)

    done = watched(["program.py", kind], tmp_path, "--json", "report.json")

    assert done.returncode == 0, done.stderr
    found = recordings(tmp_path)
    runs = {process.run for recording in found for process in recording.processes}
    assert sorted(misses(recording) for recording in found) == [2, 2]
    assert not any(recording.problems for recording in found)
    assert len(runs) == 1
    assert done.stderr.count("JAX ") == 1
    assert "2 processes" in done.stderr
    (function,) = (each for each in json.loads((tmp_path / "report.json").read_text())["functions"] if each["hits"])
    assert (function["hits"], function["miss_count"]) == (2, 4)


def test_children_and_programs_without_jax_leave_nothing(tmp_path: Path) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import sys; print(sorted(sys.modules))'])"
    (tmp_path / "program.py").write_text(code)

    plain, here = run(["program.py"], tmp_path), watched(["program.py"], tmp_path)
    alone = run(["-c", "pass"], tmp_path, JITWATCH="1", PYTHONPATH=autostart(tmp_path))

    assert set(eval(here.stdout)) - set(eval(plain.stdout)) <= {"sitecustomize", "warnings", *IMPORTLIB}
    assert len(recordings(tmp_path)) == 1  # of the program itself
    assert (alone.stdout, alone.stderr) == ("", "")


def autostart(folder: Path, **environment: str) -> str:
    return run(["-m", "jitwatch", "autostart"], folder, **environment).stdout.strip()


def test_autostart_does_the_same_for_a_program_that_something_else_starts(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(CHILDREN)

    done = run(["program.py", "subprocess"], tmp_path, JITWATCH="1", PYTHONPATH=autostart(tmp_path))

    assert done.returncode == 0
    assert sorted(map(misses, recordings(tmp_path))) == [2, 2]
    assert done.stderr.count("JAX ") == 1
    assert "2 processes" in done.stderr


def test_report_of_a_program_whose_standard_error_was_another_one_when_jax_came(tmp_path: Path) -> None:
    code = f"import io, sys\nsys.stderr = io.StringIO()\n{JITTED}sys.stderr.close(); sys.stderr = sys.__stderr__; jitted(1)"

    done = run(["-c", code], tmp_path, JITWATCH="1", PYTHONPATH=autostart(tmp_path))

    assert "1 miss" in done.stderr and "failed" not in done.stderr


def test_autostart_is_off_without_the_variable_and_keeps_the_path(tmp_path: Path) -> None:
    path = autostart(tmp_path, PYTHONPATH=f"{PACKAGE}{os.pathsep}{os.pathsep}/elsewhere")
    code = (
        f"import sys; assert '_autostart' not in ''.join(sys.path); assert '/elsewhere' in sys.path\n{JITTED}jitted(1)"
    )

    done = run(["-c", code], tmp_path, JITWATCH="0", PYTHONPATH=path)

    assert (done.returncode, done.stderr) == (0, "")
    assert not recordings(tmp_path)
    assert path.split(os.pathsep)[1:] == [str(PACKAGE), "/elsewhere"]


@pytest.mark.parametrize(
    "code", ["print('mine')", "import sys; print(sys.modules['sitecustomize'] is not None)", "1 / 0"]
)
def test_sitecustomize_of_the_user_is_loaded_as_before(code: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"{code}\nmark = 7")
    command = ["-c", "import sitecustomize; print(sitecustomize.mark, sitecustomize.__file__)"]
    own = f"{tmp_path}{os.pathsep}{PACKAGE}"

    plain = run(command, tmp_path, PYTHONPATH=own)
    here = run(command, tmp_path, PYTHONPATH=autostart(tmp_path, PYTHONPATH=str(PACKAGE)) + os.pathsep + str(tmp_path))

    assert here.stdout.splitlines()[-1:] == plain.stdout.splitlines()[-1:]
    assert here.returncode == plain.returncode
    assert ("ZeroDivisionError" in here.stderr) == ("ZeroDivisionError" in plain.stderr)


def test_child_python_that_lacks_the_dependencies_runs_unwatched(tmp_path: Path) -> None:
    path = f"{autostart(tmp_path).split(os.pathsep)[0]}{os.pathsep}{tmp_path}"
    (tmp_path / "wrapt.py").write_text("raise ImportError('no wrapt here')")
    (tmp_path / "jax.py").write_text("print('jax runs')")

    asked = run(["-c", "import jax"], tmp_path, JITWATCH="1", PYTHONPATH=path)
    child = run(["-c", "import jax"], tmp_path, JITWATCH_CHILD="{}", PYTHONPATH=path)

    assert (asked.stdout, child.stdout, child.stderr) == ("jax runs\n", "jax runs\n", "")
    assert asked.stderr == "jitwatch: the program runs unwatched: no wrapt here.\n"


def test_mode_off_runs_the_program_alone(tmp_path: Path) -> None:
    code = "import sys; print('jitwatch._api.install' in sys.modules, 'JITWATCH_CHILD' in __import__('os').environ)"
    (tmp_path / "program.py").write_text(code)

    by_option = watched(["program.py"], tmp_path, "--mode", "off")
    by_variable = watched(["program.py"], tmp_path, JITWATCH_MODE="off")

    assert (by_option.stdout, by_option.stderr) == ("False False\n", "")
    assert (by_variable.stdout, by_variable.stderr) == ("False False\n", "")
    assert not recordings(tmp_path)


def test_earlier_data_files_are_never_overwritten_and_the_latest_run_is_shown(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / f"program{n}.py").write_text(
            JITTED + f"for i in range({n}): jitted(__import__('numpy').ones(i + 1))"
        )
        assert watched([f"program{n}.py"], tmp_path, "--quiet").returncode == 0
        time.sleep(0.01)

    shown = run(["-m", "jitwatch", "report"], tmp_path)
    everything = run(["-m", "jitwatch", "report", "."], tmp_path)

    assert sorted(map(misses, recordings(tmp_path))) == [1, 2]
    assert "program2.py" in shown.stdout
    assert "program1.py" not in shown.stdout
    assert "left out: 1" in shown.stdout
    assert "program1.py" in everything.stdout


def test_devices_and_process_are_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(JITTED + "jitted(1.0)")

    watched(["program.py", "an argument"], tmp_path, "--quiet", "-o", "mine.data")

    (process,) = _store.load(tmp_path / "mine.data").processes
    assert (process.process_index, process.device_kind) == (0, "cpu")
    assert process.argv[-2:] == ("program.py", "an argument")


def test_no_calls_leaves_hits_uncounted(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(JITTED + "jitted(1.0)\njitted(1.0)")

    done = watched(["program.py"], tmp_path, "--no-calls", "--include", "*program.py")

    assert "1 miss; hits not counted" in done.stderr


@pytest.mark.parametrize(("options", "message"), [
    (["-o", "no/such/folder/file"], "there is no folder"), (["--json", "program.py"], "is no jitwatch report"),
    (["--html", "program.py"], "is no jitwatch report"),
    (["-o", "."], "is a folder"),
])  # fmt: skip
def test_bad_file_names_are_refused_before_the_program_runs(options: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print('ran')")

    done = watched(["program.py"], tmp_path, *options)

    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
