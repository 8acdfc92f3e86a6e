"""What to change, for each cause, in the words of the case at hand. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jitwatch._model import Change, FunctionStats


def advice_for(cause: str, function: FunctionStats, found: Sequence[Change]) -> str:
    """One or two sentences on what to change so that the compilation does not happen again."""
    wheres = list(dict.fromkeys(change.where for change in found))
    first = found[0] if found else Change(cause, function.name, "", "")
    names = _join(wheres)
    bare = _join([where.removeprefix("static ").removeprefix("config ") for where in wheres])
    return _ADVICE[cause].format(
        name=function.name, where=names, bare=bare, before=first.before, after=first.after,
        defined_at=function.defined_at or "its definition",
    )  # fmt: skip


def _join(names: Sequence[str]) -> str:
    shown = list(names[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return (", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 and not more else ", ".join(shown)) + more


_ADVICE = {
    "shape": "Keep the shape of {where} the same in every call: pad to one size, or to a few, with a mask, or drop the"
    " smaller last batch.",
    "dtype": "Give {where} one dtype in every call, for instance with .astype or an explicit dtype= where it is made.",
    "weak_type": "{where} is weakly typed in one call and not in the other. Make it a typed array from the start, such"
    " as jnp.asarray(value, dtype=jnp.float32) or jnp.zeros(shape, dtype), in place of a Python number or jnp.full.",
    "sharding": "Put {where} on its final sharding before the first call: jax.device_put({where}, sharding).",
    "committed": "Commit {where} before the first call: jax.device_put({where}, device), with the device of the other"
    " arguments.",
    "layout": "Keep {where} in one layout: put both arrays with the same Format.",
    "tree_structure": "Give {where} the same structure in every call: the same container types, keys and Nones.",
    "key_impl": "Use one kind of PRNG key for {where}: jax.random.key everywhere, or wrap old keys with"
    " jax.random.wrap_key_data.",
    "static_value": "Every new value of {where} is a new program. Pass {bare} as a traced argument if the program's"
    " shapes do not depend on it; else restrict it to a few values, and pass one type.",
    "static_identity": "{where} is compared by identity, and a new object is passed each time. Make it once, outside"
    " the loop or at module level, or give its class __eq__ and __hash__ (a frozen dataclass has both).",
    "arg_kind": "Pass {where} in the same way in every call, positional or by keyword, and always or never: an omitted"
    " default is baked into the program.",
    "function_identity": "A new function object is jitted, or handed to control flow, each time. Make the jitted"
    " function once, at module level or in __init__, and call that; inside a loop, move the definition out of it.",
    "other": "The same function is jitted with different options ({where}); each has its own program. Use one jitted"
    " function.",
    "eager_shape": "This operation runs outside jit and compiles for each size. Put the loop into one jitted function,"
    " pad to one size, or use numpy for data that changes its size.",
    "config_context": "Call {name} under the same setting of {bare} every time: it is part of the cache key.",
    "persistent_miss": "{after}. To store quick compilations too, set jax_persistent_cache_min_compile_time_secs to 0."
    " If the entry has another key, something in the program differs from process to process: often the order of a"
    " set or of hashes (set PYTHONHASHSEED, or sort), a baked-in value, or another JAX version or device.",
    "cache_cleared": "The program was compiled, dropped from memory (jax.clear_caches(), clear_cache() or an evicted"
    " entry), and compiled again. Do not clear between calls, or turn on the persistent compilation cache.",
    "stuck": "A call with this key raised before, so JAX never uses its fast path for it, some 0.04 ms a call."
    " {name}._clear_cache() heals it without compiling again.",
}
