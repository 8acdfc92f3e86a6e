"""What a program says of the moment: blocks, callbacks, and the text that values become. Imports no JAX."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from jitwatch import JitwatchError, _faults, context
from jitwatch._record.user_context import MAX_NAMES, MAX_TEXT, current


class Raising:
    def __repr__(self) -> str:
        raise ValueError("no repr")


class RaisingNumber(int):
    def __str__(self) -> str:
        raise ValueError("no str")


class Phase(enum.Enum):
    TRAIN = 1


def test_nothing_is_said_outside_a_block() -> None:
    assert current() == ()
    with context(step=3):
        pass
    assert current() == ()


def test_values_hold_in_the_block_and_end_with_it_also_by_an_exception() -> None:
    with pytest.raises(KeyError), context(step=3, epoch=1):
        assert current() == (("step", "3"), ("epoch", "1"))
        raise KeyError

    assert current() == ()


def test_blocks_nest_and_the_inner_one_wins() -> None:
    with context(step=3, epoch=1):
        with context(step=4):
            assert dict(current()) == {"epoch": "1", "step": "4"}
        assert dict(current()) == {"step": "3", "epoch": "1"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        (True, "True"),
        (0.125, "0.125"),
        (Decimal("1.50"), "1.50"),
        ("train", "train"),
        ("two\nlines \x1b[31m", "two\\nlines \\x1b[31m"),
        (None, "None"),
        ((8, 128), "(8, 128)"),
        ("x" * 5_000_000, "x" * (MAX_TEXT - 1) + "…"),
    ],
)
def test_value_becomes_a_short_line(value: Any, expected: str) -> None:
    with context(value=value):
        assert current() == (("value", expected),)


def test_number_that_has_no_text_is_named_by_its_type() -> None:
    with context(value=RaisingNumber(3), huge=10**5000):
        assert current() == (("value", "<RaisingNumber>"), ("huge", "<int>"))


@pytest.mark.parametrize(
    "value",
    [Raising(), [Raising()], Phase.TRAIN, object(), {"a": [1] * 10_000}],
    ids=["raising", "inside", "enum", "object", "large"],
)
def test_any_value_becomes_a_short_printable_line(value: Any) -> None:
    with context(value=value):
        ((_, text),) = current()

    assert 0 < len(text) <= MAX_TEXT and text.isprintable()


def test_no_value_is_kept() -> None:
    value = Raising()
    gone = weakref.ref(value)

    with context(value=value):
        del value
        gc.collect()
        assert gone() is None


def test_callback_is_called_only_when_asked_for() -> None:
    calls = []

    def now() -> dict[str, int]:
        calls.append(1)
        return {"step": len(calls)}

    with context(now):
        assert calls == []
        assert current() == (("step", "1"),)
        assert current() == (("step", "2"),)


def test_values_win_over_callbacks_of_the_same_block_and_inner_callbacks_over_outer_values() -> None:
    with context(lambda: {"step": 1, "loss": 2}, step=3), context(lambda: {"loss": 4}):
        assert dict(current()) == {"step": "3", "loss": "4"}


@pytest.mark.parametrize("bad", [lambda: 1 / 0, lambda: 3, lambda: {"not a name": 1}, lambda: {1: 2}, lambda x: {}])
def test_callback_that_fails_is_a_fault_and_the_others_count(bad: Any) -> None:
    before = _faults.count()

    with context(bad, step=3), context(lambda: {"epoch": 1}):
        assert current() == (("step", "3"), ("epoch", "1"))

    assert _faults.count() == before + 1


def test_callback_that_leads_to_itself_is_called_once() -> None:
    asked = []

    def now() -> dict[str, int]:
        asked.append(current())
        return {"step": 3}

    with context(now, epoch=1):
        assert current() == (("step", "3"), ("epoch", "1"))

    assert asked == [()]


def test_names_of_the_inner_blocks_are_kept_where_there_are_too_many() -> None:
    with context(**{f"outer{i}": i for i in range(MAX_NAMES)}), context(step=3):
        names = [name for name, _ in current()]

    assert names == [*(f"outer{i}" for i in range(1, MAX_NAMES)), "step"]


def test_decorated_function_is_a_block() -> None:
    @context(phase="eval")
    def evaluate(depth: int) -> Any:
        return current() if depth == 0 else evaluate(depth - 1)

    assert evaluate(2) == (("phase", "eval"),)
    assert evaluate(0) == (("phase", "eval"),)
    assert current() == ()


@pytest.mark.parametrize("value", [3, "step", None, {"step": 3}])
def test_positional_value_is_refused(value: Any) -> None:
    with pytest.raises(JitwatchError, match=r"without a name; give values by name, such as step=3, or a function"):
        context(value)


@pytest.mark.parametrize("name", ["", "two words", "1st", "a-b", "x" * 100 + "!"])
def test_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(JitwatchError, match="a name is a Python identifier, such as 'step'"):
        context(**{name: 3})


def test_another_thread_has_its_own() -> None:
    found = []

    def work() -> None:
        found.append(current())
        with context(worker=2):
            found.append(current())

    with context(step=3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert current() == (("step", "3"),)

    assert found == [(), (("worker", "2"),)]


def test_asyncio_tasks_have_their_own() -> None:
    async def task(number: int) -> Any:
        with context(task=number):
            await asyncio.sleep(0)
            return current()

    async def both() -> Any:
        with context(step=3):
            return await asyncio.gather(task(1), task(2))

    assert asyncio.run(both()) == [(("step", "3"), ("task", "1")), (("step", "3"), ("task", "2"))]


def test_generator_that_is_closed_elsewhere_does_no_harm() -> None:
    def batches() -> Iterator[int]:
        with context(step=3):
            yield 1

    generator = batches()
    contextvars.copy_context().run(next, generator)

    generator.close()

    assert current() == ()


def test_jax_is_not_imported() -> None:
    code = (
        "import sys; sys.modules['jax'] = None; import jitwatch; from jitwatch._record.user_context import current\n"
        "with jitwatch.context(step=3, config=object, sizes=[1, 2]): print(current())"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "(('step', '3'), ('config', \"<class 'object'>\"), ('sizes', '[1, 2]'))\n"
