"""Data files saved, found and read: whole, cut, damaged and made by somebody else."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import UNIX_S, failed_miss, function_stats, key, key_stats, leaf, snapshot, static
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from key_strategies import keys
from recording_strategies import recordings

from jitwatch import JitwatchError
from jitwatch._model import CacheKey, Process, Recording, Snapshot
from jitwatch._store import find, load, save
from jitwatch._store.lines import FORMAT
from jitwatch._store.sizes import MAX_DEPTH

PROCESS = Process("host", 7, 0, "0.10.2", "3.13.1", "cpu", UNIX_S, ("python", "train.py"))
in_tmp_path = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def recording() -> Recording:
    """Something of everything."""
    step = function_stats(
        keys=[key_stats(1, key({"x": {"w": leaf((8,))}}, statics={"n": static(3)})), key_stats(2, key({"x": leaf()}))],
        last_failure=failed_miss(number=2),
    )
    listed = (failed_miss(number=1), failed_miss(number=2))
    other = function_stats("add", id=2, defined_at="")
    return Recording((PROCESS,), snapshot(step, others=(other,), misses=listed), ())


def saved(path: Path, of: Recording | None = None) -> bytes:
    path.unlink(missing_ok=True)
    save(of or recording(), path)
    return path.read_bytes()


def problems(path: Path, data: bytes) -> list[str]:
    """What is said of a file with this content, without the file's name."""
    path.write_bytes(data)
    return [problem.removeprefix(f"{path}: ").removesuffix("; the rest is used.") for problem in load(path).problems]


def file_of(*lines: Any) -> bytes:
    """A finished file with these lines after the first ones."""
    header = [{"line": "jitwatch", "format": FORMAT}, {"line": "process", "process": msgspec.to_builtins(PROCESS)}]
    totals = {"line": "totals", "unix_s": UNIX_S, "jax_version": "0.10.2", "python_version": "3.13.1", "final": True}
    texts = (line if isinstance(line, str) else json.dumps(line) for line in (*header, *lines, totals))
    return "".join(text + "\n" for text in texts).encode()


@given(recordings(1))
@in_tmp_path
def test_load_is_the_opposite_of_save(tmp_path: Path, of: Recording) -> None:
    saved(tmp_path / "f", of)

    assert load(tmp_path / "f") == Recording(of.processes, of.snapshot, ())


def test_wall_time_comes_back_also_of_a_run_that_was_cut_off(tmp_path: Path) -> None:
    late = failed_miss(function=1, unix_s=UNIX_S + 5)
    data = saved(tmp_path / "f", Recording((PROCESS,), snapshot(function_stats(), misses=(late,), wall_s=60.0), ()))

    whole = load(tmp_path / "f").snapshot.wall_s
    (tmp_path / "f").write_bytes(data.replace(b',"final":true', b""))

    assert (whole, load(tmp_path / "f").snapshot.wall_s) == (60.0, 65.0)


@given(st.lists(keys(), max_size=4, unique=True))
@in_tmp_path
def test_keys_come_back(tmp_path: Path, found: list[CacheKey]) -> None:
    function = function_stats(keys=[key_stats(number, one) for number, one in enumerate(found, 1)])
    saved(tmp_path / "f", Recording((PROCESS,), snapshot(function), ()))

    assert load(tmp_path / "f").snapshot.functions == (function,)


def test_a_file_cut_at_any_byte_loads_its_whole_lines(tmp_path: Path) -> None:
    data = saved(tmp_path / "f")
    ends = [position for position, byte in enumerate(data) if byte == ord("\n")]
    loaded: dict[int, Snapshot] = {}
    for end in ends:
        (tmp_path / "f").write_bytes(data[: end + 1])
        loaded[end] = load(tmp_path / "f").snapshot
        misses = [line for line in data[:end].split(b"\n") if line.startswith(b'{"line":"miss"')]
        assert len(loaded[end].misses) == len(misses)

    for size in range(ends[0], len(data)):
        (tmp_path / "f").write_bytes(data[:size])
        whole = max(end for end in ends if end <= size)
        assert load(tmp_path / "f").snapshot == loaded[whole]


def test_a_file_cut_in_its_first_line_is_refused(tmp_path: Path) -> None:
    data = saved(tmp_path / "f")

    for size in range(data.index(b"\n")):
        (tmp_path / "f").write_bytes(data[:size])
        with pytest.raises(JitwatchError):
            load(tmp_path / "f")


@given(st.data())
@in_tmp_path
def test_flipped_bytes_do_no_harm(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(saved(tmp_path / "f"))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "f").write_bytes(content)

    result = load(tmp_path / "f")

    assert len(result.snapshot.misses) <= 2


