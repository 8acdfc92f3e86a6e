"""The public types: how they show themselves, and that the docs have each of their fields."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import function_stats, key, key_stats, leaf, snapshot

import jitwatch
from jitwatch import typing
from jitwatch._model import Finding

PAGE = Path(__file__).parents[2] / "docs" / "types.md"
BEHAVIOUR = ("KeyView", "Recording", "Report", "WatchedFunction", "WatchedTest")
"""Types with methods, whose docstrings Python shows; all others are data."""
HEAD = """\
# Types

What jitwatch hands out, for annotations and for programs that read it: `from jitwatch.typing import Snapshot`. All of it is
plain data that needs no JAX, and `msgspec.to_builtins` makes dicts of it. Durations end in `_s`, in seconds; `unix_s` is wall
clock. A field without a meaning says all by its name; places (`defined_at`, `call_site`) are `file:line`. `KeyView`, `Recording`, `Report`, `WatchedFunction` and `WatchedTest` are there too; `help()` says what they do.

This page is made from the code: `pytest tests/unit/test_types.py --update-golden` writes it anew.
"""


def fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning of each field, as the source has them."""
    body = ast.parse(inspect.getsource(kind)).body[0].body  # type: ignore[attr-defined]
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            meaning = " ".join(str(following.value.value).split()) if said else ""  # type: ignore[union-attr]
            yield ast.unparse(node.target), ast.unparse(node.annotation), meaning.replace("|", "\\|")


def section(name: str) -> str:
    """One type."""
    kind = getattr(typing, name)
    rows = "".join(
        f"| `{field}` | `{annotation}` | {meaning} |\n".replace(" | None", " \\| None")
        for field, annotation, meaning in fields(kind)
    )
    return f"\n## {name}\n\n{inspect.cleandoc(kind.__doc__)}\n\n| field | type | meaning |\n|---|---|---|\n{rows}"


def test_docs_have_each_field_as_it_is(request: pytest.FixtureRequest) -> None:
    made = HEAD + "".join(section(name) for name in typing.__all__ if name not in BEHAVIOUR)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(made, encoding="utf-8")

    assert made == PAGE.read_text(encoding="utf-8")


def test_each_type_is_there_and_nothing_else() -> None:
    assert all(isinstance(getattr(typing, name), type) for name in typing.__all__)
    assert dir(typing) == sorted(typing.__all__)
    assert dir(jitwatch) == sorted(jitwatch.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        typing.nonsense


def test_a_key_says_its_arguments() -> None:
    one = key({"x": leaf((64, 784)), "params": {"w": leaf(), "b": leaf()}}, statics={"n": 2})

    assert str(one) == "x float32[64,784], params {2 leaves}, n=2"
    assert repr(one) == f"<key: {one}>"
    assert str(key({})) == "no arguments"
    assert "\x1b" not in str(key({"\x1b[31m": leaf()}))


def test_data_shows_itself_in_a_line() -> None:
    data = snapshot(function_stats("step", keys=[key_stats(n, key({"x": leaf((n,))})) for n in range(1, 9)]))
    finding = Finding("JW101", "shape", "step", "", "", (), 3, 1.25, "", "", "", "proved")

    assert repr(data) == "<snapshot: 1 functions, 8 compiles, 0 misses>"
    assert repr(finding) == "<JW101 step: 3 compiles, 1.25 s, proved>"


def test_a_report_is_text_that_shows_itself() -> None:
    report = jitwatch.report(snapshot(function_stats("a<b", keys=[key_stats()])), color=True)

    assert isinstance(report, str)
    assert repr(report) == str(report)
    html = report._repr_html_()
    assert html.startswith("<pre>") and "a&lt;b" in html and "\x1b" not in html
