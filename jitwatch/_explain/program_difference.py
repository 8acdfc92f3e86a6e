"""Says in what two programs differ: constants, sizes, dtypes, or the first operation that is another one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import NamedTuple

import msgspec

from jitwatch._explain.located_text import LocatedText
from jitwatch._explain.program_pieces import MAY_BE_IDLE, idle, variants
from jitwatch._explain.programs import equal_up_to, steps_of
from jitwatch._model import EQUALITIES, Program

MAX_CONSTANTS = 20
_NEAR = 1_000
"""Operations among which the first use of a constant is looked for."""
_CONSTANT = re.compile(r'= "stablehlo\.constant"\(\) <\{value = dense(?:_resource)?<(.*)> : (tensor<.*>)\}>')
_STARTS = re.compile(r"start_indices = array<i64: ([-\d, ]+)>")
_OPERATION = re.compile(r'^\s*(?:%[\w:, %]+ = )?"([\w.]+)"')
_VALUE = re.compile(r"%(\w+)")
_TENSOR = re.compile(r"tensor<((?:(?:\d+|\?)x)*)([\w]+)(?:<[^<>]*>)?>")
_FLOAT = re.compile(r"-?\d+\.\d+[eE][+-]\d+")


class Described(NamedTuple):
    """A program with its text."""

    program: Program
    text: LocatedText


def described(program: Program, text: str, suffix: str) -> Described:
    """A program that was kept, with its text and what comparing it takes.

    Args:
        program: Whose text it is.
        text: The module, with locations.
        suffix: What jitwatch adds to the module's text, as it is part of the program.
    """
    located = LocatedText(text, suffix)
    return Described(msgspec.structs.replace(program, steps=steps_of(located.plain)), located)


class Changed(msgspec.Struct, frozen=True):
    """A constant or an argument that is another one."""

    where: str
    """The author's line of a constant, the name of an argument."""
    before: str
    after: str


class Operation(msgspec.Struct, frozen=True):
    """One operation of a program."""

    text: str
    """As in `stablehlo.tanh f32[4,300]`; empty where the program has ended."""
    place: str
    """The author's line; empty where it is not known."""


class Difference(msgspec.Struct, frozen=True):
    """In what two programs differ."""

    equality: str
    """As in `EQUALITIES`; empty where the texts cannot tell."""
    constants: tuple[Changed, ...] = ()
    arguments: tuple[Changed, ...] = ()
    """With another size or dtype."""
    first: tuple[Operation, Operation] | None = None
    """The first operation that differs, in both, where all that is left aside does not explain it."""


def difference(before: Described, after: Described) -> Difference:
    """Compare two programs, and name what differs."""
    one, other = (msgspec.structs.replace(each.program, steps=steps_of(each.text.plain)) for each in (before, after))
    equality = equal_up_to(one, other)
    if equality in ("identical", "target", ""):
        return Difference(equality)
    level = EQUALITIES.index(equality) - 2  # the last step at which they still differ
    left, right = _Operations(before.text, level), _Operations(after.text, level)
    if equality == "constants":
        return Difference(equality, constants=tuple(islice(_constants(left, right), MAX_CONSTANTS)))
    arguments = tuple(_arguments(before.text, after.text))
    if equality in ("sizes", "dtype") and arguments:
        return Difference(equality, arguments=arguments)
    return Difference(equality, arguments=arguments, first=_first(left, right))


class _Line(NamedTuple):
    text: str
    normal: str
    """As it is compared: without what is left aside, values by number."""
    place: str


class _Operations:
    """The operations of a program in order of use, but for those that do nothing."""

    def __init__(self, text: LocatedText, level: int) -> None:
        self.lines: list[_Line] = []
        for part in text.parts():
            numbers: dict[str, str] = {}
            for line, place in part:
                normal = _normal(line, level, numbers)
                if normal is not None and _OPERATION.match(line):
                    self.lines.append(_Line(line, normal, place))

    def place_of_use(self, number: int) -> str:
        """The author's line where a value is first used; that of a constant itself is often that of the whole call."""
        line = self.lines[number]
        value = _VALUE.search(line.text)
        if value is not None and _CONSTANT.search(line.text):
            used = re.compile(rf"%{value.group(1)}\b")
            rest = self.lines[number + 1 : number + _NEAR]
            return next((each.place for each in rest if each.place and used.search(each.text)), line.place)
        return line.place


def _normal(line: str, level: int, numbers: dict[str, str]) -> str | None:
    """A line as it is compared; None for an operation that does nothing, whose operand then stands for its result."""
    cut = _VALUE.split(line)
    between, values = cut[::2], cut[1::2]
    if len(values) == 2 and between[1] in MAY_BE_IDLE:
        nothing = idle(between[1], between[2] + "\n")
        if nothing is not None and nothing.step <= level:
            numbers[values[0]] = numbers.setdefault(values[1], str(len(numbers)))
            return None
    named = [numbers.setdefault(value, str(len(numbers))) for value in values]
    pieces = [variants(piece)[level] for piece in between]
    return pieces[0] + "".join(f"%{name}{piece}" for name, piece in zip(named, pieces[1:], strict=True))


def _constants(left: _Operations, right: _Operations) -> Iterator[Changed]:
    """What differs between programs that are equal but for constants, so that their operations are the same."""
    for number, (one, other) in enumerate(zip(left.lines, right.lines, strict=False)):
        if one.normal != other.normal:
            yield Changed(right.place_of_use(number), _constant_text(one.text), _constant_text(other.text))


def _constant_text(line: str) -> str:
    constant = _CONSTANT.search(line)
    if constant is None:
        starts = _STARTS.search(line)
        return f"slice from {starts.group(1)}" if starts else line.strip()
    value, kind = constant.groups()
    if _is_digest(value):
        return _type_text(kind)
    return _FLOAT.sub(lambda found: repr(float(found.group())), value)


def _is_digest(value: str) -> bool:
    return len(value) == 32 and value.isalnum()


def _arguments(before: LocatedText, after: LocatedText) -> Iterator[Changed]:
    left, right = before.arguments(), after.arguments()
    if len(left) == len(right):
        for (_, one), (name, other) in zip(left, right, strict=True):
            if one != other:
                yield Changed(name, _type_text(one), _type_text(other))


def _first(left: _Operations, right: _Operations) -> tuple[Operation, Operation] | None:
    for one, other in zip_longest(left.lines, right.lines):
        if one is None or other is None or one.normal != other.normal:
            return _operation(one), _operation(other)
    return None


def _operation(line: _Line | None) -> Operation:
    if line is None:
        return Operation("", "")
    found = _OPERATION.match(line.text)
    name = found.group(1) if found else line.text.strip()
    result = line.text.rpartition("-> ")[2].partition(" {")[0] if "-> " in line.text else ""
    return Operation(f"{name} {_type_text(result)}".strip(), line.place)


def _type_text(kind: str) -> str:
    """A type as JAX writes it: `f32[64,784]`."""
    return _TENSOR.sub(_short_type, kind).strip()


def _short_type(found: re.Match[str]) -> str:
    dimensions, element = found.groups()
    return f"{_ELEMENTS.get(element, element)}[{','.join(dimensions.rstrip('x').split('x'))}]"


_ELEMENTS = {"i1": "bool", **{f"ui{bits}": f"u{bits}" for bits in (4, 8, 16, 32, 64)}}
