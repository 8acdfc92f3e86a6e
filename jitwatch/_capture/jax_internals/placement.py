"""What JAX compares of shardings beyond what they show publicly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax


def devices_in_order(sharding: Any) -> Sequence[Any]:
    """The devices of a sharding in the order of its shards; sorted by number where JAX does not say their order."""
    try:
        return tuple(sharding._device_assignment)
    except (AttributeError, NotImplementedError):
        return sorted(sharding.device_set, key=lambda device: int(device.id))


def logical_ids(sharding: Any) -> Sequence[int]:
    """The order that a `NamedSharding` has besides that of its mesh; empty for most."""
    return tuple(getattr(sharding, "_logical_device_ids", None) or ())


def has_explicit_axes(mesh: Any) -> bool:
    """Whether shardings over a mesh are part of the types of arrays; False where JAX has no such axes."""
    explicit = getattr(getattr(jax.sharding, "AxisType", None), "Explicit", None)
    return explicit is not None and explicit in (getattr(mesh, "axis_types", None) or ())
