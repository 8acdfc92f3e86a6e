"""What all tests share: expected output in files, and the option that writes it anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jitwatch._state import State, use

pytest_plugins = ("pytester",)

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the expected files in tests/golden anew")


@pytest.fixture
def state() -> Iterator[State]:
    """A state of jitwatch's of the test's own."""
    with use(State()) as own:
        yield own


@pytest.fixture
def check_golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with `tests/golden/NAME`, or write that file where `--update-golden` asks for it."""

    def check(name: str, actual: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(actual + "\n", encoding="utf-8")
        expected = path.read_text(encoding="utf-8")
        assert expected == actual + "\n"

    return check
