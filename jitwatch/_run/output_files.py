"""Output files: refused before work begins, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

from jitwatch._errors import JitwatchError

_MARKS = (b'"schema": "jitwatch-', b'<meta name="generator" content="jitwatch">')
"""One of them stands in the first bytes of every report."""


def check_named(path: str) -> None:
    """Refuse a path that names no place for a file.

    Raises:
        JitwatchError: There is no such folder, or the path is a folder.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise JitwatchError(f"{path} cannot be written: there is no folder {folder}.")
    if os.path.isdir(path):
        raise JitwatchError(f"{path} is a folder; give the name of a file.")


def check_writable(path: str) -> None:
    """Refuse a file that cannot be made.

    Raises:
        JitwatchError: There is no such folder, it cannot be written to, or the path is a folder.
    """
    check_named(path)
    folder = os.path.dirname(os.path.abspath(path))
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise JitwatchError(f"{path} cannot be written: Permission denied.")
    elif not os.access(folder, os.W_OK):
        raise JitwatchError(f"{path} cannot be written: the folder {folder} is read-only; name another file.")


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a path is something that is written to and not replaced: a device such as /dev/null, a pipe, a socket."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def check_report_path(path: str) -> None:
    """Refuse to overwrite what is no report of jitwatch's.

    Raises:
        JitwatchError: The file exists and is something else, or cannot be written there.
    """
    check_writable(path)
    beginning = b"" if is_special(path) else beginning_of(path)
    if beginning and not any(mark in beginning for mark in _MARKS):
        raise JitwatchError(f"{path} exists and is no jitwatch report; remove it or give another name.")


def beginning_of(path: str) -> bytes:
    """The first bytes of a file; none of one that does not exist.

    Raises:
        JitwatchError: It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(300)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise JitwatchError(f"{path} cannot be read: {error.strerror or error}.") from error


def write_whole(path: str, text: str) -> None:
    """Write a file so that at each moment it is what it was or what it is to be, never a part of that.

    Raises:
        JitwatchError: It cannot be written; what was there before still is.
    """
    try:
        _write_whole(os.path.realpath(path), text.encode())
    except OSError as error:
        raise JitwatchError(f"{path} cannot be written: {error.strerror or error}.") from error


def _write_whole(path: str, data: bytes) -> None:
    if is_special(path):
        with open(path, "wb") as file:
            file.write(data)
        return
    temporary = os.path.join(os.path.dirname(path), f".jitwatch-{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
