"""Sessions of pytest for tests of the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
from sessions import LIBRARY


@pytest.fixture(autouse=True)
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a session: a function that is jitted before any test is collected, and tests that call it."""
    for name in ("JITWATCH_MODE", "JITWATCH_FILE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(library=LIBRARY)
    pytester.makeconftest("import library")
    return pytester.path


@pytest.fixture(autouse=True)
def settings_of_its_own(pytester: pytest.Pytester) -> None:
    """Also where temporary files are inside a project with settings for pytest."""
    pytester.makeini("[pytest]")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other plugin, which makes the begin of a session quick, and none of an installed jitwatch."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
