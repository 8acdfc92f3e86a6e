"""What the persistent cache would save at the next start, or saved, from the programs of a run."""

from __future__ import annotations

from typing import Any

import msgspec
from builders import build, failed_miss, function_stats, program, snapshot

from jitwatch._judge.next_start import next_start, repeated_s
from jitwatch._model import Miss, Snapshot, Stages
from jitwatch._report.parts.printing import printed
from jitwatch._report.recording.next_start_text import next_start_block


def run(*compiled: tuple[str, float], misses: tuple[Miss, ...] = (), **stages: Any) -> Snapshot:
    """One function that was given these programs, with the seconds of XLA in each."""
    builds = tuple(build(number, name, compile_s=seconds) for number, (name, seconds) in enumerate(compiled, 1))
    ran = Stages(compiles=len(compiled), compile_s=sum(seconds for _, seconds in compiled), **stages)
    known = tuple(program(id=name, size_bytes=1000) for name, _ in dict(compiled).items())
    return snapshot(function_stats(stages=ran, builds=builds), programs=known, misses=misses)


def missed(persistent: str, seconds: float) -> Miss:
    ran = Stages(compiles=1, compile_s=seconds)
    return msgspec.structs.replace(failed_miss(failed=None), persistent=persistent, stages=ran)


def text(data: Snapshot) -> str:
    return printed(next_start_block(next_start(data)), color=False, columns=120)


def test_each_minimum_serves_what_took_as_long() -> None:
    found = next_start(run(("a", 8.0), ("b", 0.5), ("c", 0.01)))

    assert [(one.min_compile_s, one.programs, one.saved_s) for one in found.served] == [
        (1.0, 1, 8.0), (0.1, 2, 8.5), (0.0, 3, 8.51),
    ]  # fmt: skip
    assert [one.module_bytes for one in found.served] == [1000, 2000, 3000]


def test_the_highest_minimum_that_surely_leaves_nothing_to_compile_is_advised() -> None:
    assert next_start(run(("a", 8.0), ("b", 2.0))).advised_s == 1.0
    assert next_start(run(("a", 8.0), ("b", 1.9))).advised_s == 0.1
    assert next_start(run(("a", 8.0), ("b", 0.5), ("c", 0.01))).advised_s == 0.0
    assert next_start(run()).advised_s == 0.0


def test_a_program_that_was_compiled_again_and_again_is_stored_once_and_loaded_each_time() -> None:
    (default, *_) = next_start(run(*[("a", 2.0)] * 5)).served

    assert (default.programs, default.saved_s) == (1, 10.0)


def test_programs_that_call_back_are_left_aside() -> None:
    found = next_start(run(("a", 2.0), ("b~", 4.0), ("c~0123456789ab", 4.0)))

    assert found.best.saved_s == 2.0 and found.calling_back == 2
    assert "2 programs with calls back into Python left aside" in text(run(("a", 2.0), ("b~", 4.0), ("c~", 4.0)))


def test_with_the_cache_on_it_says_what_was_kept_and_what_not() -> None:
    quick = "not stored: the compilation took 0.5 s, and jax_persistent_cache_min_compile_time_secs is 1"
    misses = (
        missed("new entry", 8.0),
        missed(quick, 0.5),
        missed("not stored: the program calls back into Python", 2.0),
    )
    said = text(run(("a", 8.0), ("b", 0.5), ("c~", 2.0), misses=misses, loads=3, load_s=0.25))

    assert "8.0 s of 10.5 s of compiling went into the persistent cache" in said
    assert "This run loaded 3 programs in 250 ms." in said
    assert "It did not keep 1 program, 500 ms: compiled quicker than the minimum." in said
    assert said.count("\n    step") == 2  # the names below each
    assert "It did not keep 1 program, 2.0 s: the program calls back into Python." in said


def test_little_is_not_worth_a_word() -> None:
    assert text(run(("a", 0.2))) == "" and text(snapshot()) == ""


def test_settings_are_those_that_serve() -> None:
    assert "set: JAX_COMPILATION_CACHE_DIR=/a/folder\n" in text(run(("a", 8.0))) + "\n"
    lower = text(run(*((f"b{i}", 0.5) for i in range(20))))
    assert "set: JAX_COMPILATION_CACHE_DIR=/a/folder JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.1" in lower


def test_what_repeats_the_run_before_is_told_by_its_programs() -> None:
    before, now = run(("a", 2.0), ("b~", 1.0)), run(("a", 3.0), ("b~", 1.0), ("c", 5.0))

    assert repeated_s(now, before) == 3.0
    assert repeated_s(now, snapshot()) == 0.0
