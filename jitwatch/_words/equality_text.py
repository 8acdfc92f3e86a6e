"""How far two programs are the same, in words. Pure."""

from __future__ import annotations

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


def equality_text(equality: str) -> str:
    """Say an entry of `EQUALITIES`; empty where it is not known."""
    return _TEXTS.get(equality, "")
