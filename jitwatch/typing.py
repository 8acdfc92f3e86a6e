"""The types of what jitwatch hands out: for annotations, and to read what their fields mean.

docs/types.md lists them field by field. But for `KeyView`, `Recording`, `Report`, `WatchedFunction` and `WatchedTest`,
they are plain data, without JAX: `msgspec.to_builtins` makes dicts of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jitwatch._model import (
    Alert,
    Argument,
    Build,
    CacheInfo,
    CacheKey,
    CallSite,
    Captured,
    Change,
    Finding,
    FunctionStats,
    KeyStats,
    Leaf,
    LoggedCall,
    Miss,
    Program,
    Snapshot,
    Stages,
    Static,
    StaticArgument,
    Tree,
)

if TYPE_CHECKING:
    from jitwatch._api.key_views import KeyView
    from jitwatch._api.scopes import Recording, Report
    from jitwatch._api.watched import WatchedFunction
    from jitwatch._pytest.process import WatchedTest

__all__ = [
    "Alert",
    "Argument",
    "Build",
    "CacheInfo",
    "CacheKey",
    "CallSite",
    "Captured",
    "Change",
    "Finding",
    "FunctionStats",
    "KeyStats",
    "KeyView",
    "Leaf",
    "LoggedCall",
    "Miss",
    "Program",
    "Recording",
    "Report",
    "Snapshot",
    "Stages",
    "Static",
    "StaticArgument",
    "Tree",
    "WatchedFunction",
    "WatchedTest",
]

_HOMES = {
    "KeyView": "jitwatch._api.key_views",
    "Recording": "jitwatch._api.scopes",
    "Report": "jitwatch._api.scopes",
    "WatchedFunction": "jitwatch._api.watched",
    "WatchedTest": "jitwatch._pytest.process",
}
"""Those that take more than the model are loaded when they are used."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jitwatch.typing' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
