"""Counts what XLA really compiles, outside jitwatch and outside JAX's Python: at the backend's own method."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import cache_key
from jax._src.interpreters import mlir
from jax._src.lib.mlir import ir

from jitwatch import watched_jit

X = np.linspace(0.0, 1.0, 7, dtype=np.float32)


class Run(NamedTuple):
    """One program that XLA compiled."""

    name: str
    identity: tuple[Any, ...]
    """JAX's persistent-cache key, the devices and the backend; unique for a program that calls back into Python."""


_open: list[list[Run]] = []


@contextmanager
def xla_runs() -> Iterator[list[Run]]:
    """What XLA compiles while the block runs, on all threads."""
    _count_at_the_backend()
    runs: list[Run] = []
    _open.append(runs)
    try:
        yield runs
    finally:
        _open.remove(runs)


def _run(backend: Any, module: Any, devices: Any, options: Any, callbacks: Any) -> Run:
    if isinstance(module, (bytes, str)):  # as JAX 0.6 hands it over
        with mlir.make_ir_context():
            return _run(backend, ir.Module.parse(module), devices, options, callbacks)
    listed = tuple(devices)
    key = cache_key.get(module, np.array(listed, dtype=object), options, backend)
    alone = object() if callbacks or b"InspectSharding" in cache_key._canonicalize_ir(module, _ALL) else None
    return Run(key.rpartition("-")[0], (key, tuple(device.id for device in listed), id(backend), alone))


_ALL: Any = getattr(getattr(cache_key, "IgnoreCallbacks", None), "NO", False)


def _count_at_the_backend() -> None:
    kind = type(jax.devices()[0].client)
    if getattr(kind, "counted_by_tests", False):
        return
    kind.counted_by_tests = True
    for name in ("compile", "compile_and_load"):
        original = getattr(kind, name, None)
        if original is None:
            continue

        def counting(self: Any, module: Any, *args: Any, original: Any = original, **kwargs: Any) -> Any:
            for runs in tuple(_open):
                devices, options = kwargs["executable_devices"], kwargs["compile_options"]
                runs.append(_run(self, module, devices, options, kwargs.get("host_callbacks")))
            return original(self, module, *args, **kwargs)

        setattr(kind, name, counting)


def named(runs: list[Run], name: str) -> int:
    """How many of them are of this name."""
    return sum(run.name == f"jit_{name}" for run in runs)


def made_anew(**options: Any) -> Any:
    """A jitted function like all others of this one."""

    def step(x):
        return jnp.sin(x) * 3

    return watched_jit(step, **options)
