"""Every private thing of JAX that jitwatch touches, one small function each, with what to do where it is missing.

The only module that may reach into `jax._src`, `jaxlib` or an underscore attribute of a JAX object. Each function
has a contract test named after it in `tests/jax/test_jax_internals.py`. Measured on JAX 0.6.1 to 0.12.0.1.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax._src import (
    api_util,
    array,
    config,
    core,
    dispatch,
    linear_util,
    pjit,
    source_info_util,
    traceback_util,
    tree_util,
    util,
)
from jax._src.interpreters import pxla
from jax._src.lib import jax_jit

from jitwatch._capture.jax_internals.cache_entries import entry_signature as entry_signature
from jitwatch._capture.jax_internals.counted_output import CountedOutput
from jitwatch._capture.jax_internals.listening import XlaCall as XlaCall
from jitwatch._capture.jax_internals.listening import backends_if_set_up as backends_if_set_up
from jitwatch._capture.jax_internals.listening import call_around_xla as call_around_xla
from jitwatch._capture.jax_internals.listening import can_call_around_xla as can_call_around_xla
from jitwatch._capture.jax_internals.listening import generated_code_bytes as generated_code_bytes
from jitwatch._capture.jax_internals.listening import has_listener as has_listener
from jitwatch._capture.jax_internals.listening import held_executables as held_executables
from jitwatch._capture.jax_internals.listening import is_called_around_xla as is_called_around_xla
from jitwatch._capture.jax_internals.listening import is_one_of_several_processes as is_one_of_several_processes
from jitwatch._capture.jax_internals.listening import memory_of as memory_of
from jitwatch._capture.jax_internals.xla import Compilation as Compilation
from jitwatch._capture.jax_internals.xla import call_before_compile_or_load as call_before_compile_or_load
from jitwatch._capture.jax_internals.xla import calls_what_text_does_not_tell as calls_what_text_does_not_tell
from jitwatch._capture.jax_internals.xla import canonical_module as canonical_module
from jitwatch._capture.jax_internals.xla import fingerprints_available as fingerprints_available
from jitwatch._capture.jax_internals.xla import is_in_persistent_cache as is_in_persistent_cache
from jitwatch._capture.jax_internals.xla import located_text_of as located_text_of
from jitwatch._capture.jax_internals.xla import options_bytes as options_bytes
from jitwatch._capture.jax_internals.xla import (
    persistent_cache_keeps_callbacks as persistent_cache_keeps_callbacks,
)
from jitwatch._capture.jax_internals.xla import read_module as read_module
from jitwatch._capture.jax_internals.xla import target_key as target_key
from jitwatch._capture.jax_internals.xla import text_of as text_of
from jitwatch._capture.jax_internals.xla import text_suffix as text_suffix

try:  # moved in JAX 0.10
    from jax._src.random import prng
except ImportError:
    from jax._src import prng

_OF_JAX = os.path.dirname(jax.__file__) + os.sep
PjitFunction: Any = type(jax.jit(lambda: None))
PRNGKeyArray: Any = prng.PRNGKeyArray
ArrayImpl: Any = array.ArrayImpl

# The original, for the case that a program puts jitwatch in its place.
plain_jit: Callable[..., Any] = jax.jit


@functools.cache
def exact_hook_available() -> bool:
    """Whether this JAX lets jitwatch see each miss and count each hit; otherwise counts are approximate."""
    try:
        state = plain_jit(lambda: None).__getstate__()
        return (
            isinstance(state, dict)
            and callable(state.get("cache_miss"))
            and "out_pytree_def" in pxla.MeshExecutableFastpathData._fields
            and callable(pjit._cpp_pjit)
        )
    except Exception:
        return False


def is_plain_use_of_jit(fun: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether `jax.jit` has nothing to warn of: all else is deprecated, and JAX blames the line of its caller."""
    return len(fun) == 1 and not options.keys() & {"device", "backend", "fun"}


def jit_again(jitted: Any, body: Callable[..., Any]) -> Any:
    """`body` jitted with the options of `jitted`."""
    return pjit._cpp_pjit(body, jitted._jit_info)


