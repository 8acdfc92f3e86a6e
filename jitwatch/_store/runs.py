"""Chooses and adds up data files: those of one run, those that were named, with a sentence for each that is no good."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from jitwatch import _store
from jitwatch._errors import JitwatchError
from jitwatch._model import Process, Recording, Snapshot
from jitwatch._record import merge
from jitwatch._store.lines import AnyLine, ProcessLine

_HEAD_BYTES = 1 << 16
_head_decoder = msgspec.json.Decoder(AnyLine)


class Chosen(NamedTuple):
    """The files of one run."""

    files: tuple[Path, ...]
    left_out: int
    """Files of other runs beside them."""
    newer: tuple[Path, ...] = ()
    """Of those, what a later run left where its name was taken."""


class Loaded(NamedTuple):
    """What was read of some files."""

    recording: Recording
    files: int
    unreadable: tuple[str, ...]
    """One sentence for each file of which nothing could be read."""


def latest_run(files: Sequence[Path]) -> Chosen:
    """Of the files in a folder, those of the run that began last; files of which too little can be read come along.

    A file of several runs, or of a process of unknown run, stands for itself.
    """
    heads = [(path, head(path)) for path in files]
    runs: dict[str, list[Path]] = {}
    began: dict[str, float] = {}
    for path, process in heads:
        if process is not None:
            name = process.run or str(path)
            runs.setdefault(name, []).append(path)
            began[name] = min(began.get(name, process.started_unix_s), process.started_unix_s)
    if not runs:
        return Chosen(tuple(files), 0)
    latest = runs[max(began, key=lambda name: began[name])]
    return Chosen(tuple(latest), len(files) - len(latest))


def run_before(files: Sequence[Path], chosen: Chosen) -> Chosen:
    """Of the files in a folder, those of the run before the chosen one; none where there is no other."""
    return latest_run([path for path in files if path not in chosen.files and head(path) is not None])


def named(files: Sequence[Path]) -> Chosen:
    """Files that were named, each with what the other processes of its run left beside it, under its name."""
    chosen, newer = list(files), []
    for path in files:
        own = head(path) if path.is_file() else None  # a pipe can be read once
        for other in _store.with_beside(path) if own is not None else ():
            process = head(other)
            if other in chosen or own is None or process is None:
                continue
            if process.run and process.run == own.run:
                chosen.append(other)
            elif process.started_unix_s > own.started_unix_s:
                newer.append(other)
    return Chosen(tuple(chosen), 0, tuple(each for each in dict.fromkeys(newer) if each not in chosen))


def of_run(data_file: str, run: str, *, but: str | os.PathLike[str]) -> list[Recording]:
    """What the other processes of a run have left so far, beside its data file."""
    path, found = Path(data_file), []
    began = os.path.getmtime(but) if os.path.exists(but) else 0.0
    own = head(Path(but))
    began = own.started_unix_s if own is not None else began
    for entry in os.scandir(path.parent):
        beside = entry.name == path.name or entry.name.startswith(f"{path.name}.")
        if beside and entry.is_file() and entry.path != os.fspath(but) and entry.stat().st_mtime >= began - 1:
            process = head(Path(entry.path))
            if process is not None and process.run == run:
                found.append(_store.load(entry.path))
    return found


def with_others(
    own: Snapshot, processes: tuple[Process, ...], others: Sequence[Recording]
) -> tuple[Snapshot, tuple[Process, ...]]:
    """What one process recorded, with what others did."""
    together = merge.combine([Recording(processes, own, ()), *others])
    return together.snapshot, together.processes


def load(files: Sequence[Path]) -> Loaded:
    """Read files and add them up.

    Raises:
        JitwatchError: Nothing could be read of any of them.
    """
    recordings, unreadable = [], []
    for path in files:
        try:
            recordings.append(_store.load(path))
        except JitwatchError as error:
            unreadable.append(str(error))
    if not recordings:
        raise JitwatchError("\njitwatch: ".join(unreadable))
    together = recordings[0] if len(recordings) == 1 else merge.combine(recordings)
    return Loaded(together, len(recordings), tuple(unreadable))


def head(path: Path) -> Process | None:
    """The process that a data file says first it is of; None where its beginning says none."""
    try:
        with open(path, "rb") as file:
            lines = file.read(_HEAD_BYTES).splitlines()
    except OSError:
        return None
    for line in lines[:3]:
        try:
            decoded = _head_decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(decoded, ProcessLine):
            return decoded.process
    return None
