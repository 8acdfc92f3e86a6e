"""A program's text with source locations: the text without them, and the author's line of each of its lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jitwatch._explain.programs import parts_of

_INNER = r'(?:[^()"]|"(?:[^"\\]|\\.)*")*'
_LOCATION = re.compile(rf" loc\(({_INNER}(?:\({_INNER}(?:\({_INNER}\){_INNER})*\){_INNER})*)\)")
_ALIAS = re.compile(r"^(#loc\d*) = loc\((.*)\)$", re.MULTILINE)
_ALIAS_LINE = re.compile(r"^#loc.*\n?", re.MULTILINE)
_FILE = re.compile(r'"((?:[^"\\]|\\.)+)":(\d+):\d+')
_REFERENCE = re.compile(r"#loc\d*")
_ARGUMENT = re.compile(r'(%\w+): (tensor<[^>]*>|[^ ,)]+) loc\("((?:[^"\\]|\\.)*)"\)')
_MODULE = re.compile(r'"builtin\.module"\(\) <\{(?:[^{}]*, )?sym_name = "([^"]*)"')
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_MAX_DEPTH = 50


class LocatedText:
    """A module in MLIR's generic form, with locations."""

    def __init__(self, text: str, suffix: str = "") -> None:
        """Take a text, and what jitwatch adds to a module's text, as it is part of the program."""
        self._aliases = dict(_ALIAS.findall(text))
        self._places: dict[str, str] = {}
        self._text = _ALIAS_LINE.sub("", text)
        self.plain = without_locations(self._text).rstrip() + suffix
        """Without locations, as it is compared with others."""

    def name(self) -> str:
        """The module's name, as JAX has it, without `jit_`."""
        found = _MODULE.search(self.plain)
        return found.group(1).removeprefix("jit_") if found else ""

    def lines(self) -> Iterator[tuple[str, str]]:
        """Each line, with the author's `file:line`, which is empty where there is none."""
        return ((without_locations(line), self._place_of(line)) for line in self._text.splitlines())

    def parts(self) -> Iterator[list[tuple[str, str]]]:
        """The lines of each function, as of `lines`, in order of use."""
        for part in parts_of(self._text):
            yield [(without_locations(line), self._place_of(line)) for line in part.splitlines()]

    def arguments(self) -> list[tuple[str, str]]:
        """Name and type of each argument of the program."""
        main = next((line for line in self._text.splitlines() if line.lstrip().startswith("^bb0(")), "")
        return [(name, kind) for _, kind, name in _ARGUMENT.findall(main)]

    def _place_of(self, line: str) -> str:
        found = _LOCATION.findall(line)
        return self._place(found[-1], 0) if found and not line.lstrip().startswith("^") else ""

    def _place(self, location: str, depth: int) -> str:
        """The innermost line of a location that is no library's; the innermost of all where there is none."""
        known = self._places.get(location)
        if known is None:
            known = self._places[location] = self._found(location, depth)
        return known

    def _found(self, location: str, depth: int) -> str:
        file = _FILE.search(location)
        if file is not None:
            return f"{file.group(1)}:{file.group(2)}"
        if depth > _MAX_DEPTH:
            return ""
        inside = [self._place(self._aliases.get(each, ""), depth + 1) for each in _REFERENCE.findall(location)]
        places = [place for place in inside if place]
        return next((place for place in places if not _INSTALLED.search(place)), places[0] if places else "")


def without_locations(text: str) -> str:
    """A text of MLIR's without its locations."""
    return _LOCATION.sub("", _ALIAS_LINE.sub("", text))
