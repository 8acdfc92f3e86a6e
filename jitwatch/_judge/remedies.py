"""What to change, for each cause, in the words of the case at hand. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import chain

from jitwatch._judge.buckets import Padding, independent, paddings
from jitwatch._model import CacheKey, Change, FunctionStats
from jitwatch._words.key_diff import named_leaves
from jitwatch._words.quantity_text import count_text, seconds_text

ELEMENTS = re.compile(r"(list|tuple) of (\d+)")
"""A container of arrays in a change, and how many it has."""
_NAME = re.compile(r"""['"].*['"]|[A-Za-z_][\w.]*""", re.DOTALL)
_NUMBER = re.compile(r"(np\.\w+\()?-?\d[\d.e+-]*\)?")


def advice_for(
    cause: str, function: FunctionStats, found: Sequence[Change], *, compiles: int = 0, lost_s: float = 0.0,
    library: str = "",
) -> str:  # fmt: skip
    """One or two sentences on what to change so that the compilation does not happen again.

    Args:
        cause: As in `codes.CODES`.
        function: It is about.
        found: What differed.
        compiles: How many compilations the change saves.
        lost_s: Seconds in them.
        library: The package that made the function and called it, where that is not the author's own code.
    """
    if library and cause == "function_identity":
        return _MADE_BY_LIBRARY.format(library=library)
    wheres = list(dict.fromkeys(change.where for change in found))
    first = found[0] if found else Change(cause, function.name, "", "")
    names = _join(wheres)
    bare = _join([where.removeprefix("static ").removeprefix("config ") for where in wheres])
    special = _special(cause, found)
    text = (special or _ADVICE[cause]).format(
        name=function.name, where=names, bare=bare, after=first.after, code=_in_code(wheres),
        healing=f"{function.name}.heal()" if function.name.isidentifier() else "Its method heal()",
    )  # fmt: skip
    if cause == "shape" and found:
        return text + _bucket_advice(function, found, compiles, lost_s)
    if cause == "function_identity":
        return text + _constants_advice(function, found) + _cache_advice(first.after)
    return text


def _special(cause: str, found: Sequence[Change]) -> str:
    """Advice where the values say more than the cause does; empty where they do not."""
    texts = [text for change in found for text in (change.before, change.after)]
    if cause == "tree_structure" and found and all(map(ELEMENTS.fullmatch, texts)):
        return _GROWING
    if cause == "key_impl" and all("key<" in text for text in texts):
        return "Make the keys of {where} with one PRNG implementation: the same impl= in each jax.random.key."
    if cause == "static_value" and found and all(map(is_name, texts)):
        return (
            "Every new value of {where} is a new program. Spell each in one way, such as np.dtype({bare}) for a dtype,"
            " and restrict it to a few."
        )
    return ""


def is_name(text: str) -> bool:
    """Whether a value is a name (a string, a bool, None, a dtype, a member of an enum): no array stands for it."""
    return _NAME.fullmatch(text) is not None


def _constants_advice(function: FunctionStats, found: Sequence[Change]) -> str:
    """What to do with the numbers that the objects of a function made anew brought along."""
    numbers = dict.fromkeys(
        change.where
        for change in found
        if change.where != function.name and _NUMBER.fullmatch(change.before) and _NUMBER.fullmatch(change.after)
    )
    return f" Pass {_join(list(numbers))} to it as an argument." if numbers else ""


def _cache_advice(objects: str) -> str:
    """What to do where a few programs were each made again and again."""
    _, _, programs = objects.partition(" function objects for ")
    return (
        f" If a cache keeps it, such as functools.lru_cache, that has no room for all {programs}." if programs else ""
    )


def _in_code(wheres: Sequence[str]) -> str:
    """What to write in code for several parts of the arguments: the one, or the argument that they are all of."""
    if len(wheres) == 1:
        whole = wheres[0]
    else:
        roots = dict.fromkeys(where.partition("[")[0].partition(".")[0] for where in wheres)
        whole = next(iter(roots), "x")
    try:
        ast.parse(whole, mode="eval")
    except (SyntaxError, ValueError):
        return "x"
    return whole


