"""The errors and warnings that users can catch."""

from __future__ import annotations

from typing import Any


class JitwatchError(Exception):
    """Something the user can mend: an option, a file, a request that cannot be met. The message says what to do."""


class RecompilationError(RuntimeError):
    """A compilation that was forbidden: by `freeze`, `no_compiles`, `max_compiles`, `expect` or `JITWATCH_MODE=error`.

    `alert` has the parts of the message as data.
    """

    alert: Any = None


class RecompilationWarning(UserWarning):
    """A function compiles more often than it should; the subclass says for what kind of change.

    `alert` has the parts of the message as data. As for every warning, `warnings.filterwarnings` can silence it or
    turn it into an error.
    """

    alert: Any = None


class ShapeChurnWarning(RecompilationWarning):
    """A shape changes: JW101."""


class DtypeChurnWarning(RecompilationWarning):
    """A dtype, a weak type or a kind of PRNG key changes: JW102, JW103, JW108."""


class ShardingChurnWarning(RecompilationWarning):
    """The placement of an argument changes: JW104, JW105, JW106."""


class StructureChurnWarning(RecompilationWarning):
    """The structure of a pytree, or the form of the call, changes: JW107, JW203."""


class StaticArgChurnWarning(RecompilationWarning):
    """A static value changes: JW201."""


class IdentityChurnWarning(RecompilationWarning):
    """An object that JAX compares by identity is made anew: JW202, JW301, JW302."""


class ContextChurnWarning(RecompilationWarning):
    """A setting or a context of JAX changes: JW401."""


class CacheChurnWarning(RecompilationWarning):
    """A known program is compiled, or dispatched slowly, again: JW501, JW502, JW601."""


WARNINGS: dict[str, type[RecompilationWarning]] = {
    "shape": ShapeChurnWarning, "dtype": DtypeChurnWarning, "weak_type": DtypeChurnWarning,
    "key_impl": DtypeChurnWarning, "sharding": ShardingChurnWarning, "committed": ShardingChurnWarning,
    "layout": ShardingChurnWarning, "tree_structure": StructureChurnWarning, "arg_kind": StructureChurnWarning,
    "static_value": StaticArgChurnWarning, "static_identity": IdentityChurnWarning,
    "function_identity": IdentityChurnWarning, "other": IdentityChurnWarning, "config_context": ContextChurnWarning,
    "persistent_miss": CacheChurnWarning, "cache_cleared": CacheChurnWarning, "stuck": CacheChurnWarning,
}  # fmt: skip
"""The class for each cause; for any other, such as a first compilation, `RecompilationWarning` itself."""

for _public in (JitwatchError, RecompilationError, RecompilationWarning, *WARNINGS.values()):
    _public.__module__ = "jitwatch"
