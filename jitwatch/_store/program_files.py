"""A folder of programs: each distinct one in a file of its own, named by its fingerprint, compressed.

A file is a comment of one line that says which program it is, and the module in MLIR's generic form with source
locations, as other tools for MLIR read it. Files come from anywhere, so reading one is bounded and names what is wrong.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import os
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from jitwatch._errors import JitwatchError
from jitwatch._model import Program

SUFFIX = ".mlir.gz"
_MARK = "// jitwatch program "
_MAX_BYTES = 1 << 29


class ProgramFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a file holds."""

    program: Program
    suffix: str
    """What jitwatch adds to the module's text, as it is part of the program."""
    text: str = ""


class ProgramFolder:
    """Keeps programs that are compiled or loaded, each once, whatever processes write to the folder."""

    def __init__(self, path: str) -> None:
        """Use a folder, which is made if it is not there.

        Raises:
            JitwatchError: It cannot be made or written to.
        """
        try:
            os.makedirs(path, exist_ok=True)
        except OSError as error:
            raise JitwatchError(f"The folder {path} for programs cannot be made: {error.strerror}.") from error
        if not os.access(path, os.W_OK):
            raise JitwatchError(f"The folder {path} for programs is read-only; name another one.")
        self._path = Path(path)
        self.error = ""
        """Why programs are no longer kept, in a sentence; empty while they are."""

    def keep(self, program: Program, suffix: str, text: Callable[[], str]) -> None:
        """Write a program, unless it is there already; `text` is asked for only then. Nothing more after a failure."""
        path = self._path / f"{program.id}{SUFFIX}"
        if self.error or path.exists():
            return
        head = msgspec.json.encode(ProgramFile(program, suffix)).decode()
        data = gzip.compress(f"{_MARK}{head}\n{text()}\n".encode(errors="surrogatepass"), mtime=0)
        written = self._path / f".{program.id}.{secrets.token_hex(4)}"
        try:
            written.write_bytes(data)
            os.replace(written, path)
        except OSError as error:
            self.error = f"A program cannot be written to {self._path}: {error.strerror or error}. No more are kept."
        finally:
            with contextlib.suppress(OSError):
                written.unlink(missing_ok=True)


def kept_in(folder: str) -> Callable[[str], ProgramFile | None]:
    """What reads the programs of a folder by their ids; None for one that is not there, or cannot be read."""

    def kept(program: str) -> ProgramFile | None:
        path = Path(folder) / f"{program}{SUFFIX}"
        try:
            return read(path) if path.parent == Path(folder) and path.is_file() else None
        except (JitwatchError, ValueError):
            return None

    return kept


def files_in(folder: str) -> list[Path]:
    """The programs of a folder, in the order in which they were written.

    Raises:
        JitwatchError: There are none.
    """
    found = [Path(path) for path in glob.glob(os.path.join(glob.escape(folder), f"*{SUFFIX}"))]
    if not found:
        raise JitwatchError(f"There are no programs in {folder}; `jitwatch run --programs {folder} SCRIPT` keeps them.")
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))


def file_of(name: str) -> Path:
    """The file of a program: its path, or how that begins.

    Raises:
        JitwatchError: There is no such file, or more than one.
    """
    if os.path.isfile(name):
        return Path(name)
    found = sorted(glob.glob(f"{glob.escape(name)}*{SUFFIX}"))
    if len(found) == 1:
        return Path(found[0])
    folder = os.path.dirname(name) or "."
    if not found:
        raise JitwatchError(f"There is no program {name}; `jitwatch programs list {folder}` lists them.")
    raise JitwatchError(f"{name} is the beginning of {len(found)} programs; give more of it.")


def read(path: Path) -> ProgramFile:
    """What a file holds.

    Raises:
        JitwatchError: It cannot be read, or is no program that jitwatch kept.
    """
    try:
        with gzip.open(path) as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise JitwatchError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if len(data) > _MAX_BYTES:
        raise JitwatchError(f"{path} is too large to be read: more than {_MAX_BYTES >> 20} MB.")
    head, _, text = data.decode(errors="replace").partition("\n")
    try:
        if head.startswith(_MARK):
            known = msgspec.json.decode(head.removeprefix(_MARK), type=ProgramFile)
            return msgspec.structs.replace(known, text=text)
    except msgspec.MsgspecError:
        pass
    raise JitwatchError(f"{path} is no program that jitwatch kept.")
