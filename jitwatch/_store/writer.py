"""Writes what the recorder counts to a data file as it happens, so that a process that is killed leaves it too."""

from __future__ import annotations

import os
import platform
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time
from typing import Any

import msgspec

from jitwatch import _faults, _hub, _state
from jitwatch._model import FunctionStats, Miss, Process, Program, Stages
from jitwatch._record.difference import function_difference
from jitwatch._record.function_record import FunctionRecord, KeyRecord
from jitwatch._record.recorder import recorder
from jitwatch._record.sums import any_ran, several_of_a_definition
from jitwatch._store.files import host_name, parallel_name
from jitwatch._store.lines import (
    FORMAT,
    CountsLine,
    Header,
    Lines,
    MissLine,
    ProcessLine,
    ProgramLine,
    TotalsLine,
    build_counts,
    function_counts,
    key_counts,
)

MAX_ENTRIES = 100_000
"""Functions, keys and misses written one by one to a file: some 100 MB."""
MAX_PAUSE_S = 60.0
MAX_COMPARING_S = 5.0
"""What comparing programs may take at the end."""


class _Written:
    """What a file holds of one function."""

    __slots__ = ("activity", "builds", "described", "keys", "left_out", "rehearsed")

    def __init__(self, activity: int, keys: dict[int, int]) -> None:
        self.activity = activity
        self.keys = keys
        """Activity of each key when its counts were written last."""
        self.rehearsed: KeyRecord | None = None
        """The last key that was written because it had served one call when the next program came."""
        self.builds: tuple[Any, ...] = ()
        self.described: set[int] | None = None
        """Numbers of the keys described in the file; None where the function itself is not."""
        self.left_out = False
        """Whether the file was full before the function came."""


