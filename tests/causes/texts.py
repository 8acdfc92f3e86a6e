"""Pieces of programs as the variants cut them: names, calls, and texts put in the place of others."""

import ast
from collections.abc import Callable, Iterator, Sequence

Made = tuple[str, dict]
"""The source of a variant, and its header."""


class LeftOut(Exception):
    """Why a program has no such variant."""


def last_name(node: ast.AST) -> str:
    """`step` of `step`, `self.step` and `self.steps.step`; of anything else an empty text."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """All calls in a tree."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def stored(node: ast.AST) -> Iterator[str]:
    """Names that a statement binds in its own scope."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        for child in ast.iter_child_nodes(node):
            yield from stored(child)


def replaced(source: str, nodes: Sequence[ast.AST], new: Callable[[ast.AST, Callable[[ast.AST], str]], str]) -> str:
    """A source in which each of these nodes has another text.

    Args:
        source: Its text.
        nodes: They may lie within each other.
        new: Gives the text for a node; it is handed a function that gives the text of a node within that one.
    """
    raw = source.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.AST) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    spans = sorted(((*span(node), node) for node in nodes), key=lambda each: (each[0], -each[1]))

    def text(start: int, end: int) -> str:
        pieces, at = [], start
        for first, last, node in spans:
            if first >= at and last <= end:
                pieces += [raw[at:first].decode(), new(node, lambda inner: text(*span(inner)))]
                at = last
        return "".join([*pieces, raw[at:end].decode()])

    return text(0, len(raw))