def jit_another(jitted: Any) -> Callable[[], Any]:
    """What makes a jitted function like `jitted`, which shares its caches, once that is gone."""
    return functools.partial(pjit._cpp_pjit, jitted_function(jitted), jitted._jit_info)


def with_hook(
    jitted: Any, inner: Any, make_hook: Callable[[Callable[..., Any]], Any], *, cache_name: str = "jitwatch"
) -> Any:
    """`inner` with `make_hook(original)` as its `cache_miss`, and the function, docs and attributes of `jitted`.

    The result is a PjitFunction and shares the caches of `inner`, but for the dispatch cache: the hooked functions of
    one function have one of their own. C++ calls `cache_miss` exactly when its fast path was not taken, so a hit costs
    what it costs without the hook (JAX 0.6.1 to 0.12: `PjitFunction.__getstate__`).
    """
    state = inner.__getstate__()
    state["cache_miss"] = api_boundary(make_hook(state["cache_miss"]))
    state["function_name"] = jitted_name(jitted)
    state["fun"] = jitted_function(jitted)  # for `repr`, and for `disable_jit`, where C++ calls it
    state["global_cache_key"] = (cache_name, state["global_cache_key"])
    hooked = PjitFunction.__new__(PjitFunction)
    hooked.__setstate__(state)
    hooked.__dict__.update(jitted.__dict__)
    hooked._fun = inner._fun
    return hooked


def api_boundary(function: Callable[..., Any]) -> Any:
    """`function` as an entry into JAX: what it raises has the traceback that `jax_traceback_filtering` asks for."""
    return traceback_util.api_boundary(function)


def hook_of(function: Any) -> Any:
    """What a PjitFunction calls when its fast path does not take a call; None for anything else."""
    return function.__getstate__()["cache_miss"] if isinstance(function, PjitFunction) else None


def is_jitted(function: Any) -> bool:
    """Whether `function` came from `jax.jit`; a copy of one lacks what is needed to jit it again."""
    return isinstance(function, PjitFunction) and hasattr(function, "_jit_info")


def jitted_function(jitted: Any) -> Callable[..., Any]:
    """The Python function that a PjitFunction traces."""
    return jitted._fun  # type: ignore[no-any-return]


def jitted_name(jitted: Any) -> str:
    """The name under which JAX compiles, without `jit(...)`."""
    return str(jitted.__getstate__()["function_name"])


def jit_options(jitted: Any, names: Iterable[str]) -> dict[str, Any]:
    """Of the arguments of `jax.jit`, those that make a function like `jitted` and are not at their defaults."""
    info, default = jitted._jit_info, plain_jit(lambda: None)._jit_info
    given = [name for name in names if getattr(info, name, None) != getattr(default, name, None)]
    options = {name: getattr(info, name) for name in given}
    for name in ("in_shardings", "out_shardings"):
        leaves = getattr(info, f"{name}_leaves")
        if leaves != getattr(default, f"{name}_leaves"):
            options[name] = jax.tree_util.tree_unflatten(getattr(info, f"{name}_treedef"), leaves)
    if info.compiler_options_kvs:
        options["compiler_options"] = dict(info.compiler_options_kvs)
    return options


def program_name(function: Callable[..., Any], name: str) -> str:
    """How JAX names the traced program of a function that it calls `name`: before 0.9, nameless callables alike."""
    return name if hasattr(function, "__name__") or _names_partials() else "<unnamed wrapped function>"


@functools.cache
def _names_partials() -> bool:
    try:
        partial = functools.partial(lambda: None)
        wrapped = linear_util.wrap_init(partial, debug_info=api_util.debug_info("jit", partial, (), {}))
        return str(wrapped.__name__) == "<lambda>"
    except Exception:
        return True


def ahead_functions() -> dict[str, Callable[..., Any]]:
    """The functions behind `lower`, `trace` and `eval_shape` of every jitted function."""
    return {name: getattr(pjit, f"jit_{name}") for name in ("lower", "trace", "eval_shape")}


def set_ahead_functions(functions: dict[str, Callable[..., Any]]) -> None:
    """Put functions in their place; JAX puts those of its module into the type with each `jit` (JAX 0.6.1 to 0.12)."""
    for name, function in functions.items():
        setattr(pjit, f"jit_{name}", function)
        setattr(PjitFunction, name, function)


