"""Every record of jitwatch as an immutable struct: what capture hands on and every later stage reads.

No logic and no JAX in here: a recording is the same data on the machine that ran and on a laptop that reads its file.
Those of which there are many are not tracked by the cycle collector: they hold nothing that could refer back to them.
Durations are seconds (`_s`), wall-clock times are seconds since the epoch (`unix_s`), shapes are tuples of ints.
"""

from __future__ import annotations

import msgspec

from jitwatch._model_callers import CallSite, Origin
from jitwatch._model_keys import Argument, CacheInfo, CacheKey, Count, Leaf, Seconds, Static, StaticArgument, Tree
from jitwatch._model_programs import EQUALITIES, Build, Digest, Program

__all__ = [
    "EQUALITIES", "Argument", "Build", "CacheInfo", "CacheKey", "CallSite", "Count", "Digest", "Leaf", "Origin",
    "Program", "Seconds", "Static", "StaticArgument", "Tree",
]  # fmt: skip
# For the type checker, of what is defined elsewhere; all that follows belongs to the model too.


class Change(msgspec.Struct, frozen=True, gc=False):
    """One difference between two keys."""

    cause: str
    """A label: shape, dtype, weak_type, tree_structure, arg_kind, static_value, static_identity, function_identity,
    committed, sharding, layout, config_context, key_impl, cache_cleared, cache_evicted, eager_shape, persistent_miss,
    transform, other."""
    where: str
    """As the user would write it: `batch['x']`, `static n`, `config jax_enable_x64`."""
    before: str
    after: str


class Explanation(msgspec.Struct, frozen=True):
    """Why a key missed: its differences to the nearest earlier key."""

    nearest: int | None
    """Number of that key; None for the first key of a function."""
    changes: tuple[Change, ...]
    """Shortest paths first; empty for a first call."""
    more: int = 0
    """Further changes that were cut."""


class Finding(msgspec.Struct, frozen=True):
    """What a rule has to say about a function's recompilations."""

    code: str
    """Such as `JW101`; docs/findings.md has a section for each, and `jitwatch explain` prints it."""
    cause: str
    function: str
    defined_at: str
    call_site: str
    where: tuple[str, ...]
    compiles: int
    """Compilations that the fix saves."""
    lost_s: float
    """Seconds that the fix saves."""
    message: str
    """What happens, with the differences."""
    differences: str
    """What changed from one program to the next, in the order of time."""
    advice: str
    """What to change."""
    evidence: str = "likely"
    """`proved` by the compiled programs, `likely`, or `possible`: it may be what the author wants."""
    share_of_run: float = 0.0
    """Of the wall time of the run that the fix saves; 0 where that is not known."""
    reused: int = 0
    """Of the compilations, those that `jitwatch.reuse()` spared; tracing and lowering were paid."""
    loaded: int = 0
    """Of the compilations, those that JAX's persistent cache spared."""

    def __repr__(self) -> str:
        return f"<{self.code} {self.function}: {self.compiles} compiles, {self.lost_s:.3g} s, {self.evidence}>"


class Place(msgspec.Struct, frozen=True):
    """Eager work that one place of the user's compiles too often: a function, or a loop at module level."""

    finding: Finding
    """Its `function` is the one around the lines, or at module level the most costly operation."""
    operations: tuple[str, ...]
    """By JAX's names, the most costly first."""
    lines: tuple[CallSite, ...]
    """The user's lines that it is about, the most costly first, with their programs."""
    sizes: tuple[str, ...]
    """What changed from program to program, in the order of time; empty where nothing but the function object did."""
    programs: Count
    """All that were compiled there, needed or not."""
    lost_s: Seconds
    """Seconds in them."""
    most_costly: Count
    """Id of the operation in which the finding saves most."""
    part: Finding
    """The finding as one on that operation alone, so that what is said of it never exceeds what it compiled."""


class Alert(msgspec.Struct, frozen=True):
    """Something that the user is told while the program runs, as a warning, an error or a call of theirs."""

    kind: str
    """`churn` (a finding), `limit` (`max_compiles`), `unexpected` (outside `expect`) or `frozen`."""
    code: str
    """Of the rule, such as `JW101`; empty where the cause has none, such as a first compilation."""
    cause: str
    """As in `Change`; `first` for a function that was not compiled before."""
    function: str
    defined_at: str
    call_site: str
    changes: tuple[Change, ...]
    """Against the nearest earlier key; empty for a finding, whose message says them."""
    compiles: int
    """Compilations that could be saved, or that there were too many, up to now."""
    message: str
    """The whole text."""


