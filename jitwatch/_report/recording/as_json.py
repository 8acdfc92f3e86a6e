"""The report as JSON, in the versioned form of docs/json.md, whose schema is made from these structs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jitwatch._explain.earlier_programs import closest_earlier
from jitwatch._judge.codes import page_of
from jitwatch._judge.judge import explanations
from jitwatch._judge.next_start import next_start
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
    Program,
    Snapshot,
    Stages,
)
from jitwatch._policy.verdict import Acknowledgement, verdict
from jitwatch._record.sums import lost_s, program_count
from jitwatch._report.memory import bytes_of
from jitwatch._report.recording.bill_json import json_bill
from jitwatch._report.recording.json_structs import (
    JsonAcknowledged,
    JsonBuild,
    JsonFinding,
    JsonFunction,
    JsonKey,
    JsonLine,
    JsonMiss,
    JsonPlace,
    JsonProcess,
    JsonReport,
    JsonStages,
)
from jitwatch._report.recording.next_start_json import json_next_start
from jitwatch._words.key_text import key_line
from jitwatch._words.safe_text import clean, clean_place

SCHEMA = "jitwatch-report/1"
MAX_KEY_TEXT = 400
MAX_MESSAGE = 2000
MAX_ARGUMENTS = 100
MAX_CONTEXT = 8


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
    programs = {program.id: program for program in snapshot.programs}
    kinds = [("jitted", function) for function in snapshot.functions] + [("other", each) for each in snapshot.others]
    functions = [
        _function(function, kind, misses.get(function.id, []), found.get(function.id, []), closest, programs)
        for kind, function in kinds
    ]
    return JsonReport(
        schema=SCHEMA, unix_s=snapshot.unix_s, jax_version=clean(snapshot.jax_version),
        python_version=clean(snapshot.python_version), lost_s=sum(function.lost_s for function in functions),
        processes=[_process(process) for process in processes],
        functions=sorted(functions, key=lambda function: (-function.lost_s, function.name)),
        dropped_misses=snapshot.dropped_misses, dropped_functions=snapshot.dropped_functions,
        dropped_programs=snapshot.dropped_programs, held_programs=snapshot.held_programs,
        held_code_bytes=snapshot.held_code_bytes, faults=snapshot.faults, wall_s=snapshot.wall_s,
        next_start=json_next_start(next_start(snapshot)),
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
    function: FunctionStats, kind: str, misses: list[Miss], findings: list[Finding], closest: Closest,
    programs: Mapping[str, Program],
) -> JsonFunction:  # fmt: skip
    ran = function.stages
    of_keys: dict[int | None, list[Build]] = {}
    for build in function.builds:
        of_keys.setdefault(build.key, []).append(build)
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
        keys=[
            _key(key, *bytes_of(of_keys.get(key.number, ()), programs), hits_counted=function.hits_counted)
            for key in function.keys
        ],
        builds=[_build(build, function.id, closest, *bytes_of([build], programs)) for build in function.builds],
        dropped_builds=function.dropped_builds, **_memory(*bytes_of(function.builds, programs)),
        findings=[json_finding(finding) for finding in findings],
    )  # fmt: skip


def _counts(miss: Miss) -> bool:
    return miss.stages != Stages() or miss.failed is not None


def _memory(code_bytes: int, temp_bytes: int) -> dict[str, int]:
    return {"code_bytes": code_bytes, "temp_bytes": temp_bytes}


def _build(build: Build, function: int, closest: Closest, code_bytes: int, temp_bytes: int) -> JsonBuild:
    return JsonBuild(
        first=build.first, program=clean(build.program) or None,
        equal_up_to=closest.get((function, build.first, build.program)) or None, key=build.key,
        kind=clean(build.kind), count=build.count, reused=build.reused, loaded=build.loaded, lost_s=build.lost_s,
        call_site=clean_place(build.call_site), code_bytes=code_bytes, temp_bytes=temp_bytes,
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
        reused=finding.reused, loaded=finding.loaded,
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


def _key(stats: KeyStats, code_bytes: int, temp_bytes: int, *, hits_counted: bool) -> JsonKey:
    return JsonKey(
        number=stats.number, text=_key_text(stats.key), hits=stats.hits if hits_counted else None, misses=stats.misses,
        dispatch_only=stats.dispatch_only, nested=stats.nested, failures=stats.failures, stages=_stages(stats.stages),
        executable=stats.executable, slow_path=stats.slow_path, outlived=stats.outlived, warmed=stats.warmed,
        code_bytes=code_bytes, temp_bytes=temp_bytes,
    )  # fmt: skip


def _key_text(key: CacheKey) -> str:
    return key_line(key, MAX_KEY_TEXT)


def _stages(stages: Stages) -> JsonStages:
    return JsonStages(*(getattr(stages, name) for name in JsonStages.__struct_fields__))
