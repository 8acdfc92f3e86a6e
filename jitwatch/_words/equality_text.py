"""How far two programs are the same, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_TEXTS = {
    "identical": "the same program",
    "target": "the same module, for other devices or with other compile options",
    "placement": "the same but for placement",
    "no_op": "the same but for conversions that do nothing",
    "precision": "the same but for precision",
    "constants": "the same but for constants",
    "sizes": "the same but for sizes",
    "dtype": "the same but for dtypes",
    "different": "different",
}

_SHORT = {
    "identical": "identical to an earlier one", "target": "the same for another target",
    "placement": "new only in placement", "no_op": "new only in conversions that do nothing",
    "precision": "new only in precision", "constants": "new only in constants", "sizes": "new only in sizes",
    "dtype": "new only in dtypes", "different": "different",
}  # fmt: skip


def equality_text(equality: str) -> str:
    """Say an entry of `EQUALITIES`; empty where it is not known."""
    return _TEXTS.get(equality, "")


def equalities_text(counts: Mapping[str, int]) -> str:
    """Say how many programs of a definition are new, and in what: `12 = 1 first + 11 new only in constants`.

    Args:
        counts: How many have each entry of `EQUALITIES` to the closest earlier one; "" for the first, and for those of
            which it is not known.

    Returns:
        The text; empty where it is not known of any.
    """
    known = [f"{counts[name]:,} {text}" for name, text in _SHORT.items() if counts.get(name)]
    if not known:
        return ""
    unknown = counts.get("", 0)
    others = [f"{unknown - 1:,} not compared"] if unknown > 1 else []
    return f"{sum(counts.values()):,} = {' + '.join((['1 first'] if unknown else []) + known + others)}"
