"""What all tests share: expected output in files, and the option that writes it anew."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from jitwatch._state import State, use

pytest_plugins = ("pytester",)

# How long an example takes says nothing on a busy machine. A check of a commit (`CI` is set) tries the same examples each
# time, so that it speaks of the commit; everyone else's runs try new ones, and `--hypothesis-profile=long` many.
hypothesis.settings.register_profile(
    "jitwatch", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], derandomize="CI" in os.environ
)
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("jitwatch"), max_examples=3000)
hypothesis.settings.load_profile("jitwatch")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)

GOLDEN = Path(__file__).parent / "golden"

# Files that start many processes, run whole programs or judge every case: `-m slow` runs them, minutes each.
SLOW = [
    "budget_programs",
    "cli",
    "cli_budget",
    "declaration_round_trip",
    "exact_counts",
    "faults",
    "fork",
    "identity",
    "install",
    "install_logging",
    "interrupts",
    "keys_as_jax",
    "nothing_kept",
    "page_browser",
    "progress_option",
    "pytest_plugin",
    "pytest_plugin_mistakes",
    "pytest_plugin_processes",
    "real_programs",
    "remedies",
    "run",
    "store_live",
    "under_way",
    "unwrap",
    "unwrap_nnx",
    "warnings",
    "warnings_in_programs",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the expected files in tests/golden anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW or item.path.stem.startswith("test_jax_internals"):
            item.add_marker("slow")


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