@given(st.binary(max_size=200))
@in_tmp_path
def test_garbage_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)

    with pytest.raises(JitwatchError, match=r"is empty|is no data file of jitwatch"):
        load(tmp_path / "f")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty; name a file that `jitwatch run` wrote"),
        (b"\n", "is no data file of jitwatch; name a file that `jitwatch run` wrote"),
        (b'{"schema": "jitwatch-report"}\n', "is no data file of jitwatch"),
        (b"[" * 100_000, "is no data file of jitwatch"),
        (b'{"line":"jitwatch","format":3,"new":[]}\n{}\n', "has data format 3, and this jitwatch reads up to 2"),
    ],
)
def test_files_of_others_and_of_later_versions_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "f").write_bytes(data)

    with pytest.raises(JitwatchError, match=message):
        load(tmp_path / "f")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for name, message in (("absent", "does not exist"), (".", "is a folder"), ("pipe", "is no regular file")):
        with pytest.raises(JitwatchError, match=message):
            load(tmp_path / name)


FUNCTION = {
    "line": "function", "id": 1, "name": "f", "qualname": "f", "defined_at": "", "options": [],
    "hits_counted": True, "approximate": False,
}  # fmt: skip
COUNTS = {"line": "counts", "function": {"id": 1}, "keys": [{"number": 1, "hits": 3, "misses": 2}]}
TREE = {"line": "tree", "id": 1, "kind": "*"}
ARGUMENT = {"line": "argument", "id": 1, "name": "x", "by_keyword": False, "tree": 1, "paths": ["x"]}
LEAVES = {"line": "leaves", "id": 1, "leaves": []}
KEY = {"line": "key", "function": 1, "number": 1}
MISS = {"line": "miss", "miss": msgspec.to_builtins(failed_miss())}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "t", "text": "", "token": 1, "by_identity": False}
    return value if depth == 0 else {**value, "parts": [["", nested(depth - 1)]]}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([""], []),
        (["{"], ["1 line is damaged"]),
        (["{", "\x00", "[]", '{"line": "new"}'], ["4 lines are damaged"]),
        ([{**FUNCTION, "id": -1}], ["1 line is damaged"]),
        ([{**FUNCTION, "id": 10**30}], ["1 line is damaged"]),
        ([{**FUNCTION, "name": None}], ["1 line is damaged"]),
        ([{**COUNTS, "function": {"id": 1, "stages": {"trace_s": float("nan")}}}], ["1 line is damaged"]),
        ([{**COUNTS, "function": {"id": 1, "stages": {"trace_s": float("inf")}}}], ["1 line is damaged"]),
        ([{**COUNTS, "function": {"id": 1, "stages": {"trace_s": 1e300}}}], ["1 line is damaged"]),
        (['{"line":"tree","id":1,"kind":"*","static":' + '{"parts":[["",' * 50_000], ["1 line is damaged"]),
        ([COUNTS], ["1 line refers to something that is not described"]),
        ([FUNCTION, COUNTS], ["1 line refers to something that is not described"]),
        ([ARGUMENT], ["1 line refers to something that is not described"]),
        ([{**TREE, "children": [1]}], ["1 line refers to something that is not described"]),
        ([{**KEY, "arguments": [1]}, {**KEY, "leaves": [1]}], ["2 lines refer to something that is not described"]),
        ([FUNCTION, KEY, COUNTS, FUNCTION, KEY, COUNTS, TREE, TREE, ARGUMENT, ARGUMENT, LEAVES, LEAVES], []),
        ([FUNCTION, {**FUNCTION, "name": "g"}], ["1 line contradicts an earlier one"]),
        ([TREE, {**TREE, "kind": "g"}, ARGUMENT, {**ARGUMENT, "name": "g"}], ["2 lines contradict earlier ones"]),
        ([MISS, MISS, {"line": "miss", "miss": {**MISS["miss"], "thread": 2}}], ["1 line contradicts an earlier one"]),
        ([LEAVES, {**LEAVES, "leaves": [msgspec.to_builtins(leaf())]}], ["1 line contradicts an earlier one"]),
        ([{**TREE, "static": nested(60)}], ["1 key is too deep or too large"]),
        ([{**KEY, "statics": [{"name": "n", "by_keyword": False, "value": nested(60)}]}],
         ["1 key is too deep or too large"]),
    ],
)  # fmt: skip
def test_each_kind_of_damage_is_counted_and_the_rest_is_used(
    tmp_path: Path, lines: list[Any], expected: list[str]
) -> None:
    rest = {**FUNCTION, "id": 9}, {"line": "counts", "function": {"id": 9}}

    assert problems(tmp_path / "f", file_of(*lines, *rest)) == expected
    assert [function.id for function in load(tmp_path / "f").snapshot.functions][-1] == 9


def test_a_miss_of_an_older_file_has_no_context(tmp_path: Path) -> None:
    old = {name: value for name, value in MISS["miss"].items() if name != "context"}
    (tmp_path / "f").write_bytes(file_of(FUNCTION, {**MISS, "miss": old}))

    result = load(tmp_path / "f")

    assert (result.problems, [miss.context for miss in result.snapshot.misses]) == ((), [()])