def _bucket_advice(function: FunctionStats, found: Sequence[Change], compiles: int, lost_s: float) -> str:
    """What padding to one and to a few sizes would do for the calls seen, of all axes that churn in their own way."""
    wheres = list(dict.fromkeys(change.where for change in found))
    calls: dict[tuple[tuple[int, ...], ...], int] = {}
    for key in function.keys:
        shapes = tuple(shape for where in wheres if (shape := _shape_at(key.key, where)) is not None)
        if len(shapes) == len(wheres) and not key.key.transform:
            calls[shapes] = calls.get(shapes, 0) + key.hits + key.misses
    if len({tuple(map(len, shapes)) for shapes in calls}) != 1 or len(calls) < 3:
        return ""
    places = [
        (where, axis) for where, shape in zip(wheres, next(iter(calls)), strict=True) for axis in range(len(shape))
    ]
    columns = list(zip(*(tuple(chain(*shapes)) for shapes in calls), strict=True))
    varied = [position for position, column in enumerate(columns) if len(set(column)) > 1]
    kept = [varied[n] for n in independent(list(zip(*(columns[position] for position in varied), strict=True)))]
    # None saves more than the finding says, and one saves just that, so that the figures agree.
    fewest = max(len(calls) - compiles, 1) if compiles else 1
    options = [
        option
        for option in paddings([columns[position] for position in kept], list(calls.values()), max(fewest, 4))
        if fewest <= option.programs < len(calls)
    ]
    texts = [
        f"{_fit_text(option, [] if n else [places[position] for position in kept])} "
        f"({count_text(saved := len(calls) - option.programs, 'compile')}{_share_of(lost_s, saved, compiles)} less, "
        f"{option.padding_percent:.0f} % padding)"
        for n, option in enumerate(_few(options))
    ]
    return " For the calls seen, " + "; ".join(texts) + "." if texts else ""


def _few(options: Sequence[Padding]) -> list[Padding]:
    """The coarsest of several ways to pad, and those to two and to four sizes."""
    return [option for n, option in enumerate(options) if n == 0 or max(map(len, option.sizes)) in (1, 2, 4)][:3]


def _fit_text(option: Padding, places: Sequence[tuple[str, int]]) -> str:
    """What to pad to, with the axes where they were not named before."""
    fits = [" or ".join(map(str, fit)) for fit in option.sizes]
    if not places:
        return f"to {' and '.join(fits)}"
    said = (f"axis {axis} of {where} {'to' if n else 'padded to'}" for n, (where, axis) in enumerate(places))
    return " and ".join(f"{axis} {fit}" for axis, fit in zip(said, fits, strict=True))


def _share_of(lost_s: float, saved: int, compiles: int) -> str:
    """The seconds of so many of the compilations, where it is known what all of them take."""
    return f" and {seconds_text(lost_s * saved / compiles)}" if compiles else ""


def _shape_at(key: CacheKey, where: str) -> tuple[int, ...] | None:
    """The shape of the leaf with this path."""
    return next((leaf.shape for path, leaf in named_leaves(key) if path == where), None)


def _join(names: Sequence[str]) -> str:
    shown = list(names[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return (", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 and not more else ", ".join(shown)) + more


_MADE_BY_LIBRARY = (
    "{library} jits a new function in each of these calls. Make the object that you call there once (a sampler, a"
    " solver, an optimiser), and have one call do the work of many; or put jax.jit around a function with the whole"
    " call in it. Where the library allows neither, jitwatch.reuse() compiles each program once."
)
_GROWING = (
    "Each length of {where} is another pytree, and so another program. Keep it in one array of the final size, written"
    " in place with .at[n].set(x), and pass the length n with it as an array."
)
_ADVICE = {
    "shape": "Keep the shape of {where} the same in every call: pad to one size, or to a few, with a mask, or drop the"
    " smaller last batch.",
    "dtype": "Give {where} one dtype in every call, for instance with .astype or an explicit dtype= where it is made.",
    "weak_type": "{where} is weakly typed in one call and not in the other. Make it a typed array from the start, such"
    " as jnp.asarray(value, dtype=jnp.float32) or jnp.zeros(shape, dtype), in place of a Python number or jnp.full.",
    "sharding": "Put {where} on its final sharding before the first call: jax.device_put({code}, sharding).",
    "committed": "Commit {where} before the first call: jax.device_put({code}, device), with the device of the other"
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
    " {healing}, or ._clear_cache() of a plain jitted function, puts it back without compiling again.",
}
