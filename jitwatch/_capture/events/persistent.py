"""Why JAX's persistent compilation cache did not answer a compilation."""

from __future__ import annotations

import functools
import os
import time

import jax

from jitwatch._capture import jax_internals
from jitwatch._model import Stages
from jitwatch._record.merge_programs import LOCAL

MIN_SECONDS = "jax_persistent_cache_min_compile_time_secs"
NOT_STORED = "not stored"
OTHER_KEY = "another key"
NEW = "new entry"
_STARTED_UNIX_S = time.time()


def is_on() -> bool:
    """Whether a compilation on this thread may be answered by the persistent cache."""
    return bool(jax.config.jax_compilation_cache_dir and jax.config.jax_enable_compilation_cache)


def outcome(name: str, stages: Stages, program: str = "") -> str:
    """What became of a program that XLA compiled: empty if the cache is off, else one of three forms.

    JAX stores what took at least `jax_persistent_cache_min_compile_time_secs`, one file for each entry, whose name
    begins with that of the program (JAX 0.6.1 to 0.12, `compilation_cache.py`).
    """
    if not is_on():
        return ""
    folder = jax.config.jax_compilation_cache_dir
    least_s = getattr(jax.config, MIN_SECONDS)
    if program.endswith(LOCAL) and not jax_internals.persistent_cache_keeps_callbacks():
        return f"{NOT_STORED}: the program calls back into Python"
    if stages.compile_s < least_s:
        return f"{NOT_STORED}: the compilation took {stages.compile_s:.3g} s, and {MIN_SECONDS} is {least_s:g}"
    if f"jit_{name}" in _programs_at_start(str(folder)):
        return f"{OTHER_KEY}: {folder} had an entry for jit_{name} before this process"
    return NEW


@functools.cache
def _programs_at_start(folder: str) -> frozenset[str]:
    """Names of the programs that had an entry in a folder before this process began to watch."""
    try:
        entries = [entry for entry in os.scandir(folder) if entry.stat().st_mtime < _STARTED_UNIX_S]
        return frozenset(entry.name.partition("-")[0] for entry in entries)
    except OSError:  # not a local folder, or not made yet
        return frozenset()
