"""What the author of a function asked for."""

from __future__ import annotations

from typing import Any

import msgspec

from jitwatch import _config
from jitwatch._policy import say


class Policy(msgspec.Struct, frozen=True):
    """What the author of a function asked for."""

    max_keys: int
    """Keys to keep for the function."""
    warn_compiles: int = 0
    """Needless compilations for one cause that are worth a warning; 0 for no such warnings."""
    warn_s: float = 0.0
    on_churn: say.Action = "warn"
    max_compiles: int | None = None
    expect: Any = None
    """Declared keys; a compilation for any other is in excess."""
    on_excess: say.Action = "warn"


def policy_of(
    *, max_keys: int | None = None, max_compiles: int | None = None, on_excess: say.Action | None = None,
    warn_compiles: int | None = None,
) -> Policy:  # fmt: skip
    """The policy of a watched function, from the arguments that its author gave and the settings.

    Raises:
        JitwatchError: An argument or a setting is not valid.
    """
    action: say.Action = "raise" if _config.option("mode") == "error" else "warn"
    if on_excess is not None:
        say.check_action(on_excess, "on_excess")
    return Policy(
        max_keys=_config.option("max_keys", max_keys), warn_s=_config.option("warn_s"),
        warn_compiles=_config.option("warn_compiles", warn_compiles), on_churn=action,
        max_compiles=_config.option("max_compiles", max_compiles), on_excess=on_excess or action,
    )  # fmt: skip


def policy_of_all() -> Policy:
    """The policy of functions that are watched by `install`: only a limit in the settings makes them speak.

    Raises:
        JitwatchError: A setting is not valid.
    """
    return msgspec.structs.replace(policy_of(), warn_compiles=0)
