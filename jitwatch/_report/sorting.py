"""The orders in which the functions of a report can stand. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Row = TypeVar("Row")

_ORDERS: dict[str, Callable[[Any], Any]] = {
    "spent": lambda row: -row.lost_s,
    "recompiles": lambda row: -row.recompiles,
    "misses": lambda row: -row.misses,
    "name": lambda row: row.name,
}
"""By the value of the option `sort`, what rows of functions are sorted by."""


def ordered(rows: Iterable[Row], sort: str) -> list[Row]:
    """Rows of functions in this order; those that are equal in it by the seconds that they lost."""

    def key(row: Any) -> Any:
        return _ORDERS[sort](row), -row.lost_s, row.name, row.defined_at

    return sorted(rows, key=key)