def static_positions(jitted: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """`static_argnums` and `static_argnames` as JAX resolved them from each other and the signature."""
    state = jitted.__getstate__()
    return tuple(state["static_argnums"]), tuple(state["static_argnames"])


def donated_arguments(jitted: Any) -> frozenset[int | str]:
    """Positions and names of the arguments that are donated, as JAX resolved them from each other and the signature."""
    info = jitted._jit_info
    return frozenset((*info.donate_argnums, *info.donate_argnames))


def dispatch_identity(jitted: Any) -> Any:
    """Equal for the jitted functions of one Python function that share one dispatch cache: their jit options."""
    return jitted.__getstate__()["global_cache_key"]


def clear_dispatch_cache(jitted: Any) -> None:
    """Empty the C++ dispatch cache of one function: the next calls neither trace nor compile."""
    jitted._clear_cache()


def clear_running_dispatch_caches() -> None:
    """Empty the dispatch caches of the functions, JAX's own too, that JAX dispatches on this thread right now.

    An exception on its way through them would leave their keys on the slow path for ever.
    """
    for _, values in _running("cache_miss"):
        clear_dispatch_cache(pjit._cpp_pjit(values["fun"], values["jit_info"]))


def _running(*names: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The functions of these names in JAX's dispatch that run on this thread, innermost first, with their variables."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name in names and frame.f_code.co_filename in (pjit.__file__, dispatch.__file__):
            yield frame.f_code.co_name, frame.f_locals
        frame = frame.f_back


def dispatch_cache_size(jitted: Any) -> int:
    """Entries in the C++ dispatch cache of one function; the fallback's sign of a miss."""
    return int(jitted._cache_size())


def count_hits(fastpath: Any, counter: Any) -> Any:
    """The fast-path data of a call with `counter` called once in each later call that C++ serves by it."""
    _, node = tree_util.dispatch_registry.flatten(CountedOutput(counter))
    return fastpath._replace(out_pytree_def=node.compose(fastpath.out_pytree_def))


def split_arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Sequence[int], argnames: Sequence[str]
) -> tuple[Any, list[Any]]:
    """What C++ makes of a call: its signature (statics, names, treedefs) and the flat traced leaves.

    Raises:
        ValueError: A static argument is not hashable; JAX says so in the same words when the function is called.
    """
    return jax_jit.parse_arguments(  # type: ignore[no-any-return]
        args, tuple(kwargs.values()), tuple(kwargs), argnums, argnames, tree_util.dispatch_registry
    )


def lone_treedef(treedef: Any) -> Any:
    """An equal treedef that stands for itself.

    Each of those that `split_arguments` gives is for C++ a part of the signature of its call, and keeps that alive,
    with the static arguments (JAX 0.6.1 to 0.12).
    """
    return tree_util.dispatch_registry.flatten(0)[1].compose(treedef)


def value_signature(value: Any) -> tuple[tuple[int, ...], Any, bool]:
    """Shape, dtype and weak type by which C++ compares a value that is not a `jax.Array`."""
    signature = jax_jit._ArgSignatureOfValue(value, jax.config.jax_enable_x64)
    return tuple(signature.shape), signature.dtype, bool(signature.weak_type)


def array_parts(array: Any) -> tuple[tuple[int, ...], Any, bool, bool, Any, Any]:
    """Shape, dtype, weak type, committed, sharding and layout of an `ArrayImpl`: all that C++ compares, in one call.

    Keys of a thousand leaves are made of this; attributes of the aval are read three times as fast as the array's own.
    """
    aval = array.aval
    try:
        layout = None if array.is_deleted() else array._pjrt_layout  # JAX before 0.12 crashes on a deleted array's
    except Exception:  # several devices
        layout = None
    return aval.shape, aval.dtype, aval.weak_type, array._committed, array.sharding, layout


CALLABLE_SHIM = "jax._src.tree_util._HashableCallableShim"
"""The class of the static data of a `jax.tree_util.Partial`, whose `fun` is the function."""


def is_jaxpr(value: Any) -> bool:
    """Whether a value is a traced program of JAX's."""
    return type(value).__name__ in ("Jaxpr", "ClosedJaxpr") and hasattr(value, "eqns")


def traced_function(jaxpr: Any) -> str:
    """Name and place of the function that a program was traced from, `step at train.py:41`; empty if JAX's own."""
    said = getattr(getattr(getattr(jaxpr, "jaxpr", jaxpr), "debug_info", None), "func_src_info", None) or ""
    return "" if not _place(said) or _OF_JAX in said else said


def trace_state_clean() -> bool:
    """Whether no trace and no transform is under way on this thread."""
    return bool(core.trace_state_clean())


def prng_name(implementation: Any) -> str:
    """The short name of a PRNG implementation, as in `key<fry>`."""
    return str(implementation.tag)


def key_data_like(dtype: str, shape: tuple[int, ...]) -> Any:
    """Data for typed PRNG keys of a dtype such as `key<fry>` and a shape."""
    implementation = next(each for each in prng.prngs.values() if f"key<{each.tag}>" == dtype)
    return jax.device_put(np.zeros((*shape, *implementation.key_shape), "uint32"))


def zero_keys(shape: tuple[int, ...], dtype: Any) -> Any:
    """Typed PRNG keys of a dtype, on the default device, for which nothing is compiled."""
    return jax.random.wrap_key_data(key_data_like(str(dtype), shape), impl=dtype._impl.name)


def weakly_typed(array: Any) -> Any:
    """The same array with a weak type, for which nothing is compiled."""
    return ArrayImpl(array.aval.update(weak_type=True), array.sharding, array._arrays, committed=array._committed)


def wide_array(shape: tuple[int, ...], dtype: Any, sharding: Any) -> Any:
    """An array of 64-bit numbers, whatever the setting of this thread."""
    with config.enable_x64(True):
        return jax.device_put(np.zeros(shape, dtype), sharding)


class Dispatch(NamedTuple):
    """A program that JAX dispatches on this thread: a primitive with its parameters, or a jitted function."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    params: dict[str, Any] | None
    """Of a primitive; None for a jitted function."""
    fun: Callable[..., Any] | None
    static_argnums: tuple[int, ...] = ()
    static_argnames: tuple[str, ...] = ()


def running_dispatch(name: str) -> Dispatch | None:
    """What this thread dispatches under `name`, from the frames of JAX that are running; None where they do not say.

    Events and log records name a program; its arguments and static parameters stand only in the frames of
    `dispatch.apply_primitive` and of the jitted function's `cache_miss` (JAX 0.6.1 to 0.12).
    """
    found = None
    for function, values in _running("apply_primitive", "cache_miss"):
        if function == "apply_primitive" and str(values["prim"]) == name:
            return Dispatch(tuple(values["args"]), {}, dict(values["params"]), None)
        if function == "cache_miss" and not found and program_name(fun := values["fun"], util.fun_name(fun)) == name:
            info = values["jit_info"]
            numbers, names = tuple(info.static_argnums or ()), tuple(info.static_argnames or ())
            found = Dispatch(tuple(values["args"]), dict(values["kwargs"]), None, fun, numbers, names)
    return found


def running_definition(name: str) -> str:
    """`file:line` of the function whose program of this name this thread lowers or runs, in or outside of a call."""
    for _, values in _running("_resolve_and_lower", "_pjit_call_impl_python"):
        if values["name"] == name:
            return _place(values["jaxpr"].jaxpr.debug_info.func_src_info)
    return ""


def devices_if_set_up() -> tuple[int | None, str]:
    """This process's index and the kind of its devices; None and nothing where JAX has not set up a device yet."""
    if not backends_if_set_up():
        return None, ""
    return jax.process_index(), str(jax.local_devices()[0].device_kind)


def exclude_from_tracebacks(path: str) -> None:
    """Leave a file or folder out of JAX's filtered tracebacks and of the source locations in its programs."""
    traceback_util.register_exclusion(path)
    source_info_util.register_exclusion(path)


def source_of(fun: Callable[..., Any]) -> str:
    """`file:line` of a function's definition, as JAX finds it; empty where Python does not know."""
    return _place(api_util.fun_sourceinfo(fun))


def _place(text: str | None) -> str:
    place = (text or "").rpartition(" at ")[2]
    return place if ":" in place else ""
