"""The report as JSON, in the versioned form of docs/json.md, whose schema is made from these structs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jitwatch._explain.earlier_programs import closest_earlier
from jitwatch._judge.codes import page_of
from jitwatch._judge.judge import explanations
from jitwatch._model import (
    Build,
    CacheKey,
    Change,
    Explanation,
    Finding,
    FunctionStats,
    KeyStats,
    Miss,
    Place,
    Process,
    Snapshot,
    Stages,
)
from jitwatch._policy.verdict import Acknowledgement, verdict
from jitwatch._record.sums import lost_s, program_count
from jitwatch._report.recording.bill_json import JsonBill, json_bill
from jitwatch._words.key_text import key_line
from jitwatch._words.safe_text import clean, clean_place

SCHEMA = "jitwatch-report/1"
MAX_KEY_TEXT = 400
MAX_MESSAGE = 2000
MAX_ARGUMENTS = 100
MAX_CONTEXT = 8


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
    lost_s: float
    """In all stages, each time together."""
    call_site: str


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
    faults: int
    wall_s: float
    """Wall time of the run; of several processes, the sum."""
    bill: JsonBill
    places: list[JsonPlace]
    """Findings on eager work, the most costly first."""
    notes: list[JsonFinding]
    """What is worth knowing and no fault."""
    acknowledged: list[JsonAcknowledged]


def render(snapshot: Snapshot, processes: Sequence[Process] = ()) -> str:
    """The report of a snapshot, recorded in these processes, as JSON text."""
    return msgspec.json.format(msgspec.json.encode(report(snapshot, processes)), indent=1).decode() + "\n"


def report(snapshot: Snapshot, processes: Sequence[Process] = ()) -> JsonReport:
    """The report of a snapshot as data, the most costly functions first."""
    misses: dict[int, list[Miss]] = {}
    for miss in snapshot.misses:
        misses.setdefault(miss.function, []).append(miss)
    judged, closest = verdict(snapshot), closest_earlier(snapshot)
    found = {number: list(findings) for number, findings in judged.findings.items()}
    for place in judged.places:
        found.setdefault(place.most_costly, []).append(place.part)
    kinds = [("jitted", function) for function in snapshot.functions] + [("other", each) for each in snapshot.others]
    functions = [
        _function(function, kind, misses.get(function.id, []), found.get(function.id, []), closest)
        for kind, function in kinds
    ]
    return JsonReport(
        schema=SCHEMA, unix_s=snapshot.unix_s, jax_version=clean(snapshot.jax_version),
        python_version=clean(snapshot.python_version), lost_s=sum(function.lost_s for function in functions),
        processes=[_process(process) for process in processes],
        functions=sorted(functions, key=lambda function: (-function.lost_s, function.name)),
        dropped_misses=snapshot.dropped_misses, dropped_functions=snapshot.dropped_functions,
        dropped_programs=snapshot.dropped_programs, faults=snapshot.faults, wall_s=snapshot.wall_s,
        bill=json_bill(snapshot, tuple(judged.all_findings()), processes),
        places=[_place(place) for place in judged.places], notes=[json_finding(note) for note in judged.notes],
        acknowledged=[_acknowledged(finding, by) for finding, by in judged.acknowledged],
    )  # fmt: skip


def _place(place: Place) -> JsonPlace:
    return JsonPlace(
        **msgspec.structs.asdict(json_finding(place.finding)), function=clean(place.finding.function),
        defined_at=clean_place(place.finding.defined_at), operations=[clean(name) for name in place.operations],
        lines=[JsonLine(clean_place(site.place), site.misses, site.lost_s) for site in place.lines],
        sizes=[clean(size) for size in place.sizes], programs=place.programs, spent_s=place.lost_s,
    )  # fmt: skip


def _acknowledged(finding: Finding, by: Acknowledgement) -> JsonAcknowledged:
    return JsonAcknowledged(
        code=finding.code, function=clean(finding.function), compiles=finding.compiles, lost_s=finding.lost_s,
        reason=clean(by.reason, MAX_MESSAGE), place=clean_place(by.place),
    )  # fmt: skip


def schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    made = msgspec.json.schema(JsonReport)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **made}


def _process(process: Process) -> JsonProcess:
    return JsonProcess(
        host=clean(process.host), pid=process.pid, process_index=process.process_index,
        device_kind=clean(process.device_kind), jax_version=clean(process.jax_version),
        python_version=clean(process.python_version), started_unix_s=process.started_unix_s,
        argv=[clean(argument) for argument in process.argv[:MAX_ARGUMENTS]],
    )  # fmt: skip


Closest = Mapping[tuple[int, int, str], str]


def _function(
    function: FunctionStats, kind: str, misses: list[Miss], findings: list[Finding], closest: Closest
) -> JsonFunction:
    ran = function.stages
    why = explanations(function)
    return JsonFunction(
        name=clean(function.name), kind=kind, qualname=clean(function.qualname),
        defined_at=clean_place(function.defined_at),
        options={clean(name): clean(text) for name, text in function.options},
        traces=ran.traces, compiles=program_count(ran), lost_s=lost_s(ran),
        hits=function.hits if function.hits_counted else None, miss_count=function.misses,
        dispatch_only=function.dispatch_only, nested=function.nested, failures=function.failures,
        dropped_keys=function.dropped_keys, approximate=function.approximate, stages=_stages(ran),
        helpers=_stages(function.helpers), misses=_misses(misses, why, closest),
        keys=[_key(key, hits_counted=function.hits_counted) for key in function.keys],
        builds=[_build(build, function.id, closest) for build in function.builds],
        dropped_builds=function.dropped_builds, findings=[json_finding(finding) for finding in findings],
    )  # fmt: skip


def _counts(miss: Miss) -> bool:
    return miss.stages != Stages() or miss.failed is not None


def _build(build: Build, function: int, closest: Closest) -> JsonBuild:
    return JsonBuild(
        first=build.first, program=clean(build.program) or None,
        equal_up_to=closest.get((function, build.first, build.program)) or None, key=build.key,
        kind=clean(build.kind), count=build.count, reused=build.reused, lost_s=build.lost_s,
        call_site=clean_place(build.call_site),
    )  # fmt: skip


def _misses(misses: list[Miss], why: dict[int, Explanation], closest: Closest) -> list[JsonMiss]:
    """Each miss that counts, oldest first; the first of a key with its explanation."""
    result, explained = [], set[int]()
    for miss in filter(_counts, misses):
        first = miss.key is not None and miss.key not in explained
        explained.add(miss.key or 0)
        result.append(_miss(miss, why[miss.key].changes if first and miss.key in why else (), closest))
    return result


def json_finding(finding: Finding) -> JsonFinding:
    """A finding as it is in every JSON report."""
    return JsonFinding(
        code=finding.code, causes=[finding.cause], where=[clean(where) for where in finding.where],
        call_site=clean_place(finding.call_site), compiles=finding.compiles, lost_s=finding.lost_s,
        message=clean(finding.message, MAX_MESSAGE), advice=clean(finding.advice, MAX_MESSAGE),
        docs=page_of(finding.code), evidence=finding.evidence, share_of_run=finding.share_of_run,
    )  # fmt: skip


def _miss(miss: Miss, changes: tuple[Change, ...], closest: Closest) -> JsonMiss:
    return JsonMiss(
        number=miss.number, kind=miss.kind, key=miss.key, causes=list(dict.fromkeys(each.cause for each in changes)),
        where=[clean(each.where) for each in changes], call_site=clean_place(miss.call_site),
        unix_s=miss.unix_s, stages=_stages(miss.stages), failed=miss.failed and clean(miss.failed),
        failed_at=miss.failed_at and clean_place(miss.failed_at),
        failed_argument=miss.failed_argument and clean(miss.failed_argument),
        context={clean(name): clean(text) for name, text in miss.context[:MAX_CONTEXT]},
        program=clean(miss.program) or None,
        equal_up_to=closest.get((miss.function, miss.number, miss.program)) or None,
    )  # fmt: skip


def _key(stats: KeyStats, *, hits_counted: bool) -> JsonKey:
    return JsonKey(
        number=stats.number, text=_key_text(stats.key), hits=stats.hits if hits_counted else None, misses=stats.misses,
        dispatch_only=stats.dispatch_only, nested=stats.nested, failures=stats.failures, stages=_stages(stats.stages),
        executable=stats.executable, slow_path=stats.slow_path, outlived=stats.outlived,
    )  # fmt: skip


def _key_text(key: CacheKey) -> str:
    return key_line(key, MAX_KEY_TEXT)


def _stages(stages: Stages) -> JsonStages:
    return JsonStages(*(getattr(stages, name) for name in JsonStages.__struct_fields__))