class Stages(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How often each stage ran, and for how long. A load is a compilation answered by the persistent cache."""

    traces: Count = 0
    lowerings: Count = 0
    compiles: Count = 0
    """XLA compilations that really ran; loads from the persistent cache are not among them."""
    loads: Count = 0
    trace_s: Seconds = 0.0
    lower_s: Seconds = 0.0
    compile_s: Seconds = 0.0
    load_s: Seconds = 0.0
    reused: Count = 0
    """Programs for which `jitwatch.reuse()` handed out the executable that existed: neither compiles nor loads."""
    reuse_s: Seconds = 0.0
    saved_s: Seconds = 0.0
    """What XLA took for those when it compiled them, less `reuse_s`."""


class Miss(msgspec.Struct, frozen=True, gc=False):
    """One call, or one use ahead of time, that the dispatch cache did not serve."""

    number: Count
    """Counts the misses of the process, from 1."""
    function: Count
    key: Count | None
    """Number of the key within its function; None where the key could not be told."""
    kind: str
    """`call`, `nested` (under a trace or a transform), `aot` (`lower`, `trace`, `eval_shape`) or `backward`."""
    stages: Stages
    helpers: Stages
    """What JAX compiled on the side: for placing arguments, or for an eager operation inside the trace."""
    call_site: str
    """`file:line` of the innermost frame of the author's; empty if there is none."""
    unix_s: Seconds
    thread: int
    failed: str | None
    """The exception's class where the call raised."""
    failed_at: str | None
    """`file:line` in the traced function that raised."""
    failed_argument: str | None
    """The argument that JAX's error names."""
    slow_path: bool
    """JAX gave the call no entry in its dispatch cache (effects, tracers): the same call will miss again."""
    library: str = ""
    """The library that called JAX, where it was not the user's own frame."""
    persistent: str = ""
    """Why the persistent compilation cache did not answer, where it is on and a compilation ran."""
    context: tuple[tuple[str, str], ...] = ()
    """What the program said of the moment with `jitwatch.context`, by name."""
    program: Digest = ""
    """`Program.id` of what was compiled or loaded for the function itself; empty if nothing was, or it is not known."""
    origin: Origin = Origin()
    """Of a program of no watched function."""
    name: str = ""
    """Of the function, as JAX has it."""


class LoggedCall(msgspec.Struct, frozen=True, gc=False):
    """One call while a call log is open."""

    name: str
    function: Count
    key: CacheKey | None
    executable: Count | None
    miss: Miss | None
    """None for a call that the dispatch cache served."""


class Captured(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One value that a function object brings along, as it was when the function was first traced."""

    name: str
    """As the user would write it: `lr`, `self.noise`, `partial args[0]`, `default n`; `step_size of tx` for a value
    inside what a library made."""
    kind: str
    """`number`, `array`, `function` or `object`; a bool or a string is an object."""
    value: str
    """An array by its aval, and a NumPy array of up to 1 MB by its content too."""
    identity: Count = 0
    """Number of the object in its process; 0 for a plain value, and where it is not known. The same number is the same
    object; the same text under two numbers is another object that looks alike."""


class KeyStats(msgspec.Struct, frozen=True, gc=False):
    """One key of a function, and what happened with it."""

    number: Count
    key: CacheKey
    hits: Count
    misses: Count
    """Calls with this key that the dispatch cache did not serve, nested calls not among them."""
    dispatch_only: Count
    """Of the misses, those in which no stage ran."""
    nested: Count
    failures: Count
    stages: Stages
    first_unix_s: Seconds
    last_miss_unix_s: Seconds
    slow_path: bool
    executable: Count | None
    """Number, within the function, of the executable that serves this key; keys can share one."""
    call_sites: tuple[CallSite, ...]
    declared: bool = False
    """Whether the function's author declared the key, by `warm_up` or `expect`: then its program is no waste."""
    outlived: Count = 0
    """How many programs that the function was given later were there when this key was last seen used again."""
    warmed: Count = 0
    """Of the misses, those that `warm_up` made."""
    state: tuple[str, ...] = ()
    """Arguments whose arrays came back from the call, shape by shape: state that goes round, such as parameters."""
    single_start: bool = False
    """Whether it had served one call alone when its function was given the next program, as a dummy batch does."""


class FunctionStats(msgspec.Struct, frozen=True):
    """One jitted function and the whole history of its cache."""

    id: Count
    name: str
    """As JAX names it, without `jit(...)`."""
    qualname: str
    defined_at: str
    """`file:line` of the definition; empty where Python does not know it."""
    options: tuple[tuple[str, str], ...]
    """The `jax.jit` arguments that were given, as text."""
    hits_counted: bool
    """False where the function was watched without counting its hits: then they are 0 here."""
    hits: Count
    misses: Count
    dispatch_only: Count
    nested: Count
    failures: Count
    stages: Stages
    helpers: Stages
    aot: Stages
    """Stages run ahead of time by `lower`, `trace`, `eval_shape` and `Lowered.compile`; part of `stages`."""
    backward: Stages
    """Stages that JAX ran for it outside a call, such as the backward pass of `grad`; part of `stages`."""
    keys: tuple[KeyStats, ...]
    dropped_keys: Count
    """Misses with keys beyond the bound on keys, each time they miss; they and their hits are in the totals only."""
    call_sites: tuple[CallSite, ...]
    last_failure: Miss | None
    approximate: bool
    """Whether this JAX lacks the exact hook, so that counts rest on the cache's size."""
    processes: Count = 1
    """In how many processes the function was used; each of them compiles it once by right."""
    stale: tuple[Change, ...] = ()
    """Plain values from outside that the body read when it was traced, and that are others now."""
    bound: str = ""
    """What the function object brings along: closure values, arguments of a partial, the object of a bound method."""
    builds: tuple[Build, ...] = ()
    """The programs that it was given, in the order of their first."""
    dropped_builds: Count = 0
    """Programs that it was given beyond the bound on builds; they are in the totals only."""
    given_up: bool = False
    """Whether the function object is gone, or was not used again once its definition had made a later one."""
    captured: tuple[Captured, ...] = ()
    """What the function object brings along, value by value, those of nested functions last; empty before a trace."""
    code: str = ""
    """Tells functions of one line apart: column, 0 where it says nothing, and checksum of the code, `12:9f86d081`."""
    jitted_at: str = ""
    """The author's line that jitted it; empty where that is not known."""


class Snapshot(msgspec.Struct, frozen=True):
    """Everything known at one moment, as plain data."""

    functions: tuple[FunctionStats, ...]
    others: tuple[FunctionStats, ...]
    """Programs that JAX compiled for no watched function, by JAX's name: eager operations, functions not watched."""
    misses: tuple[Miss, ...]
    """The most recent ones, oldest first; of a data file those that ran a stage, failed, or were the first of a key."""
    dropped_misses: Count
    dropped_functions: Count
    faults: Count
    """Errors of jitwatch's own that were caught, so that the watched program went on."""
    unix_s: Seconds
    jax_version: str
    python_version: str
    programs: tuple[Program, ...] = ()
    """Those that builds and misses refer to, each once; with steps where their definition has two or more."""
    dropped_programs: Count = 0
    """Programs that had to make room: of them no more is known than their ids."""
    held_programs: Count = 0
    """Executables that were alive at that moment, watched or not: JAX's caches hold them; of several processes, all."""
    held_code_bytes: Count = 0
    """Of their code, as far as the backend says."""
    wall_s: Seconds = 0.0
    """Wall time since watching began, or since the last reset; of several processes, the sum."""

    def __repr__(self) -> str:
        compiles = sum(function.stages.compiles for function in self.functions)
        return f"<snapshot: {len(self.functions)} functions, {compiles} compiles, {len(self.misses)} misses>"


class Process(msgspec.Struct, frozen=True):
    """One process that was watched."""

    host: str
    pid: Count
    process_index: Count | None
    """Of a JAX program of several processes; None until JAX has been asked, and where it was never."""
    jax_version: str
    """Empty for a process that had not imported jax."""
    python_version: str
    device_kind: str
    """As JAX names it, such as `NVIDIA H100`; empty where JAX had set up no device."""
    started_unix_s: Seconds
    argv: tuple[str, ...]
    run: str = ""
    """The same for a program and the processes that it started, different for each run; empty where none is known."""


class Recording(msgspec.Struct, frozen=True):
    """Finished data of one or more processes."""

    processes: tuple[Process, ...]
    snapshot: Snapshot
    problems: tuple[str, ...]
    """What could not be read, in words."""
