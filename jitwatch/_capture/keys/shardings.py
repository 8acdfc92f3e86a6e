"""Shardings and meshes as text that differs exactly where JAX tells them apart."""

from __future__ import annotations

import functools
from typing import Any

import jax

from jitwatch._capture.keys.values import describe


@functools.lru_cache(maxsize=4096)
def sharding_text(sharding: Any) -> str:
    """A sharding as text that differs exactly where JAX tells two shardings apart."""
    kind = type(sharding).__name__
    memory = f", memory={sharding.memory_kind}" if sharding.memory_kind is not None else ""
    if isinstance(sharding, jax.sharding.SingleDeviceSharding):
        (device,) = sharding.device_set
        return f"{device}{memory}"
    if isinstance(sharding, jax.sharding.NamedSharding):
        return f"NamedSharding({mesh_text(sharding.mesh)}, {sharding.spec}{memory})"
    devices = ",".join(str(device.id) for device in sorted(sharding.device_set, key=lambda device: device.id))
    return f"{kind}({describe(sharding)}, devices [{devices}]{memory})"


def mesh_text(mesh: Any) -> str:
    """Axis names, sizes and types of a mesh, and its devices in order."""
    axes = ", ".join(f"{name!r}: {size}" for name, size in mesh.shape.items())
    types = getattr(mesh, "axis_types", None)
    ids = f" devices {[device.id for device in mesh.devices.flat]}" if isinstance(mesh, jax.sharding.Mesh) else ""
    named_types = "" if not types else " " + ",".join(getattr(kind, "name", str(kind)) for kind in types)
    return f"mesh({axes}{named_types}{ids})"
