"""Computes the cache key of a call: a readable description of everything JAX's dispatch cache compares.

Runs on misses and on request only. Two calls get equal keys exactly if JAX's C++ takes their signatures for equal
(`jax_jit.h`, CallSignature); what it splits and flattens is taken from C++ itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from jitwatch._capture import jax_internals
from jitwatch._capture.jax_internals import tracers
from jitwatch._capture.keys import equinox
from jitwatch._capture.keys.leaves import abstract_of, leaves_of
from jitwatch._capture.keys.trace_context import context_now
from jitwatch._capture.keys.trees import LEAF, TreeInfo, interned, is_kept, read_tree, statics, tree_of
from jitwatch._model import Argument, CacheKey, StaticArgument

CHUNK = 32
MAX_FORMS = 64


class Call(NamedTuple):
    """A key and what is needed to lower the same program again; the latter must not outlive JAX's own cache entry."""

    key: CacheKey
    under_trace: bool
    positional: int
    static_at: tuple[int, ...]
    static_values: tuple[Any, ...]
    static_names: tuple[str, ...]
    dynamic_names: tuple[str, ...]
    treedefs: tuple[Any, ...]
    shardings: Any
    """Of all leaves; one object where they have the same, which most calls do."""

    def collectable(self) -> Call:
        """The same, such that Python can free a cycle through its static values."""
        return self._replace(treedefs=tuple(map(jax_internals.lone_treedef, self.treedefs)))


class _Form(NamedTuple):
    """What a key says of how a call was made, whatever its leaves and statics are."""

    arguments: tuple[Argument, ...]
    prng: dict[int, str]
    """Dtypes of the leaves that are typed PRNG keys."""
    statics_at: tuple[int, ...]
    omitted: tuple[str, ...]


