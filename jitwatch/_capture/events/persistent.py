"""Why JAX's persistent compilation cache did not answer a compilation."""

from __future__ import annotations

import functools
import os
from time import time

import jax

from jitwatch._capture import jax_internals
from jitwatch._model import Stages
from jitwatch._record.merge_programs import LOCAL

MIN_SECONDS = "jax_persistent_cache_min_compile_time_secs"
NOT_STORED = "not stored"
OTHER_KEY = "another key"
NEW = "new entry"
MAX_ENTRIES = 4
"""Earlier entries of one name that are looked at, the latest."""
MAX_ENTRY_BYTES = 64 << 20
_STARTED_UNIX_S = time()


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
    if f"jit_{name}" in _programs_at_start(str(folder)) and _was_called_alike(str(folder), f"jit_{name}"):
        return f"{OTHER_KEY}: {folder} had an entry for jit_{name} before this process"
    return NEW


@functools.cache
def _programs_at_start(folder: str) -> frozenset[str]:
    """Names of the programs that had an entry in a folder before this process began to watch."""
    return frozenset(name for written_s, _, name in _entries(folder, "jit_") if written_s < _STARTED_UNIX_S)


def _was_called_alike(folder: str, program: str) -> bool:
    """Whether an entry from before this process takes and returns what the one just written does.

    Of two entries of one name that do not, each is of other data, and both are needed.
    """
    entries = sorted((written_s, path) for written_s, path, _ in _entries(folder, f"{program}-"))
    earlier = [entry for entry in entries if entry[0] < _STARTED_UNIX_S]
    written_s, path = entries[-1] if entries else (0.0, "")
    if written_s < _STARTED_UNIX_S:  # not written, by a process that does not write
        return False
    own = _signature(path, written_s)
    return own != "" and any(_signature(path, written_s) == own for written_s, path in earlier[-MAX_ENTRIES:])


def _entries(folder: str, beginning: str) -> list[tuple[float, str, str]]:
    """The time, the path and the program's name of each entry whose file name begins so."""
    try:
        return [
            (entry.stat().st_mtime, entry.path, entry.name.partition("-")[0])
            for entry in os.scandir(folder)
            if entry.name.startswith(beginning) and not entry.name.endswith("-atime")
        ]
    except OSError:  # not a local folder, or not made yet
        return []


@functools.lru_cache(maxsize=1_000)
def _signature(path: str, _: float) -> str:
    try:
        if os.path.getsize(path) > MAX_ENTRY_BYTES:
            return ""
        with open(path, "rb") as file:
            return jax_internals.entry_signature(file.read())
    except Exception:  # gone meanwhile, not JAX's, or for other devices
        return ""
