"""The next start, as it stands in the JSON report."""

from __future__ import annotations

import msgspec

from jitwatch._judge.next_start import NextStart
from jitwatch._words.safe_text import clean


class JsonServed(msgspec.Struct, frozen=True):
    """What the persistent cache would serve with one `jax_persistent_cache_min_compile_time_secs`."""

    min_compile_s: float
    programs: int
    saved_s: float
    module_bytes: int


class JsonNotKept(msgspec.Struct, frozen=True):
    """Programs that the persistent cache did not keep, for one reason."""

    why: str
    programs: int
    compile_s: float
    functions: dict[str, int]
    """The number of programs by the function's name, the most costly first."""


class JsonNextStart(msgspec.Struct, frozen=True):
    """What the persistent cache would save at the next start, or saved."""

    compile_s: float
    """That XLA took in this run."""
    served: list[JsonServed]
    advised_s: float
    """The minimum that is advised: the highest that surely serves all programs."""
    calling_back: int
    """Programs that call back into Python, left aside."""
    cache_on: bool
    loads: int
    load_s: float
    kept_s: float
    """That XLA took for programs which the cache took while it was on."""
    not_kept: list[JsonNotKept]


def json_next_start(found: NextStart) -> JsonNextStart:
    """The same with safe text."""
    return JsonNextStart(
        compile_s=found.compile_s,
        served=[JsonServed(one.min_compile_s, one.programs, one.saved_s, one.module_bytes) for one in found.served],
        advised_s=found.advised_s, calling_back=found.calling_back, cache_on=found.cache_on, loads=found.loads,
        load_s=found.load_s, kept_s=found.kept_s,
        not_kept=[
            JsonNotKept(
                clean(one.why), one.programs, one.compile_s, {clean(name): count for name, count in one.functions}
            )
            for one in found.not_kept
        ],
    )  # fmt: skip
