"""docs/findings.md by its sections: what each code means, for the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

_PAGE = "findings.md"
_COLUMNS = 100
_SECTION = re.compile(r"^#{2,} (jw\d{3})\n(.*?)(?=^#{2,} |\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_CODE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def sections() -> dict[str, str]:
    """The text of each section by its code, such as `JW301`: as Markdown has it, but for marks that only a page needs.

    Code keeps its lines as they are, so that it can be pasted.
    """
    found = _SECTION.finditer(_text())
    return {match.group(1).upper(): "\n\n".join(_paragraphs(match.group(2))) for match in found}


def title(section: str) -> str:
    """What a section is about, in a few words."""
    first = section.partition(". ")[0].partition(" (")[0]
    return first.partition(" ")[2]


def _paragraphs(section: str) -> Iterator[str]:
    for place, part in enumerate(_CODE.split(section)):
        if place % 2:
            yield part.strip()
        else:
            prose = _LINK.sub(r"\1", part).replace("**", "")
            yield from (textwrap.fill(" ".join(each.split()), _COLUMNS) for each in prose.split("\n\n") if each.strip())


def _text() -> str:
    """The page: a wheel has it beside this module, a checkout among its docs."""
    here = Path(__file__)
    of_wheel, of_checkout = here.with_name(_PAGE), here.parents[2] / "docs" / _PAGE
    return (of_wheel if of_wheel.is_file() else of_checkout).read_text(encoding="utf-8")
