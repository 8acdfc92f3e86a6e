"""What the author of a function asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from jitwatch import _config
from jitwatch._errors import JitwatchError
from jitwatch._policy import say
from jitwatch._policy.declared import Declared


class Policy(msgspec.Struct, frozen=True, weakref=True):
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

    def lasting(self) -> Policy:
        """What of it stays when the function is gone: numbers and words, no object of the user's."""
        on_excess = self.on_excess if isinstance(self.on_excess, str) else "warn"
        return msgspec.structs.replace(self, expect=None, on_excess=on_excess)


def policy_of(
    *, max_keys: int | None = None, max_compiles: int | None = None, on_excess: say.Action | None = None,
    warn_compiles: int | None = None, expect: Declared | None = None,
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
        max_compiles=_config.option("max_compiles", max_compiles), on_excess=on_excess or action, expect=expect,
    )  # fmt: skip


def check_excess(policy: Policy, asked: Mapping[str, Any]) -> None:
    """Refuse what is to be done in excess of no limit.

    Raises:
        JitwatchError: There is none.
    """
    if "on_excess" in asked and policy.max_compiles is None and policy.expect is None:
        raise JitwatchError(
            "on_excess says what to do beyond a limit, and there is none; give max_compiles= or expect= too."
        )


def policy_of_all() -> Policy:
    """The policy of functions that are watched by `install`: only a limit in the settings makes them speak.

    Raises:
        JitwatchError: A setting is not valid.
    """
    return msgspec.structs.replace(policy_of(), warn_compiles=0)


def agreed(name: str, new: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The options of all watched functions that share one record, by name; the last one's are `new`.

    Raises:
        JitwatchError: Another one that still exists has an option with another value: one of the two would be lost.
    """
    found = dict(new)
    for other in others:
        for option, value in other.items():
            if not _are_same(found.setdefault(option, value), value):
                raise JitwatchError(
                    f"{name} is watched already with {option}={_shown(value)}, and now with {option}="
                    f"{_shown(found[option])}. Watched functions of one function share JAX's caches and one record, "
                    f"and so their options: give {option}= once, or both times the same."
                )
    return found


def _are_same(one: Any, other: Any) -> bool:
    if isinstance(one, Declared) and isinstance(other, Declared):
        return one is other or one.texts == other.texts
    return bool(one == other)


def _shown(value: Any) -> str:
    if isinstance(value, Declared):
        return f"[{', '.join(value.texts)}]"
    return str(getattr(value, "__qualname__", None) or repr(value))
