"""The JSON report: its schema is what the code makes, and whatever is reported is valid by it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from builders import build, failed_miss, function_stats, key_stats, other, program, snapshot

from jitwatch._model import Process, Snapshot
from jitwatch._report.recording.as_json import SCHEMA, render, schema
from jitwatch._report.recording.json_structs import JsonReport

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "report.schema.json"


def everything() -> Snapshot:
    functions = (
        function_stats(
            keys=[key_stats(1), key_stats(2, executable=None, slow_path=True)],
            last_failure=failed_miss(),
            builds=(build(1), build(2, "program 2", key=2), build(0, "", key=None)),
        ),
        function_stats("uncounted", id=2, keys=[key_stats()], hits_counted=False, options=(("donate_argnums", "0"),)),
        function_stats("weird \x1b[31m\n" + "x" * 1000, id=3, defined_at="/a\n/b.py:3"),
    )
    return snapshot(
        *functions,
        others=(other(place="train.py:12"),),
        misses=(failed_miss(context=(("step", "3"),)), failed_miss(number=2, program="program 2")),
        programs=(program(1), program(2, same_up_to="constants", of=program(1))),
    )


PROCESS = Process("host", 7, None, "0.10.2", "3.13.1", "", 1.0, ("python", "train.py"))


@pytest.mark.parametrize("data", [snapshot(), everything()], ids=["empty", "everything"])
def test_report_is_valid_by_the_schema_with_no_unknown_field(data: Snapshot) -> None:
    report = json.loads(render(data, [PROCESS]))

    closed = msgspec.convert(report, JsonReport, strict=True)
    assert msgspec.to_builtins(closed) == report
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(report, json.loads(SCHEMA_FILE.read_text()))


def test_the_check_by_the_schema_can_fail() -> None:
    report = json.loads(render(everything()))
    report["functions"][0]["traces"] = "three"

    with pytest.raises(msgspec.ValidationError, match="traces"):
        msgspec.convert(report, JsonReport, strict=True)


def test_schema_file_is_fresh(request: pytest.FixtureRequest) -> None:
    text = json.dumps(schema(), indent=1) + "\n"
    if request.config.getoption("--update-golden"):
        SCHEMA_FILE.write_text(text)

    assert SCHEMA_FILE.read_text() == text


def test_every_field_of_the_schema_is_in_the_docs() -> None:
    text = (SCHEMA_FILE.parent / "json.md").read_text()

    fields = {name for definition in schema()["$defs"].values() for name in definition["properties"]}
    assert [name for name in sorted(fields) if f"`{name}`" not in text] == []
    assert SCHEMA in text
