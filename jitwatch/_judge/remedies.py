"""What to change, for each cause, in the words of the case at hand. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from jitwatch._judge.buckets import best_buckets
from jitwatch._model import CacheKey, Change, FunctionStats


def advice_for(cause: str, function: FunctionStats, found: Sequence[Change]) -> str:
    """One or two sentences on what to change so that the compilation does not happen again."""
    wheres = list(dict.fromkeys(change.where for change in found))
    first = found[0] if found else Change(cause, function.name, "", "")
    names = _join(wheres)
    bare = _join([where.removeprefix("static ").removeprefix("config ") for where in wheres])
    text = _ADVICE[cause].format(
        name=function.name, where=names, bare=bare, after=first.after
    )  # fmt: skip
    return text + _bucket_advice(function, found) if cause == "shape" else text


def _bucket_advice(function: FunctionStats, found: Sequence[Change]) -> str:
    """What padding to one and to a few sizes would do for the calls seen, where one axis of one argument churns."""
    where = found[0].where
    calls: dict[tuple[int, ...], int] = {}
    seconds: list[float] = []
    for key in function.keys:
        shape = _shape_at(key.key, where)
        if shape is not None and not key.key.transform:
            calls[shape] = calls.get(shape, 0) + key.hits + key.misses
            if key.stages.compiles:
                seconds.append(key.stages.trace_s + key.stages.lower_s + key.stages.compile_s)
    axes = [axis for axis, sizes in enumerate(zip(*calls, strict=False)) if len(set(sizes)) > 1]
    if len({len(shape) for shape in calls}) != 1 or len(axes) != 1 or len(calls) < 3:
        return ""
    sizes = {shape[axes[0]]: count for shape, count in calls.items()}
    each_s = sum(seconds) / max(len(seconds), 1)
    options = [best_buckets(sizes, count) for count in (1, 2, 4) if count < len(sizes)]
    texts = [
        f"{' or '.join(map(str, option.sizes))} ({option.compiles_saved} "
        f"{'compile' if option.compiles_saved == 1 else 'compiles'} and "
        f"{option.compiles_saved * each_s:.2g} s less, {option.padding_percent:.0f} % padding)"
        for option in options
    ]
    return f" For the calls seen, axis {axes[0]} of {where} padded to " + "; to ".join(texts) + "."


def _shape_at(key: CacheKey, where: str) -> tuple[int, ...] | None:
    """The shape of the leaf with this path."""
    leaves = (leaf for chunk in key.leaf_chunks for leaf in chunk)
    paths = (path for argument in key.arguments for path in argument.paths)
    return next((leaf.shape for path, leaf in zip(paths, leaves, strict=False) if path == where), None)


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
    "stale_capture": "Pass {bare} as an argument: a value that the body reads from outside is fixed when it is traced,"
    " and changing it later has no effect on cached programs. {name}.clear_cache() makes it read them again.",
    "stuck": "A call with this key raised before, so JAX never uses its fast path for it, some 0.04 ms a call."
    " {name}.heal(), or ._clear_cache() on a plain jitted function, puts it back without compiling again.",
}