class Writer:
    """Writes the data file of this process, from now until `close`.

    Each miss in which a stage ran, that failed, or that is the first of its key is in the file before the call
    returns. The other counts follow at most every `interval_s`, in a long run at most every hundredth of its time so
    far, but at least every minute; and at `close`. A process forked from this one writes a file of its own, with
    what happens in it, from its first miss on.

    Nothing is raised: where the file cannot be written, `error` says why, and the file ends there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        interval_s: float = 5.0,
        devices: Callable[[], tuple[int | None, str]] = lambda: (None, ""),
        run: str = "",
    ) -> None:
        """Make the file and write its first lines.

        Args:
            path: Where to; if that file exists, a file `PATH.HOST.PID.RANDOM` beside it. What is no regular file, such
                as a pipe, takes the data of this process alone.
            interval_s: How often counts may be written that no miss brings along.
            devices: JAX's process index and kind of device, as far as they are known without setting up JAX's
                devices. Asked until both are known.
            run: What tells the processes of one run from those of others.
        """
        self._base_path = Path(os.path.abspath(path))
        self._interval_s, self._devices, self._run = interval_s, devices, run
        self._lock = _state.Lock()
        self._closed = False
        self._begin(self._base_path, {}, {})
        with self._lock:
            self._guarded(self._open)
        self._unsubscribe = _hub.subscribe(self._on_event)
        _state.part(_Writers).open.add(self)

    def _begin(self, path: Path, written: dict[int, _Written], base: dict[int, FunctionStats]) -> None:
        self.path = path
        self.error: str | None = None
        self._file: int | None = None
        self._torn = False
        self._lines = Lines()
        self._written = written
        self._base = base
        """Counts of the process that this one was forked from; they are in its file."""
        self._entries = self._left_out = self._functions_left_out = 0
        self._programs: dict[str, Program] = {}
        self._process: Process | None = None
        self._started_unix_s, self._started_s = time(), monotonic()
        self._last_counts_s = self._started_s
        self._timer: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def process(self) -> Process | None:
        """What is known of this process; None where nothing could be written."""
        return self._process

    def close(self) -> None:
        """Write the last counts and end the file; a second time without effect."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._guarded(lambda: self._write_counts(final=True))
            self._stop.set()
            if self._file is not None:
                os.close(self._file)
                self._file = None
        self._unsubscribe()
        _state.part(_Writers).open.discard(self)

    def _guarded(self, write: Callable[[], None]) -> None:
        """Write, unless that failed before; the lock is held."""
        if self.error is not None:
            return
        try:
            write()
        except OSError as error:
            self.error = f"{self.path} cannot be written: {error.strerror or error}."
            self._lines, self._written = Lines(), {}

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(self.path, flags, 0o666)
        except FileExistsError:
            if self._is_special():
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0))
                os.set_blocking(self._file, True)  # only to open it: a pipe that nobody reads would wait for ever
            else:
                self.path = parallel_name(self._base_path)
                self._file = os.open(self.path, flags, 0o666)
        self._lines.add(Header(FORMAT))
        self._add_process()
        self._flush()

    def _is_special(self) -> bool:
        """Whether the data goes to a device or a pipe, which has room for one process."""
        return os.path.exists(self._base_path) and not os.path.isfile(self._base_path)

    def _flush(self) -> None:
        """Hand all pending lines to the system, in one piece as far as it takes them."""
        if self._file is None:
            self._open_late()
        assert self._file is not None
        pending = self._lines.pending
        data = memoryview(b"\n" + pending if self._torn else bytes(pending))
        self._torn = True  # until all is written: what breaks in here, such as a Ctrl-C, must not tear the next line
        while data:
            data = data[os.write(self._file, data) :]
        pending.clear()
        self._torn = False

    def _open_late(self) -> None:
        """Open the file of a forked process, with the lines that are pending after its first ones."""
        lines, self._lines.pending = self._lines.pending, bytearray()
        self._open()
        self._lines.pending += lines

    def _add_process(self) -> None:
        """What is known of the process, if that is more than before."""
        index, kind = (None, "") if self._process is None else (self._process.process_index, self._process.device_kind)
        if index is None or not kind:
            try:
                index, kind = self._devices()
            except Exception as error:
                _faults.record("asking for the devices", error)
        process = Process(
            host_name(), os.getpid(), index, recorder().jax_version, platform.python_version(), kind,
            self._started_unix_s, tuple(sys.orig_argv), self._run,
        )  # fmt: skip
        if process != self._process:
            self._process = process
            self._lines.add(ProcessLine(process))

    def _on_event(self, event: Any) -> None:
        if isinstance(event, Miss):
            with self._lock:
                if not self._closed:
                    self._guarded(lambda: self._on_miss(event))

    def _on_miss(self, miss: Miss) -> None:
        record = recorder().find(miss.function)
        if record is None:
            return
        if self._timer is None:  # not before jax runs: a program that forks without it must stay free of threads
            self._start_timer()
        if miss.stages != Stages() or miss.helpers != Stages() or miss.failed is not None or self._is_first(miss):
            self._write_miss(miss, record)
        if monotonic() - self._last_counts_s >= self._pause_s():
            self._write_counts()

    def _is_first(self, miss: Miss) -> bool:
        written = self._written.get(miss.function)
        return miss.key is not None and (written is None or miss.key not in (written.described or ()))

    def _write_miss(self, miss: Miss, record: FunctionRecord) -> None:
        if self._entries >= MAX_ENTRIES:
            self._left_out += 1
            return
        stats = self._stats(record, self._keys_of(miss, record))
        self._describe(record, stats)
        self._entries += 1
        self._add_programs(recorder().programs.as_known([miss.program] if miss.program else []))
        # The build by its count so far: a round of counts may have come between the miss and its line.
        build = build_counts(stats.builds, miss) if any_ran(miss.stages) else None
        self._lines.add(MissLine(miss, function_counts(stats), tuple(map(key_counts, stats.keys)), build))
        self._flush()

    def _keys_of(self, miss: Miss, record: FunctionRecord) -> list[KeyRecord]:
        """The key of a miss, and the one that had served one call by then, if that is news."""
        known = miss.key is not None and miss.key <= len(record.numbered)
        keys = [record.numbered[miss.key - 1]] if known and miss.key is not None else []
        written, rehearsed = self._written.setdefault(record.id, _Written(0, {})), record.builds.rehearsed
        is_news, written.rehearsed = rehearsed is not written.rehearsed, rehearsed
        return [*keys, rehearsed] if is_news and rehearsed is not None and rehearsed not in keys else keys

    def _write_counts(self, *, final: bool = False) -> None:
        self._last_counts_s = monotonic()
        if self._file is not None:
            self._add_process()
        records = recorder().records()
        for record in records:
            changed = self._changed(record)
            if changed is None:
                continue
            stats = self._stats(record, changed)
            if self._describe(record, stats):
                written = self._written[record.id]
                counts = function_counts(stats, builds=stats.builds != written.builds)
                written.builds = stats.builds
                self._lines.add(CountsLine(counts, tuple(key_counts(key) for key in stats.keys)))
        if final:
            several = several_of_a_definition(record.partial_stats(()) for record in records)
            asked = [each for each in several if each in self._programs]
            recorder().programs.with_steps(asked, within_s=MAX_COMPARING_S)
        self._add_programs(recorder().programs.as_known(self._programs))
        for gone in self._written.keys() - {record.id for record in records}:
            del self._written[gone]
        if self._lines.pending or (final and self._file is not None):
            self._lines.add(
                TotalsLine(
                    time(), recorder().jax_version, platform.python_version(), _faults.count(), self._left_out,
                    self._functions_left_out, recorder().programs.dropped, final,
                    monotonic() - self._started_s, *(recorder().held() if final else (0, 0)),
                )
            )  # fmt: skip
            self._flush()

    def _add_programs(self, programs: Sequence[Program]) -> None:
        """Describe those programs of which the file does not say as much yet."""
        for program in programs:
            known = self._programs.get(program.id)
            if known == program or (known is not None and known.target and not program.target):
                continue  # it had to make room since
            if known is None:
                if self._entries >= MAX_ENTRIES:
                    continue
                self._entries += 1
            self._programs[program.id] = program
            self._lines.add(ProgramLine(program))

    def _changed(self, record: FunctionRecord) -> list[KeyRecord] | None:
        """Keys of a function whose counts grew since they were written; None where nothing of it did."""
        written = self._written.get(record.id)
        if written is None:
            written = self._written[record.id] = _Written(0, {})
        with recorder().lock:
            activity, keys = record.activity(), [(key, key.activity()) for key in record.numbered]
        changed = [(key, grown) for key, grown in keys if written.keys.get(key.number, 0) != grown]
        if not changed and written.activity == activity:
            return None
        written.activity = activity
        written.keys.update((key.number, grown) for key, grown in changed)
        return [key for key, _ in changed]

    def _stats(self, record: FunctionRecord, keys: Sequence[KeyRecord]) -> FunctionStats:
        """What happened in this process with a function and these of its keys."""
        now = record.partial_stats(keys)
        base = self._base.get(record.id)
        if base is None:
            return now
        numbers = {key.number for key in keys}
        other_hits = sum(key.hits for key in base.keys if key.number not in numbers)
        kept = tuple(key for key in base.keys if key.number in numbers)
        return function_difference(now, msgspec.structs.replace(base, hits=base.hits - other_hits, keys=kept))

    def _describe(self, record: FunctionRecord, stats: FunctionStats) -> bool:
        """Describe a function and these of its keys where the file does not yet; False where it is full."""
        written = self._written.setdefault(record.id, _Written(0, {}))
        full = self._entries >= MAX_ENTRIES
        if written.described is None and full:
            self._functions_left_out += not written.left_out
            written.left_out = True
            return False
        if written.described is None:
            written.described = set()
            self._entries += 1
            self._lines.describe_function(stats, other=recorder().is_other(record.id))
        for key in stats.keys:
            if key.number not in written.described and not full:
                written.described.add(key.number)
                self._entries += 1
                self._lines.describe_key(record.id, key.number, key.key)
        return True

    def _pause_s(self) -> float:
        """How long to wait between two rounds of counts; a long run must not fill its file with them."""
        return max(self._interval_s, min((monotonic() - self._started_s) / 100, MAX_PAUSE_S))

    def _start_timer(self) -> None:
        self._timer = threading.Thread(target=self._run_timer, args=(self._stop,), name="jitwatch", daemon=True)
        try:
            self._timer.start()
        except RuntimeError:  # no new thread once the interpreter ends; `close` writes the last counts
            pass

    def _run_timer(self, stop: threading.Event) -> None:
        while not stop.wait(self._pause_s()):
            with self._lock:
                if stop.is_set() or monotonic() - self._last_counts_s < self._interval_s:
                    continue
                try:
                    self._guarded(self._write_counts)
                except Exception as error:
                    _faults.record("writing counts", error)

    def begin_in_child(self) -> None:
        """After a fork: leave the parent's file alone; the counts so far are the parent's too."""
        if self._closed:
            return
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._is_special():
            self._closed = True
            return
        records = recorder().records()
        written = {
            record.id: _Written(record.activity(), {key.number: key.activity() for key in record.numbered})
            for record in records
        }
        base = {record.id: record.partial_stats(record.numbered) for record in records}
        self._begin(parallel_name(self._base_path), written, base)
        multiprocessing_util = sys.modules.get("multiprocessing.util")
        if multiprocessing_util is not None:  # its processes end by `os._exit`, without `atexit`
            multiprocessing_util.register_after_fork(self, _close_with_multiprocessing)


def _close_with_multiprocessing(writer: Writer) -> None:
    from multiprocessing.util import Finalize

    Finalize(writer, writer.close, exitpriority=0)


class _Writers:
    """The writers that are open."""

    def __init__(self) -> None:
        self.open: weakref.WeakSet[Writer] = weakref.WeakSet()

    def begin_in_child(self) -> None:
        """After a fork: each goes on in a file of this process."""
        for writer in tuple(self.open):
            _faults.contain("starting a file after a fork", writer.begin_in_child, default=None)
