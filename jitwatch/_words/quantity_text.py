"""Numbers as people read them: durations, counts with their noun, shares. Pure, no layout."""

from __future__ import annotations

import math

UNKNOWN = "?"


def seconds_text(seconds: float) -> str:
    """Say a duration with two or three telling digits: `81 ms`, `2.3 s`, `1 min 12 s`."""
    if not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    if seconds == 0:
        return "0 s"
    if seconds < 0.0009995:
        return f"{max(round(seconds * 1e6), 1)} µs"
    if seconds < 0.00995:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return _minutes_text(round(seconds))


def _minutes_text(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def bytes_text(size: int) -> str:
    """Say a size: `812 B`, `12.3 kB`, `4.0 MB`."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"


def count_text(count: int, singular: str, plural: str | None = None) -> str:
    """Say a count with its noun: `1 compile`, `1,024 calls`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def times_text(count: int) -> str:
    """Say a factor, 1,024 times, with its sign."""
    return f"\N{MULTIPLICATION SIGN}{count:,}"


def share_text(part: float, whole: float) -> str:
    """Say a share in percent, never rounded up to all or down to nothing."""
    if whole <= 0:
        return UNKNOWN
    text = f"{part / whole:.1%}"
    if text == "100.0%" and part < whole:
        return ">99.9%"
    if text == "0.0%" and part > 0:
        return "<0.1%"
    return "100%" if part == whole else "0%" if part == 0 else text
