"""Which attributes of its variables a function's bytecode reads: `self.noise`, `cfg.optimizer.lr`."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator

MAX_ATTRIBUTES = 3
"""In a row, that are followed."""
Chain = tuple[str, ...]
"""A variable, and the attributes read from it one after the other."""


@functools.lru_cache(maxsize=4096)
def attribute_chains(code: types.CodeType) -> tuple[Chain, ...]:
    """The chains that a function, with those defined in it, reads from its parameters and closure variables.

    Longer chains are cut, and each is there once, in the order of the code. No chain is the beginning of another one.
    """
    found = dict.fromkeys(_chains(code, outermost=True))
    return tuple(chain for chain in found if not any(chain == other[: len(chain)] != other for other in found))


def _chains(code: types.CodeType, *, outermost: bool) -> Iterator[Chain]:
    known = {*code.co_freevars, *(_parameters(code) if outermost else ())}
    chain: Chain = ()
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name.startswith(("LOAD_ATTR", "LOAD_METHOD")) and chain:
            chain = (*chain, str(instruction.argval))[: MAX_ATTRIBUTES + 1]
            continue
        if len(chain) > 1:
            yield chain
        chain = ()
        if name.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")):
            variable = instruction.argval[-1] if isinstance(instruction.argval, tuple) else instruction.argval
            chain = (variable,) if variable in known else ()
    if len(chain) > 1:
        yield chain
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _chains(constant, outermost=False)


def _parameters(code: types.CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
