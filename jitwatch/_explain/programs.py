"""Compares two programs by their StableHLO text: how much has to be left aside for them to be the same.

The text is MLIR's generic form, in which every operation and attribute looks alike and has the name that the StableHLO
specification gives it. Each step leaves aside what the steps before it do, and one thing more. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jitwatch._explain.program_pieces import MAY_BE_IDLE, STEPS, Idle, idle, variants
from jitwatch._model import EQUALITIES, Program

DIGEST_CHARACTERS = 20

_VALUE = re.compile(r"%(\w+)")
_SYMBOL = re.compile(r'@("[^"]*"|[\w.$-]+)')
_SYMBOL_NAME = re.compile(r'sym_name = "([^"]*)"')
_RESULT_INFO = re.compile(r'jax\.result_info = "(?:[^"\\]|\\.)*"(?:, )?')
_FUNCTION = '\n  "func.func"()'
_END = "\n})"


def equal_up_to(one: Program, other: Program) -> str:
    """What has to be left aside for two programs to be the same: an entry of `EQUALITIES`; "" where it is not known.

    Equal texts prove nothing where a program is not comparable: that of a host callback does not say which function it
    calls. Then only fingerprints count, and a difference that no step takes away.
    """
    if one.id and one.id == other.id:
        return "identical"
    if len(one.steps) != STEPS or len(other.steps) != STEPS:
        return ""
    same = [ours == theirs for ours, theirs in zip(one.steps, other.steps, strict=True)]
    if not same[-1]:
        return "different"
    if not (one.comparable and other.comparable):
        return ""
    if same[0]:
        return "identical" if one.target == other.target else "target"
    return EQUALITIES[1 + same.index(True)]


def steps_of(text: str) -> tuple[str, ...]:
    """Digests of a program's text as it is, and after each step from `placement` to `dtype` of `EQUALITIES`.

    Never part of the text: names of values and functions, the order of private functions, and the keys of the output
    (`jax.result_info`). Texts that are equal at one step are equal at every later one.

    Args:
        text: A module in MLIR's generic form, without locations.

    Cost:
        docs/programs.md has the figures.
    """
    digests = [hashlib.sha256() for _ in range(STEPS)]
    for part in parts_of(text):
        for digest, normalised in zip(digests, _at_each_step(part), strict=True):
            digest.update(normalised)
    return tuple(digest.hexdigest()[:DIGEST_CHARACTERS] for digest in digests)


def parts_of(text: str) -> Iterator[str]:
    """The functions of a module from `main` on, in order of use, and then the rest; symbols have numbers for names."""
    text = _RESULT_INFO.sub("", text)
    end = text.rfind(_END)
    end = len(text) if end < 0 else end
    begin, *functions = text[:end].split(_FUNCTION)
    named: dict[str, str] = {}
    for number, function in enumerate(functions):
        found = _SYMBOL_NAME.search(function)
        named[found.group(1) if found else f"\n{number}"] = function
    order = _in_order_of_use(named)
    numbers = {name: number for number, name in enumerate(order)}
    declared = named.keys() | set(_SYMBOL_NAME.findall(begin))

    def renamed(match: re.Match[str]) -> str:
        name = match.group(1).strip('"')
        return f"@{numbers.setdefault(name, len(numbers))}" if name in declared else match.group(0)

    for name in order:
        function = _SYMBOL_NAME.sub("", named[name], count=1)
        yield f"@{numbers[name]}{_SYMBOL.sub(renamed, function)}\n"
    meshes = _SYMBOL_NAME.sub(r"@\1", begin.partition("\n")[2])
    yield "".join(sorted(f"{mesh}\n" for mesh in _SYMBOL.sub(renamed, meshes).splitlines())) + text[end:]


def _in_order_of_use(functions: Mapping[str, str]) -> list[str]:
    """Names of functions from `main` on, each before those that it calls; those that nothing calls come last."""
    seen: dict[str, None] = {}
    for root in ("main", *functions):
        waiting = [root]
        while waiting:
            name = waiting.pop()
            if name in functions and name not in seen:
                seen[name] = None
                waiting += [called.strip('"') for called in reversed(_SYMBOL.findall(functions[name]))]
    return list(seen)


class _Pieces(NamedTuple):
    """A text cut at the names of values."""

    between: list[str]
    """One more than there are names."""
    values: list[str]


def _at_each_step(text: str) -> Iterator[bytes]:
    """A part of a module at each step: which values its operations use, and what stands between them."""
    cut = _VALUE.split(text)
    whole = current = _Pieces(cut[::2], cut[1::2])
    table = {piece: variants(piece) for piece in set(whole.between)}
    dropped = _idle_operations(whole)
    changes = {operation.step for operation in dropped.values()}
    values, between = _numbered(whole.values), b""
    for step in range(STEPS):
        if step in changes:
            current = _without(whole, {at: each for at, each in dropped.items() if each.step <= step})
            table.update((piece, variants(piece)) for piece in set(current.between) if piece not in table)
            values = _numbered(current.values)
        if step == 0 or step in changes or any(each[step] != each[step - 1] for each in table.values()):
            now = {piece: each[step] for piece, each in table.items()}
            between = "\0".join(map(now.__getitem__, current.between)).encode("utf-8", "surrogatepass")
        yield values + between


def _numbered(values: Sequence[str]) -> bytes:
    """A digest of the values in use, which have numbers for names."""
    numbers = {value: f"{number} " for number, value in enumerate(dict.fromkeys(values))}
    return hashlib.sha256("".join(map(numbers.__getitem__, values)).encode()).digest()


def _idle_operations(pieces: _Pieces) -> dict[int, Idle]:
    """Operations that do nothing from some step on, by the position of their result among the values."""
    found = {}
    for at, piece in enumerate(pieces.between[1:-1]):
        if piece in MAY_BE_IDLE:
            operation = idle(piece, pieces.between[at + 2])
            if operation is not None:
                found[at] = operation
    return found


def _without(pieces: _Pieces, dropped: Mapping[int, Idle]) -> _Pieces:
    """The pieces without some operations, whose operands stand for their results."""
    between, values = [pieces.between[0]], []
    stands_for: dict[str, tuple[str, str]] = {}
    at, end = 0, len(pieces.values)
    while at < end:
        value, following = pieces.values[at], pieces.between[at + 1]
        if at in dropped:
            operand, part = stands_for.get(pieces.values[at + 1], (pieces.values[at + 1], ""))
            stands_for[value] = operand, part or dropped[at].part
            between[-1] = between[-1].rstrip() + dropped[at].rest
            at += 2
            continue
        if following.startswith((" = ", ":")):  # a definition: names come again in regions beside each other
            stands_for.pop(value, None)
        value, part = stands_for.get(value, (value, ""))
        values.append(value)
        between.append(part + following)
        at += 1
    return _Pieces(between, values)
