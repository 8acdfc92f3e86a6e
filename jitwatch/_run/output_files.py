"""Output files: refused before work begins, written whole or not at all."""

from __future__ import annotations

import os

from jitwatch._errors import JitwatchError

_MARKS = (b'"schema": "jitwatch-', b'<meta name="generator" content="jitwatch">')
"""One of them stands in the first bytes of every report."""


def check_writable(path: str) -> None:
    """Refuse a file that cannot be made.

    Raises:
        JitwatchError: There is no such folder, it cannot be written to, or the path is a folder.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise JitwatchError(f"{path} cannot be written: there is no folder {folder}.")
    if os.path.isdir(path):
        raise JitwatchError(f"{path} is a folder; give the name of a file.")
    if not os.access(folder, os.W_OK):
        raise JitwatchError(f"{path} cannot be written: the folder {folder} is read-only; name another file.")


def check_report_path(path: str) -> None:
    """Refuse to overwrite what is no report of jitwatch's.

    Raises:
        JitwatchError: The file exists and is something else, or cannot be written there.
    """
    check_writable(path)
    if os.path.exists(path) and os.path.getsize(path):
        with open(path, "rb") as file:
            beginning = file.read(300)
            if not any(mark in beginning for mark in _MARKS):
                raise JitwatchError(f"{path} exists and is no jitwatch report; remove it or give another name.")


def write_report(path: str, text: str) -> None:
    """Write a report to a file of its own."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
