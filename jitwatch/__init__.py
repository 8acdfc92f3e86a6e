"""jitwatch, the recompilation tracker for JAX: what compiled, how often, at whose line, and what it cost.

`import jitwatch` imports neither jax nor anything else that takes long: each name loads when it is first used.

PYTEST_DONT_REWRITE: else pytest warns where it loads the plugin and jitwatch runs already, as in `jitwatch run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jitwatch import testing, typing
    from jitwatch._api.call_log import call_log
    from jitwatch._api.explain_call import ExplainedCall, explain_call
    from jitwatch._api.freezing import freeze, no_compiles, unfreeze
    from jitwatch._api.install import install, uninstall, watching
    from jitwatch._api.reusing import reuse, reusing
    from jitwatch._api.scopes import Recording, Report, metrics, recording, report, report_json, reset, snapshot
    from jitwatch._api.watched import WatchedFunction, watch, watched_jit
    from jitwatch._errors import (
        CacheChurnWarning,
        ContextChurnWarning,
        DtypeChurnWarning,
        IdentityChurnWarning,
        JitwatchError,
        RecompilationError,
        RecompilationWarning,
        ShapeChurnWarning,
        ShardingChurnWarning,
        StaticArgChurnWarning,
        StructureChurnWarning,
    )
    from jitwatch._hub import subscribe
    from jitwatch._model import Alert, CacheInfo
    from jitwatch._policy.declared import spec
    from jitwatch._record.user_context import context

__version__ = "0.1.0"

_HOMES = {
    "call_log": "jitwatch._api.call_log",
    "WatchedFunction": "jitwatch._api.watched",
    "watch": "jitwatch._api.watched",
    "watched_jit": "jitwatch._api.watched",
    "ExplainedCall": "jitwatch._api.explain_call",
    "explain_call": "jitwatch._api.explain_call",
    "freeze": "jitwatch._api.freezing",
    "no_compiles": "jitwatch._api.freezing",
    "unfreeze": "jitwatch._api.freezing",
    "load_ipython_extension": "jitwatch._api.notebook",
    "unload_ipython_extension": "jitwatch._api.notebook",
    "CacheChurnWarning": "jitwatch._errors",
    "ContextChurnWarning": "jitwatch._errors",
    "DtypeChurnWarning": "jitwatch._errors",
    "IdentityChurnWarning": "jitwatch._errors",
    "context": "jitwatch._record.user_context",
    "JitwatchError": "jitwatch._errors",
    "RecompilationError": "jitwatch._errors",
    "RecompilationWarning": "jitwatch._errors",
    "ShapeChurnWarning": "jitwatch._errors",
    "ShardingChurnWarning": "jitwatch._errors",
    "StaticArgChurnWarning": "jitwatch._errors",
    "StructureChurnWarning": "jitwatch._errors",
    "subscribe": "jitwatch._hub",
    "install": "jitwatch._api.install",
    "uninstall": "jitwatch._api.install",
    "watching": "jitwatch._api.install",
    "Alert": "jitwatch._model",
    "CacheInfo": "jitwatch._model",
    "Recording": "jitwatch._api.scopes",
    "metrics": "jitwatch._api.scopes",
    "recording": "jitwatch._api.scopes",
    "Report": "jitwatch._api.scopes",
    "report": "jitwatch._api.scopes",
    "report_json": "jitwatch._api.scopes",
    "reset": "jitwatch._api.scopes",
    "reuse": "jitwatch._api.reusing",
    "reusing": "jitwatch._api.reusing",
    "snapshot": "jitwatch._api.scopes",
    "spec": "jitwatch._policy.declared",
    "testing": "jitwatch.testing",
    "typing": "jitwatch.typing",
}

__all__ = [
    "Alert",
    "CacheChurnWarning",
    "CacheInfo",
    "ContextChurnWarning",
    "DtypeChurnWarning",
    "ExplainedCall",
    "IdentityChurnWarning",
    "JitwatchError",
    "RecompilationError",
    "RecompilationWarning",
    "Recording",
    "Report",
    "ShapeChurnWarning",
    "ShardingChurnWarning",
    "StaticArgChurnWarning",
    "StructureChurnWarning",
    "WatchedFunction",
    "__version__",
    "call_log",
    "context",
    "explain_call",
    "freeze",
    "install",
    "metrics",
    "no_compiles",
    "recording",
    "report",
    "report_json",
    "reset",
    "reuse",
    "reusing",
    "snapshot",
    "spec",
    "subscribe",
    "testing",
    "typing",
    "unfreeze",
    "uninstall",
    "watch",
    "watched_jit",
    "watching",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jitwatch' has no attribute {name!r}")
    import importlib

    module = importlib.import_module(_HOMES[name])
    value = module if module.__name__ == f"jitwatch.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
