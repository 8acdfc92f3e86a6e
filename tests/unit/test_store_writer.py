"""The data file while it grows: what is in it when, what stops it, and who has a file of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from builders import key, leaf
from fake_misses import add_function, add_hits, add_miss, sized_key

from jitwatch import _faults
from jitwatch._model import FunctionStats, Recording, Stages
from jitwatch._record.merge import combine
from jitwatch._record.recorder import Recorder
from jitwatch._store import find, load, writer


def functions(path: Path) -> tuple[FunctionStats, ...]:
    return load(path).snapshot.functions


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "in ten seconds it did not come true"
        time.sleep(0.01)


def test_a_miss_is_in_the_file_before_the_call_returns(make_writer: Any, recorder: Recorder) -> None:
    path = make_writer().path
    step = add_function(ledger=recorder)

    for size in range(5):
        add_miss(step, sized_key(size))
        result = load(path)
        assert result.snapshot.functions == recorder.live_snapshot().functions
        assert result.snapshot.misses == recorder.live_snapshot().misses


def test_a_closed_file_holds_everything(make_writer: Any, recorder: Recorder) -> None:
    recorder.jax_version = "0.10.2"
    one = make_writer()
    step, idle, other = add_function(ledger=recorder), add_function("idle", recorder), recorder.other("add")
    for size in range(3):
        add_hits(add_miss(step, sized_key(size)), size)
    add_miss(step, sized_key(0), stages=Stages())
    add_miss(step, sized_key(0), failed="ValueError", failed_at="train.py:42")
    add_miss(other, sized_key(9), helpers=Stages(compiles=1))
    one.close()
    one.close()

    result, live = load(one.path), recorder.live_snapshot()

    assert result.problems == ()
    assert result.snapshot.functions == tuple(function for function in live.functions if function.id != idle.id)
    assert result.snapshot.others == live.others
    assert (result.snapshot.jax_version, result.processes[0].jax_version) == ("0.10.2", "0.10.2")
    assert (result.processes[0].pid, result.snapshot.faults) == (os.getpid(), _faults.count())


def test_repeats_that_run_no_stage_are_counted_and_not_written(make_writer: Any, recorder: Recorder) -> None:
    one = make_writer()
    step = add_function(ledger=recorder)
    add_miss(step, sized_key(1))
    size = one.path.stat().st_size

    for _ in range(100):
        add_miss(step, sized_key(1), stages=Stages())

    assert one.path.stat().st_size == size
    one.close()
    (function,) = functions(one.path)
    assert (function.misses, function.dispatch_only, len(load(one.path).snapshot.misses)) == (101, 100, 1)


def test_the_first_miss_of_a_key_is_written_even_without_a_stage(make_writer: Any, recorder: Recorder) -> None:
    path = make_writer().path
    add_miss(add_function(ledger=recorder), sized_key(1), stages=Stages())

    assert functions(path)[0].keys[0].key == sized_key(1)


def test_hits_are_updated_while_nothing_misses(make_writer: Any, recorder: Recorder) -> None:
    path = make_writer(interval_s=0.02).path
    record = add_miss(add_function(ledger=recorder), sized_key(1))
    add_hits(record, 7)

    wait_for(lambda: functions(path)[0].hits == 7)
    size = path.stat().st_size
    time.sleep(0.1)

    assert path.stat().st_size == size, "nothing is written while nothing happens"


def test_a_miss_brings_along_the_counts_that_are_due(make_writer: Any, recorder: Recorder) -> None:
    one = make_writer()
    step, loss = add_function(ledger=recorder), add_function("loss", recorder)
    add_hits(add_miss(step, sized_key(1)), 7)

    one._last_counts_s -= 2000
    add_miss(loss, sized_key(1))

    assert functions(one.path)[0].hits == 7


def test_counts_are_written_less_often_in_a_long_run(make_writer: Any) -> None:
    one = make_writer(interval_s=5.0)

    pauses = []
    for age_s in (0.0, 1000.0, 1e6):
        one._started_s = time.monotonic() - age_s
        pauses.append(round(one._pause_s()))

    assert pauses == [5, 10, 60]


def test_an_existing_file_is_left_alone(make_writer: Any, tmp_path: Path) -> None:
    (tmp_path / ".jitwatch").write_text("mine")

    path = make_writer().path

    assert path.name.startswith(".jitwatch.") and f".{os.getpid()}." in path.name
    assert (tmp_path / ".jitwatch").read_text() == "mine"
    assert path in find([tmp_path])


def test_what_is_known_late_of_the_process_is_added(make_writer: Any, recorder: Recorder) -> None:
    known: list[tuple[int | None, str]] = [(None, "")]
    one = make_writer(devices=lambda: known[-1])
    known.append((3, "NVIDIA H100"))
    one.close()

    (process,) = load(one.path).processes

    assert (process.process_index, process.device_kind) == (3, "NVIDIA H100")


def test_devices_that_cannot_be_asked_are_a_fault(make_writer: Any) -> None:
    def fail() -> tuple[int | None, str]:
        raise RuntimeError

    before = _faults.count()

    one = make_writer(devices=fail)

    assert _faults.count() == before + 1
    assert load(one.path).processes[0].device_kind == ""


def test_a_path_that_cannot_be_written_is_an_error_and_no_fault(make_writer: Any, recorder: Recorder) -> None:
    before = _faults.count()

    one = make_writer("absent/.jitwatch")
    add_miss(add_function(ledger=recorder), sized_key(1))
    one.close()

    assert one.error == f"{one.path} cannot be written: No such file or directory."
    assert _faults.count() == before


def test_a_full_disk_ends_the_file_and_not_the_program(
    make_writer: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_writer()
    step = add_function(ledger=recorder)
    add_miss(step, sized_key(1))
    before, real = _faults.count(), os.write

    def write(file: int, data: bytes) -> int:
        if file != one._file:
            return real(file, data)
        monkeypatch.setattr(os, "write", full)
        return real(file, data[:10])

    def full(file: int, data: bytes) -> int:
        if file != one._file:
            return real(file, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    add_miss(step, sized_key(2))
    monkeypatch.undo()
    one.close()

    assert _faults.count() == before
    assert one.error is not None and "No space left on device" in one.error
    assert [len(function.keys) for function in functions(one.path)] == [1]


def test_a_write_that_is_interrupted_tears_no_other_line(
    make_writer: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_writer()
    step = add_function(ledger=recorder)
    add_miss(step, sized_key(1))
    real = os.write

    def write(file: int, data: bytes) -> int:
        if file != one._file:
            return real(file, data)
        real(file, data[: len(data) // 2])
        signal.raise_signal(signal.SIGINT)  # a Ctrl-C
        return 0

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(KeyboardInterrupt):
        add_miss(step, sized_key(2))
    monkeypatch.setattr(os, "write", real)
    add_miss(step, sized_key(3))
    one.close()

    result = load(one.path)
    assert [problem.partition(": ")[2] for problem in result.problems] == ["1 line is damaged; the rest is used."]
    assert [len(function.keys) for function in result.snapshot.functions] == [3]
    assert len(result.snapshot.misses) == 3


def test_a_full_file_says_what_it_left_out(
    make_writer: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_ENTRIES", 4)
    one = make_writer()
    step, late = add_function(ledger=recorder), add_function("late", recorder)
    for size in range(4):
        add_hits(add_miss(step, sized_key(size)), 1)
    add_miss(late, sized_key(1))
    one.close()

    snapshot = load(one.path).snapshot

    assert [(function.name, function.misses, function.hits) for function in snapshot.functions] == [("step", 4, 4)]
    assert (snapshot.dropped_misses, snapshot.dropped_functions) == (3, 1)
    assert snapshot.functions[0].dropped_keys == 2


def test_functions_that_made_room_stay_in_the_file(make_writer: Any, recorder: Recorder) -> None:
    one = make_writer()
    step = add_function(ledger=recorder)
    add_miss(step, sized_key(1))
    del recorder.functions[step.id]
    add_miss(step, sized_key(2))
    one.close()

    assert [len(function.keys) for function in functions(one.path)] == [1]
    assert not one._written


def test_parts_are_described_once_as_long_as_they_are_remembered(
    make_writer: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_writer()
    step = add_function(ledger=recorder)
    params = {f"w{number}": leaf((number,)) for number in range(992)}
    add_miss(step, key({"params": params, "x": leaf((1,))}))
    size = one.path.stat().st_size
    for length in range(2, 50):
        add_miss(step, key({"params": params, "x": leaf((length,))}))

    assert (one.path.stat().st_size - size) / 48 < 2500, "bytes for a key of 993 leaves, with its miss"
    monkeypatch.setattr("jitwatch._store.lines.MAX_SHARED", 1)
    add_miss(step, key({"params": params, "x": leaf((50,))}))
    assert functions(one.path) == recorder.live_snapshot().functions


def test_threads_lose_nothing(make_writer: Any, recorder: Recorder) -> None:
    one = make_writer(interval_s=0.01)
    step = add_function(ledger=recorder)

    def work(thread: int) -> None:
        for number in range(50):
            add_hits(add_miss(step, sized_key(number)), 2)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    one.close()

    result = load(one.path)
    assert result.problems == ()
    assert result.snapshot.functions == recorder.live_snapshot().functions
    assert len(result.snapshot.misses) == 400


def test_no_thread_at_the_end_of_the_interpreter_is_no_fault(
    make_writer: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    path, before = make_writer().path, _faults.count()
    monkeypatch.setattr(threading.Thread, "start", refuse)

    add_miss(add_function(ledger=recorder), sized_key(1))

    assert len(functions(path)) == 1
    assert _faults.count() == before


def test_a_program_that_has_not_used_jax_stays_free_of_threads(make_writer: Any) -> None:
    before = threading.active_count()

    make_writer(interval_s=0.01)

    assert threading.active_count() == before


def test_files_of_one_folder_add_up(make_writer: Any, recorder: Recorder, tmp_path: Path) -> None:
    """Two writers of one process stand for two processes here; each sees everything."""
    step = add_function(ledger=recorder)
    writers = [make_writer(), make_writer()]
    add_hits(add_miss(step, sized_key(1)), 4)
    for each in writers:
        each.close()

    result: Recording = combine(load(path) for path in find([tmp_path]))

    assert [(function.misses, function.hits) for function in result.snapshot.functions] == [(2, 8)]
