"""Data files of forked processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_misses import add_function, add_hits, add_miss, sized_key

from jitwatch import _faults
from jitwatch._model import Stages
from jitwatch._record.recorder import Recorder
from jitwatch._store import Writer, find, load

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),  # JAX's, where another test imported it
]


def in_child(work: Callable[[], None]) -> None:
    """Run in a forked process, and wait for its end."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_forked_process_has_a_file_of_its_own(make_writer: Any, recorder: Recorder, tmp_path: Path) -> None:
    one = make_writer(interval_s=0.02)
    step = add_function(ledger=recorder)
    add_hits(add_miss(step, sized_key(1)), 5)
    before = one.path.read_bytes()

    def work() -> None:
        add_hits(add_miss(step, sized_key(1), stages=Stages()), 3)
        add_miss(step, sized_key(2))
        one.close()

    in_child(work)
    add_hits(add_miss(step, sized_key(3)), 1)
    one.close()

    assert one.path.read_bytes().startswith(before)
    (own,) = load(one.path).snapshot.functions
    (child_path,) = set(find([tmp_path])) - {one.path}
    (childs,) = load(child_path).snapshot.functions
    assert [(each.key, each.hits, each.misses) for each in own.keys] == [(sized_key(1), 5, 1), (sized_key(3), 1, 1)]
    assert [(each.key, each.hits, each.misses) for each in childs.keys] == [(sized_key(1), 3, 1), (sized_key(2), 0, 1)]
    assert childs.stages.compiles == 1
    assert load(one.path).processes != load(child_path).processes


def test_a_forked_process_in_which_nothing_is_jitted_leaves_no_file(
    make_writer: Any, recorder: Recorder, tmp_path: Path
) -> None:
    one = make_writer()
    add_miss(add_function(ledger=recorder), sized_key(1))

    in_child(one.close)

    assert find([tmp_path]) == [one.path]


def test_a_file_that_cannot_be_started_after_a_fork_is_a_fault(
    make_writer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Writer) -> None:
        raise ValueError

    make_writer()
    before = _faults.count()
    monkeypatch.setattr(Writer, "begin_in_child", fail)

    def work() -> None:
        assert _faults.count() == before + 1

    in_child(work)


def test_a_child_of_multiprocessing_closes_its_file(make_writer: Any, recorder: Recorder, tmp_path: Path) -> None:
    one = make_writer()
    record = add_miss(add_function(ledger=recorder), sized_key(1))

    child = multiprocessing.get_context("fork").Process(target=add_hits, args=(record, 7))
    child.start()
    child.join()

    (child_path,) = set(find([tmp_path])) - {one.path}
    assert load(child_path).problems == ()
    assert load(child_path).snapshot.functions[0].hits == 7
