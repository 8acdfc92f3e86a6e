"""The structs of the JSON report, of which its schema is made; docs/json.md says what each field means."""

from __future__ import annotations

import msgspec

from jitwatch._report.recording.bill_json import JsonBill
from jitwatch._report.recording.next_start_json import JsonNextStart


class JsonStages(msgspec.Struct, frozen=True):
    """How often each stage ran, for how long.

    `compiles` are real XLA compilations, `loads` persistent-cache hits, `reused` programs that `jitwatch.reuse()`
    handed out; `saved_s` is what XLA took for those, less `reuse_s`.
    """

    traces: int
    lowerings: int
    compiles: int
    loads: int
    trace_s: float
    lower_s: float
    compile_s: float
    load_s: float
    reused: int
    reuse_s: float
    saved_s: float


class JsonMiss(msgspec.Struct, frozen=True):
    """One miss in which at least one stage ran, or that failed."""

    number: int
    kind: str
    """`call`, `nested`, `aot` or `backward`."""
    key: int | None
    causes: list[str]
    where: list[str]
    call_site: str
    unix_s: float
    stages: JsonStages
    failed: str | None
    failed_at: str | None
    failed_argument: str | None
    context: dict[str, str]
    """What the program said of the moment with `jitwatch.context`; empty where it said nothing."""
    program: str | None
    """Fingerprint of what was compiled or loaded for the function itself."""
    equal_up_to: str | None
    """What has to be left aside for it to be the same as the closest earlier program of the definition."""


class JsonBuild(msgspec.Struct, frozen=True):
    """A program that a function was given, compiled or loaded, for one key in one way."""

    first: int
    """Number of the miss that brought it; 0 where that is not known."""
    program: str | None
    """Its fingerprint; null where JAX does not let it be told."""
    equal_up_to: str | None
    """When it came first: as in a miss."""
    key: int | None
    kind: str
    count: int
    reused: int
    """Of the count, those that `jitwatch.reuse()` handed out."""
    loaded: int
    """Of the count, those from JAX's persistent cache."""
    lost_s: float
    """In all stages, each time together."""
    call_site: str
    code_bytes: int
    """Of the program's code; 0 where the backend does not say."""
    temp_bytes: int
    """Of what it needs while it runs, besides arguments and results."""


class JsonKey(msgspec.Struct, frozen=True):
    """One cache key of a function."""

    number: int
    text: str
    hits: int | None
    misses: int
    dispatch_only: int
    nested: int
    failures: int
    stages: JsonStages
    executable: int | None
    slow_path: bool
    code_bytes: int
    """Of all programs that it was given."""
    temp_bytes: int
    """Of the one that needs most."""
    warmed: int
    """Of the misses, those that `warm_up` made."""
    outlived: int
    """How many programs that the function was given later were there when this key was last seen used again."""


class JsonFinding(msgspec.Struct, frozen=True):
    """What the user should know of a function's recompilations (docs/findings.md)."""

    code: str
    causes: list[str]
    where: list[str]
    call_site: str
    compiles: int
    """Compilations that the fix saves."""
    lost_s: float
    """Seconds that the fix saves."""
    message: str
    """What happens, with what changed from one program to the next, in the order of time."""
    advice: str
    docs: str
    """Where the code is described; `jitwatch explain` prints it."""
    evidence: str
    """`proved` by the compiled programs, `likely`, or `possible`."""
    share_of_run: float
    """Of the wall time of the run that the fix saves; 0 where that is not known."""
    reused: int
    """Of the compiles, those that `jitwatch.reuse()` spared."""
    loaded: int
    """Of the compiles, those that JAX's persistent cache spared."""


class JsonLine(msgspec.Struct, frozen=True):
    """A line of the user's, and the programs of eager operations that were compiled for it."""

    place: str
    programs: int
    lost_s: float


class JsonPlace(JsonFinding, frozen=True):
    """A finding on eager work: one for each place, which is a function of the user's or a loop in it."""

    function: str
    """The one around the lines; at module level the most costly operation."""
    defined_at: str
    """Empty at module level."""
    operations: list[str]
    """By JAX's names, the most costly first."""
    lines: list[JsonLine]
    sizes: list[str]
    """What changed from program to program, in the order of time."""
    programs: int
    """All that were compiled there, needed or not."""
    spent_s: float
    """Seconds in them."""


class JsonAcknowledged(msgspec.Struct, frozen=True):
    """A finding that its author said to be as it should be."""

    code: str
    function: str
    compiles: int
    lost_s: float
    reason: str
    place: str
    """Where that is written."""


class JsonFunction(msgspec.Struct, frozen=True):
    """A jitted function, or an eager operation and other programs by JAX's name of them."""

    name: str
    kind: str
    """`jitted` for a watched function, `other` for eager operations and functions that were not watched."""
    qualname: str
    defined_at: str
    options: dict[str, str]
    traces: int
    compiles: int
    """XLA compilations asked for: real ones, loads from the persistent cache, and programs reused."""
    lost_s: float
    """Seconds spent on tracing, lowering, compiling and loading."""
    hits: int | None
    """None where hits were not counted."""
    miss_count: int
    dispatch_only: int
    nested: int
    failures: int
    dropped_keys: int
    approximate: bool
    stages: JsonStages
    helpers: JsonStages
    misses: list[JsonMiss]
    """The most recent ones, oldest first."""
    keys: list[JsonKey]
    builds: list[JsonBuild]
    """The programs that it was given, in the order of their first."""
    dropped_builds: int
    code_bytes: int
    """Of all its programs, each once; 0 where the backend does not say."""
    temp_bytes: int
    """Of the one that needs most while it runs."""
    findings: list[JsonFinding]


class JsonProcess(msgspec.Struct, frozen=True):
    """One process whose counts are in the report."""

    host: str
    pid: int
    process_index: int | None
    """Of a JAX program of several processes; null where JAX did not say."""
    device_kind: str
    """Empty where JAX had set up no device."""
    jax_version: str
    python_version: str
    started_unix_s: float
    argv: list[str]


class JsonReport(msgspec.Struct, frozen=True):
    """The whole report."""

    schema: str
    unix_s: float
    jax_version: str
    python_version: str
    """Where processes had different ones, all of them, with commas; so for `jax_version`."""
    lost_s: float
    """Seconds of all functions together."""
    processes: list[JsonProcess]
    """Those whose counts are added up here; empty where the report is not of a data file or of `jitwatch run`."""
    functions: list[JsonFunction]
    """The most costly first. Each function object has an entry, so several can share a name and a `defined_at`."""
    dropped_misses: int
    dropped_functions: int
    dropped_programs: int
    held_programs: int
    """Executables that were alive when the data was taken, watched or not."""
    held_code_bytes: int
    faults: int
    wall_s: float
    """Wall time of the run; of several processes, the sum."""
    bill: JsonBill
    next_start: JsonNextStart
    places: list[JsonPlace]
    """Findings on eager work, the most costly first."""
    notes: list[JsonFinding]
    """What is worth knowing and no fault."""
    acknowledged: list[JsonAcknowledged]