class KeyMaker:
    """Computes keys for the calls of one function."""

    def __init__(self, fun: Callable[..., Any], argnums: Sequence[int], argnames: Sequence[str]) -> None:
        self._argnums, self._argnames = argnums, argnames
        self._positional, self._variadic, self._defaults = _parameters(fun)
        self._forms: dict[Any, _Form] = {}
        """Of calls without statics, by the number of positional arguments, the names of the others, and their treedefs:
        a call that JAX always dispatches in Python comes here each time."""
        self.unwrapper: equinox.Unwrapper | None = None
        if equinox.is_wrapper(fun):
            self.unwrapper = equinox.Unwrapper(lambda *tree: read_tree(*tree)[0].tree, statics().static)

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The key of `fun(*args, **kwargs)` on this thread, now."""
        signature, leaves = jax_internals.split_arguments(args, kwargs, self._argnums, self._argnames)
        static_names, dynamic_names = tuple(signature.static_arg_names), tuple(signature.dynamic_arg_names)
        static_values, treedefs = tuple(signature.static_args), tuple(signature.dynamic_arg_treedefs)
        form = len(args), dynamic_names, treedefs
        known = None if static_values else self._forms.get(form)
        if known is None:
            known = self._form(args, kwargs, treedefs, dynamic_names)
            if not static_values and all(map(is_kept, treedefs)):
                if len(self._forms) >= MAX_FORMS:
                    self._forms.clear()
                self._forms[form] = known
        records = leaves_of(leaves, known.prng)
        transform = tracers.transforms_of(leaves)
        array_type = jax_internals.ArrayImpl
        shardings = [leaf.sharding if type(leaf) is array_type else None for leaf in leaves]
        same = all(sharding is shardings[0] for sharding in shardings)
        key = CacheKey(
            arguments=known.arguments,
            leaf_chunks=tuple(interned(tuple(records[i : i + CHUNK])) for i in range(0, len(records), CHUNK)),
            statics=self._statics(known.statics_at, static_values, static_names) if static_values else (),
            omitted=known.omitted,
            context=context_now(),
            transform=transform,
        )
        if self.unwrapper is not None:
            key = self.unwrapper(key, args)
        under_trace = bool(transform) or not jax_internals.trace_state_clean()
        return Call(
            key, under_trace, len(args), known.statics_at, static_values, static_names, dynamic_names,
            treedefs, (shardings[0] if shardings else None) if same else tuple(shardings),
        )  # fmt: skip

    def _form(self, args: Any, kwargs: Any, treedefs: tuple[Any, ...], names: tuple[str, ...]) -> _Form:
        statics_at = self.static_positions(len(args))
        dynamic_at = [i for i in range(len(args)) if i not in statics_at]
        arguments = self._arguments(args, kwargs, treedefs, dynamic_at, names)
        prng: dict[int, str] = {}
        start = 0
        for argument, info in arguments:
            prng |= {start + i: dtype for i, dtype in info.prng_leaves.items()}
            start += len(argument.paths)
        omitted = self._omitted(len(args), kwargs)
        return _Form(tuple(argument for argument, _ in arguments), prng, tuple(sorted(statics_at)), omitted)

    def abstract_arguments(self, call: Call) -> tuple[list[Any], dict[str, Any]]:
        """Arguments without data that make JAX trace and lower the same program as those of `call`."""
        leaves = [leaf for chunk in call.key.leaf_chunks for leaf in chunk]
        shardings = call.shardings if isinstance(call.shardings, tuple) else (call.shardings,) * len(leaves)
        abstract = iter([abstract_of(leaf, sharding) for leaf, sharding in zip(leaves, shardings, strict=True)])
        dynamic = iter([_unflatten(treedef, abstract) for treedef in call.treedefs])
        statics = iter(call.static_values)
        args = [next(statics) if i in call.static_at else next(dynamic) for i in range(call.positional)]
        return args, dict(zip(call.static_names, statics, strict=True)) | dict(
            zip(call.dynamic_names, dynamic, strict=True)
        )

    def static_positions(self, count: int) -> set[int]:
        """Of so many positional arguments, the static ones."""
        return {n % count for n in self._argnums if -count <= n < count} if count else set()

    def may_be_static(self, name: str) -> bool:
        """Whether an argument of this name can be static in some call."""
        if any(n < 0 for n in self._argnums) or name not in self._positional:  # it depends on the call
            return True
        return name in self._argnames or self._positional.index(name) in self._argnums

    def traced(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int | str]:
        """Positions and names of the traced arguments of a call."""
        static = self.static_positions(len(args))
        return [i for i in range(len(args)) if i not in static] + [
            name for name in kwargs if name not in self._argnames
        ]

    def leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The traced leaves of a call in the order of its key."""
        return jax_internals.split_arguments(args, kwargs, self._argnums, self._argnames)[1]

    def name(self, position: int) -> str:
        """What a positional argument is called."""
        if position < len(self._positional):
            return self._positional[position]
        return f"{self._variadic}[{position - len(self._positional)}]"

    def _arguments(
        self, args: Any, kwargs: Any, treedefs: Any, positions: list[int], names: tuple[str, ...]
    ) -> list[tuple[Argument, TreeInfo]]:
        given = [(self.name(i), False, args[i]) for i in positions] + [(name, True, kwargs[name]) for name in names]
        result = []
        for (name, by_keyword, value), treedef in zip(given, treedefs, strict=True):
            info = tree_of(treedef, value)
            argument = Argument(name, by_keyword, info.tree, interned(tuple(name + path for path in info.paths)))
            result.append((interned(argument), info))
        return result

    def _statics(
        self, at: Sequence[int], values: tuple[Any, ...], names: tuple[str, ...]
    ) -> tuple[StaticArgument, ...]:
        how = [(self.name(i), False) for i in at] + [(name, True) for name in names]
        return tuple(
            interned(StaticArgument(name, by_keyword, statics().static(value)))
            for (name, by_keyword), value in zip(how, values, strict=True)
        )

    def _omitted(self, given: int, kwargs: dict[str, Any]) -> tuple[str, ...]:
        passed = set(self._positional[:given])
        return tuple(name for name in self._defaults if name not in passed and name not in kwargs)


def _parameters(fun: Callable[..., Any]) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Names of the positional parameters, of the variadic one, and of those with defaults."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):  # no signature: JAX numbers the arguments too
        return (), "args", ()
    kinds = inspect.Parameter
    positional = tuple(p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD))
    variadic = next((p.name for p in parameters if p.kind is kinds.VAR_POSITIONAL), "args")
    return positional, variadic, tuple(p.name for p in parameters if p.default is not kinds.empty)


def key_of_primitive(args: tuple[Any, ...], params: dict[str, Any]) -> CacheKey:
    """The key of an eager operation: its operands, and its parameters as static arguments."""
    operands = tuple(f"args[{i}]" for i in range(len(args)))
    return CacheKey(
        arguments=tuple(interned(Argument(name, False, LEAF, (name,))) for name in operands),
        leaf_chunks=(interned(tuple(leaves_of(list(args), {}))),),
        statics=tuple(
            interned(StaticArgument(name, True, statics().static(value))) for name, value in sorted(params.items())
        ),
        omitted=(),
        context=context_now(),
    )


def _unflatten(treedef: Any, leaves: Iterator[Any]) -> Any:
    return treedef.unflatten([next(leaves) for _ in range(treedef.num_leaves)])
