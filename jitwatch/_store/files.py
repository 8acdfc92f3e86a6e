"""Data files by name: where they lie, and whole recordings written to them."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from jitwatch._errors import JitwatchError
from jitwatch._model import FunctionStats, Process, Recording
from jitwatch._store.lines import (
    FORMAT,
    CountsLine,
    Header,
    Lines,
    MissLine,
    ProcessLine,
    ProgramLine,
    function_counts,
    key_counts,
    totals_line,
)

DEFAULT = ".jitwatch"
_MAX_FIRST_LINE = 200


def host_name() -> str:
    """This machine's name."""
    return socket.gethostname()


def is_running(process: Process) -> bool | None:
    """Whether a process is there still; None where that cannot be told from this machine.

    Another one may have been given the number of one that ended long ago.
    """
    if process.host != host_name() or os.name != "posix" or not process.pid:  # elsewhere `kill` ends a process
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    except (OSError, OverflowError):
        return None
    return True


def parallel_name(path: Path) -> Path:
    """The name for a process that must not write to `path`: `PATH.HOST.PID.RANDOM`."""
    host = re.sub(r"[^\w.-]", "_", host_name())
    return path.with_name(f"{path.name}.{host}.{os.getpid()}.{secrets.token_hex(4)}")


def default_path() -> Path:
    """What `JITWATCH_FILE` names, else `.jitwatch` in the current folder."""
    return Path(os.environ.get("JITWATCH_FILE") or DEFAULT)


def find(paths: Sequence[str | os.PathLike[str]] = ()) -> list[Path]:
    """The data files that a command is to read.

    Args:
        paths: Files, and folders of files called `.jitwatch` or `.jitwatch.*`. If there are none, the file that
            `JITWATCH_FILE` names, else `.jitwatch`, in the current folder, each with its parallel files.

    Raises:
        JitwatchError: There is no such file.
    """
    if not paths:
        default = default_path()
        found = with_beside(default)
        if not found:
            raise JitwatchError(
                f"There is no data file {default} here; make one with `jitwatch run SCRIPT`, or name the file."
            )
        return found
    found = []
    for path in map(Path, paths):
        inside = with_beside(path / DEFAULT) if path.is_dir() else [path]
        if not inside:
            raise JitwatchError(f"There is no file {DEFAULT} or {DEFAULT}.* in the folder {path}; name the files.")
        found += [each for each in inside if each not in found]
    return found


def with_beside(path: Path) -> list[Path]:
    """A data file, if it exists, and what processes that found its name taken left beside it."""
    try:
        entries = sorted(os.listdir(path.parent))
    except OSError:
        return []
    names = [name for name in entries if name == path.name or name.startswith(f"{path.name}.")]
    return [path.parent / name for name in names if (path.parent / name).is_file()]


def erase(paths: Sequence[Path]) -> None:
    """Remove data files.

    Raises:
        JitwatchError: One of them is no data file of jitwatch's, and none is removed; or it cannot be removed.
    """
    for path in paths:
        if not is_data_file(path):
            raise JitwatchError(f"{path} is no data file of jitwatch; nothing was erased.")
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise JitwatchError(f"{path} cannot be erased: {error.strerror or error}.") from error


def is_data_file(path: Path) -> bool:
    """Whether a file begins as a data file does; one that is empty is somebody's whose process ended at once.

    Raises:
        JitwatchError: It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            beginning = file.readline(_MAX_FIRST_LINE)
    except OSError as error:
        raise JitwatchError(f"{path} cannot be read: {error.strerror or error}.") from error
    return not beginning or beginning.startswith(b'{"line":"jitwatch"')


def save(recording: Recording, path: str | os.PathLike[str]) -> None:
    """Write a whole recording to a new file; its `problems` stay behind.

    Raises:
        JitwatchError: The file exists, or cannot be written.
    """
    path = Path(path)
    try:
        with open(path, "xb") as file:
            _write_or_remove(file, path, _whole(recording))
    except FileExistsError:
        raise JitwatchError(f"{path} exists; remove it or give another name.") from None
    except OSError as error:
        raise JitwatchError(f"{path} cannot be written: {error.strerror or error}.") from error


def _write_or_remove(file: BinaryIO, path: Path, data: bytes) -> None:
    try:
        file.write(data)
        file.flush()
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _whole(recording: Recording) -> bytes:
    lines, snapshot = Lines(), recording.snapshot
    lines.add(Header(FORMAT))
    for process in recording.processes:
        lines.add(ProcessLine(process))
    for program in snapshot.programs:
        lines.add(ProgramLine(program))
    for function in snapshot.functions:
        _add_function(lines, function, other=False)
    for function in snapshot.others:
        _add_function(lines, function, other=True)
    for miss in snapshot.misses:
        lines.add(MissLine(miss))
    lines.add(totals_line(snapshot))
    return bytes(lines.pending)


def _add_function(lines: Lines, function: FunctionStats, *, other: bool) -> None:
    lines.describe_function(function, other=other)
    for key in function.keys:
        lines.describe_key(function.id, key.number, key.key)
    lines.add(CountsLine(function_counts(function, builds=True), tuple(key_counts(key) for key in function.keys)))