def test_a_key_that_is_not_described_still_counts(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(file_of(FUNCTION, COUNTS))

    (function,) = load(tmp_path / "f").snapshot.functions

    assert (function.hits, function.keys, function.dropped_keys) == (3, (), 2)


def test_a_pytree_of_endless_depth_or_size_is_left_out(tmp_path: Path) -> None:
    deep = [{**TREE, "id": number, "children": [number - 1]} for number in range(2, 2 * MAX_DEPTH)]
    wide = [{**TREE, "id": number, "children": [number - 1] * 8} for number in range(2, 100)]

    assert "too deep or too large" in problems(tmp_path / "f", file_of(TREE, *deep))[-1]
    assert "too deep or too large" in problems(tmp_path / "f", file_of(TREE, *wide))[-1]


def test_a_damaged_first_line_is_said_and_the_rest_used(tmp_path: Path) -> None:
    data = saved(tmp_path / "f")

    assert problems(tmp_path / "f", b"x" + data) == ["the first line is damaged"]
    assert problems(tmp_path / "f", data[data.index(b"\n") + 1 :]) == ["the first line is damaged"]
    assert load(tmp_path / "f").snapshot == recording().snapshot


def test_a_line_without_end_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitwatch._store.reader.MAX_LINE", 1000)

    assert problems(tmp_path / "f", file_of("x" * 5000, FUNCTION, COUNTS)) == [
        "1 line is damaged",
        "1 line refers to something that is not described",
    ]


def test_megabyte_names_and_control_characters_are_kept_as_they_are(tmp_path: Path) -> None:
    name = "\x1b[31m\x00" + "x" * 1_000_000
    saved(tmp_path / "f", Recording((PROCESS,), snapshot(function_stats(name)), ()))

    assert load(tmp_path / "f").snapshot.functions[0].name == name


def test_text_that_is_no_unicode_is_saved_with_escapes(tmp_path: Path) -> None:
    process = msgspec.structs.replace(PROCESS, argv=("caf\udce9.py",))
    saved(tmp_path / "f", Recording((process,), snapshot(), ()))

    assert load(tmp_path / "f").processes[0].argv == ("caf\\udce9.py",)


def test_several_processes_come_back_side_by_side(tmp_path: Path) -> None:
    processes = (PROCESS, msgspec.structs.replace(PROCESS, pid=8))
    saved(tmp_path / "f", Recording(processes, snapshot(), ()))

    assert load(tmp_path / "f").processes == processes


def test_save_never_overwrites(tmp_path: Path) -> None:
    data = saved(tmp_path / "f")

    with pytest.raises(JitwatchError, match="exists; remove it or give another name"):
        save(recording(), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == data


def test_save_says_why_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(JitwatchError, match="cannot be written: No such file or directory"):
        save(recording(), tmp_path / "absent" / "f")


def test_save_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    def open_full(path: Path, _: str) -> Full:
        path.touch()
        return Full()

    monkeypatch.setattr("jitwatch._store.files.open", open_full, raising=False)

    with pytest.raises(JitwatchError, match="cannot be written: No space left on device"):
        save(recording(), tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> list[bytes]:
        raise OSError(5, "Input/output error")

    saved(tmp_path / "f")
    monkeypatch.setattr("jitwatch._store.reader._lines", fail)

    with pytest.raises(JitwatchError, match="cannot be read: Input/output error"):
        load(tmp_path / "f")


def test_find_takes_files_as_given_and_folders_for_their_data_files(tmp_path: Path) -> None:
    for name in (".jitwatch", ".jitwatch.host.1.a", ".jitwatchX", "other"):
        (tmp_path / name).touch()
    (tmp_path / ".jitwatch.folder").mkdir()

    found = find([tmp_path / "other", tmp_path, tmp_path / ".jitwatch"])

    assert [path.name for path in found] == ["other", ".jitwatch", ".jitwatch.host.1.a"]


def test_find_defaults_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITWATCH_FILE", raising=False)
    with pytest.raises(JitwatchError, match=r"no data file \.jitwatch here; make one with `jitwatch run SCRIPT`"):
        find()
    (tmp_path / ".jitwatch.host.1.a").touch()
    (tmp_path / "mine.host.2.b").touch()

    assert find() == [Path(".jitwatch.host.1.a")]
    monkeypatch.setenv("JITWATCH_FILE", "mine")
    assert find() == [Path("mine.host.2.b")]
    monkeypatch.setenv("JITWATCH_FILE", str(tmp_path / "absent" / "f"))
    with pytest.raises(JitwatchError, match="no data file"):
        find()


def test_find_says_that_a_folder_has_none(tmp_path: Path) -> None:
    with pytest.raises(JitwatchError, match=r"no file \.jitwatch or \.jitwatch\.\* in the folder"):
        find([tmp_path])
