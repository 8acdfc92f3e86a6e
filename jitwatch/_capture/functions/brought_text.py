"""A value that a function brings along as text: short, and different where plain content is."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jitwatch._capture.keys.static_parts import PRIMITIVES
from jitwatch._capture.keys.values import MAX_TEXT, describe

MAX_ITEMS = 2_000
MAX_DEPTH = 20
_SHOWN = 12


def text_of(value: Any) -> str:
    """One line; what is too long to be shown whole ends with a checksum of the plain values in it."""
    try:
        text = describe(value)
        return f"{text} crc {_checksum(value):08x}" if _is_cut(value, text) else text
    except Exception:  # an object that does not let itself be looked at
        return f"{type(value).__qualname__} object"


def _is_cut(value: Any, text: str) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) > MAX_TEXT
    return isinstance(value, (tuple, list, dict)) and (len(text) >= MAX_TEXT or "…" in text or _is_long(value))


def _is_long(value: Any, depth: int = 3) -> bool:
    """Whether there are more items, in it or in items of it, than are shown."""
    items = list(value.values()) if isinstance(value, dict) else value
    inner = (item for item in items[:_SHOWN] if isinstance(item, (tuple, list, dict)))
    return len(items) > _SHOWN or (depth > 0 and any(_is_long(item, depth - 1) for item in inner))


def _checksum(value: Any) -> int:
    total = 0
    for n, part in enumerate(_parts(value, MAX_DEPTH)):
        if n >= MAX_ITEMS:
            break
        total = zlib.crc32(part.encode("utf-8", "backslashreplace"), total)
    return total


def _parts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
        yield "{"
    if isinstance(value, (tuple, list)) and depth > 0:
        yield type(value).__name__
        for item in value[:MAX_ITEMS]:
            yield from _parts(item, depth - 1)
        yield ")"
    elif isinstance(value, int) and value.bit_length() >= 400:  # Python refuses to print thousands of digits
        yield hex(value)
    elif type(value) in PRIMITIVES or isinstance(value, np.generic):
        yield repr(value)
    else:
        yield describe(value) if isinstance(value, (np.ndarray, jax.Array)) else type(value).__qualname__
