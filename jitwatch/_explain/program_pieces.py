"""What each step leaves aside in a piece of a program's text, and which operations do nothing from which step on. Pure.

A piece is what stands between two names of values. Programs are made of few different ones, so each is worked on once.
Attributes are told by their names in the StableHLO and Shardy specifications, and nothing else is: what is not known
here stays in the text, so that programs are rather called different.
"""

from __future__ import annotations

import re
from typing import NamedTuple

EXACT, PLACEMENT, NO_OP, PRECISION, CONSTANTS, SIZES, DTYPE = range(7)
STEPS = 7
MAX_KNOWN = 20_000
MAX_KNOWN_LENGTH = 2_000

Variants = tuple[str, ...]
"""A piece at each step."""

_CONSTANT = ' = "stablehlo.constant"() <{value = dense'
_CONVERT = ' = "stablehlo.convert"('
_PLACING = frozenset([' = "sdy.sharding_constraint"(', ' = "stablehlo.custom_call"('])
MAY_BE_IDLE = _PLACING | {_CONVERT}
"""Beginnings of operations that can hand their only operand on as it is."""

_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|->|[<>\[\](){},]')
_EMPTY = re.compile(r"(?:(?:arg|res)_attrs = \[(?:\{\}(?:, )?)*\]|mhlo\.frontend_attributes = \{\})(?:, )?")
_PLACEMENT = re.compile(
    r"(?<![\w.])(?:sdy\.sharding|sdy\.sharding_rule|mhlo\.sharding|in_shardings|out_shardings|manual_axes"
    r"|mhlo\.memory_kind|mhlo\.layout_mode|mhlo\.num_partitions|mhlo\.num_replicas|mhlo\.jitwatch_free"
    r"|xla\.sdy\.\w+) = "
)
_MESH = re.compile(r'^ *"sdy\.mesh"\(\).*\n?', re.MULTILINE)
_PRECISION = re.compile(r"(?<![\w.])(?:precision_config|algorithm|result_accuracy) = ")
_SLICE = re.compile(r"limit_indices = array<i64: ([-\d, ]+)>, start_indices = array<i64: ([-\d, ]+)>")
_SIZES = re.compile(
    r"(?<![\w.])(?:limit_indices|start_indices|extent|slice_sizes|edge_padding_low|edge_padding_high"
    r"|window_dimensions|padding|k) = "
)
_BOUNDS = re.compile(r"#stablehlo\.bounds<[^>]*>")
_DIMENSIONS = re.compile(r"(?<=tensor<)(?:(?:\d+|\?)x)+")
_ELEMENT = re.compile(r"(?<=[<x])(?:bf|tf|ui|f|i)(?!1[>,])\d+\w*(?=[>,])")
_COMPARISON = re.compile(r"compare_type = #stablehlo<comparison_type (?:FLOAT|SIGNED|UNSIGNED)>(?:, )?")

_TYPE = r"(tensor<(?:[^<>]|<[^<>]*>)*>)"
_CONVERTS = re.compile(rf"(#\d+|)\) : \({_TYPE}\) -> {_TYPE}(?=\n)")
_PLACES = re.compile(rf"(#\d+|)\) ([^\n]*) : \({_TYPE}\) -> {_TYPE}(?=\n)")
_PLACING_TARGETS = ('call_target_name = "Sharding"', 'call_target_name = "annotate_device_placement"')

_known: dict[str, Variants] = {}


class Idle(NamedTuple):
    """An operation that does nothing, as its result is its operand."""

    step: int
    """From which on it does nothing."""
    part: str
    """Which result of the operation that made it the operand is, such as `#1`."""
    rest: str
    """What follows it."""


def variants(piece: str) -> Variants:
    """A piece of text at each step; the same object where a step changes nothing."""
    if "<" not in piece and "{" not in piece:
        return (piece,) * STEPS
    known = _known.get(piece)
    if known is None:
        known = _constant(piece) if piece.startswith(_CONSTANT) else _variants(piece)
        if len(piece) <= MAX_KNOWN_LENGTH:
            if len(_known) >= MAX_KNOWN:
                _known.clear()
            _known[piece] = known
    return known


def idle(begin: str, end: str) -> Idle | None:
    """Whether an operation whose text stands before and after its only operand does nothing from some step on."""
    if begin == _CONVERT:
        found = _CONVERTS.match(end)
        if found is None:
            return None
        part, before, after = found.groups()
        if before == after:
            return Idle(NO_OP, part, end[found.end() :])
        alike = variants(before)[DTYPE] == variants(after)[DTYPE]
        return Idle(DTYPE, part, end[found.end() :]) if alike else None
    found = _PLACES.match(end)
    if found is None or found.group(3) != found.group(4):
        return None
    places = "sdy" in begin or any(target in found.group(2) for target in _PLACING_TARGETS)
    return Idle(PLACEMENT, found.group(1), end[found.end() :]) if places else None


def _constant(piece: str) -> Variants:
    """The variants of a constant's text, which is new in most programs, by those of its type."""
    end = piece.find("> : ")
    rest = variants(piece[end:])
    whole = tuple(piece[:end] + rest[step] for step in range(CONSTANTS))
    return (*whole, *(f"{_CONSTANT}<{rest[step]}" for step in range(CONSTANTS, STEPS)))


def _variants(piece: str) -> Variants:
    exact = _without_empty(piece) if "_attrs = [" in piece else piece
    if "{" in piece:
        placed = _without_empty(_without(_MESH.sub("", exact), _PLACEMENT)) if _may_place(piece) else exact
        precise = _without_empty(_without(placed, _PRECISION))
        constant = _SLICE.sub(_extents, precise)
        sized = _without_empty(_without(constant, _SIZES))
    else:
        placed = precise = constant = sized = exact
    sized = _DIMENSIONS.sub(_rank, _BOUNDS.sub("", sized))
    typed = _ELEMENT.sub("T", _COMPARISON.sub("", sized))
    return exact, placed, placed, precise, constant, sized, typed


def _may_place(piece: str) -> bool:
    return "shard" in piece or "mhlo." in piece or "sdy" in piece


def _rank(dimensions: re.Match[str]) -> str:
    return "Dx" * dimensions.group().count("x")


def _extents(bounds: re.Match[str]) -> str:
    """How far a slice reaches in each dimension, without where it begins."""
    limits, starts = (group.split(", ") for group in bounds.groups())
    reach = (int(limit) - int(start) for limit, start in zip(limits, starts, strict=True))
    return f"extent = array<i64: {', '.join(map(str, reach))}>"


def _without(text: str, names: re.Pattern[str]) -> str:
    """A text without the attributes of these names."""
    parts, at = [], 0
    for name in names.finditer(text):
        if name.start() >= at:
            parts.append(text[at : name.start()])
            end = _end_of_value(text, name.end())
            at = end + 2 if text.startswith(", ", end) else end
    if not parts:
        return text
    return "".join([*parts, text[at:]]).replace(", }", "}")


def _end_of_value(text: str, start: int) -> int:
    """Where the value of an attribute ends: at the comma or the bracket after it."""
    depth = 0
    for found in _STRUCTURE.finditer(text, start):
        mark = found.group()
        if mark in "<[({":
            depth += 1
        elif depth == 0 and mark in ">])},":
            return found.start()
        elif mark in ">])}":
            depth -= 1
    return len(text)


def _without_empty(text: str) -> str:
    """A text without what is left of attributes that are gone."""
    text = _EMPTY.sub("", text).replace(", }", "}")
    return text.replace(" <{}>", "").replace(" {} :", " :") if "{}" in text else text
