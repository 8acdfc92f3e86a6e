"""Runs a program as `python` would: same `__main__`, `sys.argv`, `sys.path`, tracebacks and exit status.

Knows nothing of watching. Each function ends as the program does: it returns, or raises `SystemExit`, or raises
`KeyboardInterrupt` after its traceback was printed, so that the interpreter ends the process by that signal.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import os
import runpy
import sys
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any

from jitwatch._errors import JitwatchError

interrupted = False
"""Whether the program ended by a KeyboardInterrupt."""
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def check_script(path: str) -> None:
    """See whether there is a program to run at `path`; `-` is standard input.

    Raises:
        JitwatchError: There is none.
    """
    if path != "-" and not os.path.exists(path):
        raise JitwatchError(f"{path} cannot be run: No such file or directory.")


def run_script(path: str, args: Sequence[str]) -> None:
    """Run `python path args...`; the path may also be a folder or an archive with a `__main__`, or `-`."""
    sys.argv = [path, *args]
    if path == "-":
        _put_first_on_path("")
        source, main = sys.stdin.buffer.read(), _main_module(__file__="<stdin>", __cached__=None)
        _end_as_python(lambda: _execute(main, compile(source, "<stdin>", "exec", dont_inherit=True)))
    elif _is_runnable_folder(path):
        _put_first_on_path(os.path.join(os.getcwd(), path))
        _main_module()
        _end_as_python(lambda: runpy._run_module_as_main("__main__", alter_argv=False))  # type: ignore[attr-defined]
    else:
        # Python makes the path absolute in tracebacks and in `__file__`, not in `sys.argv` (3.9 and later).
        full_path = os.path.join(os.getcwd(), path)
        code = _code_of(path, full_path)
        _put_first_on_path(os.path.dirname(os.path.realpath(path)))
        main = _main_module(__file__=full_path, __cached__=None, __loader__=_loader_of(full_path))
        _end_as_python(lambda: _execute(main, code()))


def run_module(name: str, args: Sequence[str]) -> None:
    """Run `python -m name args...`."""
    sys.argv = ["-m", *args]
    _put_first_on_path(os.getcwd())
    _main_module()
    _end_as_python(lambda: runpy._run_module_as_main(name))  # type: ignore[attr-defined]


def run_code(source: str, args: Sequence[str]) -> None:
    """Run `python -c source args...`."""
    sys.argv = ["-c", *args]
    _put_first_on_path("")
    _end_as_python(lambda: _execute(_main_module(), compile(source, "<string>", "exec", dont_inherit=True)))


def _put_first_on_path(folder: str) -> None:
    """Put the program's folder where the interpreter put jitwatch's."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _main_module(**attributes: Any) -> types.ModuleType:
    """A fresh `__main__`, with what the interpreter puts there."""
    main = types.ModuleType("__main__")
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__loader__ = importlib.machinery.BuiltinImporter
    main.__dict__["__builtins__"] = builtins
    main.__dict__.update(attributes)
    sys.modules["__main__"] = main
    return main


def _is_runnable_folder(path: str) -> bool:
    """Whether `path` is something that `python` looks into for a `__main__` module: a folder or a zip archive."""
    if not os.path.isfile(path):
        return os.path.isdir(path)
    import zipfile

    return not path.endswith((".py", ".pyc")) and zipfile.is_zipfile(path)


def _loader_of(path: str) -> Any:
    kind = "SourcelessFileLoader" if path.endswith(".pyc") else "SourceFileLoader"
    return getattr(importlib.machinery, kind)("__main__", path)


def _code_of(path: str, full_path: str) -> Callable[[], Any]:
    """What makes the code of a script, which is read here.

    Raises:
        JitwatchError: The file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise JitwatchError(f"{path} cannot be run: {error.strerror or error}.") from error
    if path.endswith(".pyc"):
        return lambda: _loader_of(full_path).get_code("__main__")
    return lambda: compile(source, full_path, "exec", dont_inherit=True)


def _execute(main: types.ModuleType, code: Any) -> None:
    exec(code, main.__dict__)


def _end_as_python(program: Callable[[], Any]) -> None:
    """Run, and end as the interpreter would, without jitwatch's frames in a traceback."""
    global interrupted
    try:
        program()
        return
    except SystemExit:
        raise
    except BaseException as error:
        raised = error
    raised.__traceback__ = _without_own_frames(raised.__traceback__)
    _print_as_uncaught(raised)
    if not isinstance(raised, KeyboardInterrupt):
        sys.exit(1)
    # The interpreter joins threads, runs `atexit` functions, and ends by SIGINT; the traceback is printed already.
    interrupted = True
    sys.excepthook = lambda *_: None
    raise raised


def remain_interrupted() -> None:
    """Let the process end by SIGINT if the program was interrupted, whatever has run since.

    CPython notes an uncaught KeyboardInterrupt in a flag that every `exec` of a text clears, such as the one in
    `dataclass` (3.11 to 3.13: `_Py_UnhandledKeyboardInterrupt`, set and cleared by `run_eval_code_obj`).
    """
    if interrupted:
        try:
            exec("raise KeyboardInterrupt")
        except KeyboardInterrupt:
            pass


def _print_as_uncaught(error: BaseException) -> None:
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    setattr(sys, "last_exc", error)  # noqa: B010 - since Python 3.12, so mypy does not know it
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException as broken:
        print("Error in sys.excepthook:", file=sys.stderr)
        broken.__traceback__ = _without_own_frames(broken.__traceback__)
        traceback.print_exception(broken)
        print("\nOriginal exception was:", file=sys.stderr)
        traceback.print_exception(error)


def _without_own_frames(frames: types.TracebackType | None) -> types.TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OWN):
        frames = frames.tb_next
    return frames
