"""The structs of compiled programs: what they are, and to whom they were given.

Part of the model, and to be imported from `_model`, as all of it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from jitwatch._model_callers import Origin
from jitwatch._model_keys import Count, Seconds

Digest = Annotated[str, msgspec.Meta(max_length=100)]

EQUALITIES = (
    "identical", "target", "placement", "no_op", "precision", "constants", "sizes", "dtype", "different",
)  # fmt: skip
"""How far two programs are the same, the closest first.

`identical`: nothing in the computation asked for another program. `target`: the same module for other devices or with
other compile options. The others name what has to be left aside, with all before it, for the texts to be equal.
"""


class Program(msgspec.Struct, frozen=True, omit_defaults=True):
    """One StableHLO module as JAX hands it to XLA, told by its fingerprint."""

    id: Digest
    """Equal exactly for identical programs: same module, compile options, devices and host callbacks."""
    target: Digest = ""
    """Digest of devices, backend and compile options."""
    steps: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=16)] = ()
    """Digest of the text as it is, and after each step from `placement` to `dtype` of `EQUALITIES`; empty where it was
    not compared with another, or not kept."""
    size_bytes: Count = 0
    """Of the module as MLIR bytecode without locations; 0 where it is not known."""
    comparable: bool = True
    """Whether the text says the same as the program also elsewhere: no host callback, no kernel with a payload."""
    code_bytes: Count = 0
    """Of the executable's code; 0 where the backend does not say, as on CPUs."""
    temp_bytes: Count = 0
    """What it needs while it runs, besides arguments and results; 0 where that is not known."""


class Build(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program that a function was given, compiled or loaded from the persistent cache, for one key in one way."""

    first: Count
    """Number of the miss that brought it."""
    program: Digest = ""
    """Its `Program.id`; empty where this JAX does not let it be told."""
    key: Count | None = None
    kind: str = "call"
    """As in `Miss`."""
    count: Count = 1
    """How often it was compiled, loaded or reused in this way."""
    reused: Count = 0
    """Of those, how often the executable that existed was handed out."""
    loaded: Count = 0
    """Of those, how often it came from the persistent cache."""
    lost_s: Seconds = 0.0
    """In all stages, each time together."""
    compile_s: Seconds = 0.0
    """Of those, in XLA."""
    call_site: str = ""
    library: str = ""
    process: str = ""
    """Tells the processes of a recording apart; empty where there is one."""
    origin: Origin = Origin()
    """Of a program of no watched function."""
    name: str = ""
    """Of the function, as JAX has it."""
