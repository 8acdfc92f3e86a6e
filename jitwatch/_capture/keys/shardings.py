"""Shardings and meshes as text that differs exactly where JAX tells them apart."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from typing import Any

import jax

from jitwatch._capture.jax_internals import placement

MAX_DEVICES = 64
"""That are listed; of more, a checksum tells the order apart."""
MAX_TEXT = 400


@functools.lru_cache(maxsize=4096)
def sharding_text(sharding: Any) -> str:
    """A sharding as text that differs exactly where JAX tells two shardings apart."""
    kind = type(sharding).__name__
    memory = f", memory={sharding.memory_kind}" if sharding.memory_kind is not None else ""
    if isinstance(sharding, jax.sharding.SingleDeviceSharding):
        (device,) = sharding.device_set
        return f"{device}{memory}"
    if isinstance(sharding, jax.sharding.NamedSharding):
        logical = placement.logical_ids(sharding)
        order = f", logical devices {list(logical)}" if logical else ""
        return f"NamedSharding({mesh_text(sharding.mesh)}, {_whole(str(sharding.spec))}{memory}{order})"
    return f"{kind}({_whole(str(sharding))}{_devices_text(placement.devices_in_order(sharding))}{memory})"


def mesh_text(mesh: Any) -> str:
    """Axis names, sizes and types of a mesh, and its devices in order."""
    axes = ", ".join(f"{name!r}: {size}" for name, size in mesh.shape.items())
    types = getattr(mesh, "axis_types", None)
    ids = _devices_text(tuple(mesh.devices.flat)) if isinstance(mesh, jax.sharding.Mesh) else ""
    named_types = "" if not types else " " + ",".join(getattr(kind, "name", str(kind)) for kind in types)
    return f"mesh({axes}{named_types}{ids})"


def aval_sharding_text(aval: Any) -> str | None:
    """The sharding that an aval carries where its mesh has explicit axes; None for any other."""
    sharding = getattr(aval, "sharding", None)
    mesh = getattr(sharding, "mesh", None)
    if mesh is None or not mesh.shape or not placement.has_explicit_axes(mesh):
        return None
    return sharding_text(sharding)


def _devices_text(devices: Sequence[Any]) -> str:
    """Platform and numbers: numbers alone are those of devices of several platforms."""
    by_platform: dict[str, None] = dict.fromkeys(device.platform for device in devices)
    if len(by_platform) == 1:
        ids = [str(device.id) for device in devices]
    else:
        ids = [f"{device.platform}:{device.id}" for device in devices]
    shown = ", ".join(ids[:MAX_DEVICES])
    more = "" if len(ids) <= MAX_DEVICES else f", … crc {zlib.crc32(' '.join(ids).encode()):08x}"
    return f" {next(iter(by_platform), 'no')} devices [{shown}{more}]"


def _whole(text: str) -> str:
    """One line; what is cut off counts by a checksum."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… crc {zlib.crc32(text.encode()):08x}"
